"""How long a container lives is counted from its start."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_dockerlab import Lab, assert_exit_code
from pytest_dockerlab.grade import run_watch
from pytest_dockerlab.grade.run_watch import RunWatch
from tests.grade.conftest import POLICY

PATIENCE = 120.0


def until(true: Callable[[], object]) -> None:
    """Wait for what comes sooner or later."""
    deadline = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_an_engine_that_takes_its_time_costs_the_student_none(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is not started yet is not late, however long ago it was made; one that runs for too long is killed."""
    monkeypatch.setattr(run_watch, "_MARGIN", 0.0)
    monkeypatch.setattr(run_watch, "_TURN", 0.1)
    box, watch, looks = lab.create("alpine", ["sleep", "600"]), RunWatch(replace(POLICY, run_seconds=0.2)), 0
    look = lab.engine.containers.state

    def counted(container: str) -> object:
        nonlocal looks
        looks += container == box.id
        return look(container)

    monkeypatch.setattr(lab.engine.containers, "state", counted)
    watch.add(lab.engine, box)
    until(lambda: looks > 6)
    assert watch.over([box.id]) == ()
    box.start()
    until(lambda: watch.over([box.id]))
    assert_exit_code(box, 137)
    assert "0.2 s" in str(watch.over([box.id])[0].finding())
