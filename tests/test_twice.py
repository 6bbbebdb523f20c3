"""A second look at the few tests that fail."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from tests.twice import MOST, run


class Pytest:
    """Ends with the exit codes that it was given, one a run."""

    def __init__(self, *codes: int, failed: Sequence[str] = ()) -> None:
        self.codes, self.failed = list(codes), failed
        self.calls: list[list[str]] = []
        self.said: list[str] = []

    def run(self) -> int:
        return run(["-q", "tests"], pytest=self._run, failures=lambda: self.failed, say=self.said.append)

    def _run(self, arguments: Sequence[str]) -> int:
        self.calls.append(list(arguments))
        return self.codes.pop(0)


def test_green_is_green() -> None:
    """Nothing is run twice, nothing is said."""
    suite = Pytest(0)
    assert (suite.run(), len(suite.calls), suite.said) == (0, 1, [])


def test_failed_and_then_passed_is_unsteady() -> None:
    """The failed ones alone are run again, without workers; the run passes, and names them."""
    suite = Pytest(1, 0, failed=["tests/a.py::test_b"])
    assert suite.run() == 0
    assert suite.calls[1] == ["-q", "tests", "-n", "0", "--last-failed", "--last-failed-no-failures", "none"]
    assert suite.said[-1] == "unsteady: 1 failed in the crowd and passed alone: tests/a.py::test_b"


def test_failed_twice_is_failed() -> None:
    """What fails alone, too, fails the run."""
    assert Pytest(1, 1, failed=["tests/a.py::test_b"]).run() == 1


@pytest.mark.parametrize("code", [2, 3, 4, 5])
def test_a_run_that_did_not_end_is_not_looked_at_again(code: int) -> None:
    """Interrupted, broken, misused or empty: which tests passed is not known."""
    suite = Pytest(code, failed=["tests/a.py::test_b"])
    assert (suite.run(), len(suite.calls)) == (code, 1)


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_many_failures_are_no_chance(count: int) -> None:
    """Nor is a failure without a test."""
    suite = Pytest(1, failed=[f"tests/a.py::test_{number}" for number in range(count)])
    assert (suite.run(), len(suite.calls)) == (1, 1)
