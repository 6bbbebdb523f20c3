"""Students' exercises: what is asked, what was handed in, what it may do, and what it is worth."""
