"""Timings against the engine's floor and against peers; they print ratios and assert nothing."""
