"""Timings against peers of the same job: ``python -m benchmarks``. They print ratios and assert nothing."""
