"""Grading on an engine: what a student handed in is built and run within its policy, one submission or a class."""
