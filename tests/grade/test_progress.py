"""How far a batch is: a line for each submission in a log, one that changes on a terminal."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.grade.progress import Progress, duration


def graded(student: str, reason: str = "") -> Graded:
    outcome = "not_gradable" if reason else "graded"
    return Graded(student=student, outcome=outcome, points=Decimal(1), max_points=Decimal(3), reason=reason)  # type: ignore[arg-type]


class Clock:
    """Ten seconds later each time somebody looks."""

    now = 0.0

    def __call__(self) -> float:
        self.now += 10
        return self.now


def test_a_log_has_a_line_for_each_with_an_estimate() -> None:
    """From the pace so far; the last one has nothing left, and the end says what it took."""
    said: list[str] = []
    progress = Progress(3, said.append, clock=Clock())
    for student in ("ann", "bob", "cat"):
        progress.done(graded(student, "disk full" if student == "bob" else ""))
    progress.end()
    assert said == [
        "1/3 ann: 1 of 3, about 20 s left",
        "2/3 bob: not gradable: disk full, about 10 s left",
        "3/3 cat: 1 of 3",
        "3 of 3 done in 30 s (10.0 s each)",
    ]


def test_a_terminal_has_one_line_that_changes() -> None:
    """Only what somebody has to look at stays; at the end the line is gone."""
    said: list[str] = []
    screen = io.StringIO()
    progress = Progress(3, said.append, screen=screen, clock=Clock())
    for student in ("ann", "bob"):
        progress.done(graded(student, "disk full" if student == "bob" else ""))
    shown = screen.getvalue().split("\r\x1b[K")
    assert shown[-1] == "[=============       ] 2/3 bob: not gradable: disk full, about 10 s left (1 not gradable)"
    progress.done(graded("cat"))
    progress.end()
    assert screen.getvalue().endswith("\r\x1b[K")
    assert said == ["2/3 bob: not gradable: disk full", "3 of 3 done in 30 s (10.0 s each)"]


@pytest.mark.parametrize(("seconds", "said"), [(0.4, "0 s"), (89, "89 s"), (95, "2 min"), (9000, "2.5 h")])
def test_a_duration_is_for_people(seconds: float, said: str) -> None:
    """In the unit that it is worth."""
    assert duration(seconds) == said
