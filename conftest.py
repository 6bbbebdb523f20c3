"""What all of our own tests share; the plugin itself comes from the installed package."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from pytest_dockerlab.lab import Lab

pytest_plugins = ["pytester"]

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
