"""How far a batch is, and how long the rest will take: lines in a log, one line that changes on a terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TextIO

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.points import show

__all__ = ["Progress", "duration", "said", "terminal"]

_CLEAR = "\r\x1b[K"


class Progress:
    """Told of each submission that is done; says so, with an estimate of what is left."""

    def __init__(
        self,
        total: int,
        tell: Callable[[str], None],
        *,
        screen: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        total: submissions to grade.
        tell: takes a line that stays.
        screen: a terminal, for a line that does not; ``None`` where there is none.
        """
        self._total, self._tell, self._screen, self._clock = total, tell, screen, clock
        self._started = clock()
        self._done = self._ungraded = 0

    def done(self, graded: Graded) -> None:
        """One more is."""
        self._done += 1
        self._ungraded += graded.outcome != "graded"
        left = self._total - self._done
        rest = f", about {duration((self._clock() - self._started) / self._done * left)} left" if left else ""
        line = f"{self._done}/{self._total} {said(graded)}"
        if self._screen is None:
            self._tell(line + rest)
            return
        self._screen.write(_CLEAR)
        if graded.outcome != "graded":
            self._screen.flush()
            self._tell(line)
        trouble = f" ({self._ungraded} not gradable)" if self._ungraded else ""
        self._screen.write(f"{_bar(self._done, self._total)} {line[:50]}{rest}{trouble}" if left else "")
        self._screen.flush()

    def end(self) -> None:
        """All are done, or the batch was ended: what it took."""
        if self._screen is not None:
            self._screen.write(_CLEAR)
            self._screen.flush()
        if self._done:
            took = self._clock() - self._started
            each = f" ({took / self._done:.1f} s each)" if self._done > 1 else ""
            self._tell(f"{self._done} of {self._total} done in {duration(took)}{each}")


def terminal() -> TextIO | None:
    """Where a line may change; ``None`` where what is told goes to a file."""
    return sys.stderr if sys.stderr.isatty() else None


def duration(seconds: float) -> str:
    """For people: ``75 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def said(graded: Graded) -> str:
    """A submission in a line."""
    if graded.outcome != "graded":
        return f"{graded.student}: not gradable: {(graded.reason.splitlines() or [''])[0]}"
    return f"{graded.student}: {show(graded.points)} of {show(graded.max_points)}"


def _bar(done: int, total: int, width: int = 20) -> str:
    full = done * width // total
    return f"[{'=' * full}{' ' * (width - full)}]"
