"""The run that a process takes part in, made when it is first needed: most suites never do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_dockerlab.plugin.session import Run

__all__ = ["LABS", "known_run", "needs_engine", "run_of"]

# Fixture → scope of its lab.
LABS: Mapping[str, str] = {"lab": "test", "lab_module": "module", "lab_session": "session", "lab_run": "run"}

_RUN = pytest.StashKey["Run"]()


def run_of(config: pytest.Config) -> Run:
    """This process's run.

    Raises:
        pytest.UsageError: a setting that can't be meant.
    """
    if (run := config.stash.get(_RUN, None)) is None:
        from pytest_dockerlab.plugin.beginning import new_run

        run = config.stash[_RUN] = new_run(config)
    return run


def known_run(config: pytest.Config) -> Run | None:
    """This process's run, if it was ever needed."""
    return config.stash.get(_RUN, None)


def needs_engine(item: pytest.Item) -> bool:
    """Whether a test uses a lab, or asks for something of the engine."""
    names = getattr(item, "fixturenames", ())  # not every kind of item has fixtures
    return not LABS.keys().isdisjoint(names) or item.get_closest_marker("requires") is not None
