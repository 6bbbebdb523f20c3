"""A graded submission as text, in the formats of course platforms and for people: ``formats.render``."""
