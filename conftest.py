"""What all of our own tests share; the plugin itself comes from the installed package."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, settings

from pytest_dockerlab.lab import Lab

pytest_plugins = ["pytester"]

# The same examples each time and at any pace: a run of the tests is no draw. `--hypothesis-profile=long` looks for new
# ones, and so does the job `fuzz` (docs/robustness.md).
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile(
    "dockerlab", derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=_SLOW
)
settings.register_profile("long", deadline=None, max_examples=3000, print_blob=True, suppress_health_check=_SLOW)
settings.load_profile("dockerlab")

Need = Callable[[str], None]


@pytest.fixture(scope="session")
def need(lab_session: Lab) -> Need:
    """Takes the reason why something is missing (or ``""``): skips, or fails where CI is set.

    It rests on ``lab_session``, so that the run has installed what it may before anybody asks.
    """

    def judge(reason: str) -> None:
        if reason and os.environ.get("CI"):
            pytest.fail(f"missing in CI: {reason}")
        if reason:
            pytest.skip(reason)

    return judge


@pytest.fixture(scope="session")
def private_engines(need: Need) -> None:
    """Private engines can be started on this machine."""
    from pytest_dockerlab.engine import private

    need(private.missing())
