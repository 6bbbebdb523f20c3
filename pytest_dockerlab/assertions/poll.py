"""Asking again until an answer will do, or time is up."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["until"]

T = TypeVar("T")


def until(
    ask: Callable[[], T],
    good: Callable[[T], bool],
    timeout: float,
    *,
    pause: float = 0.1,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """The first good answer, or the last one within ``timeout`` seconds; asks at least once."""
    deadline = clock() + timeout
    while True:
        answer = ask()
        if good(answer) or clock() >= deadline:
            return answer
        sleep(min(pause, max(0.0, deadline - clock())))
        pause = min(pause * 1.5, 1.0)
