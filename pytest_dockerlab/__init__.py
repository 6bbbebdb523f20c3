"""pytest-dockerlab."""
