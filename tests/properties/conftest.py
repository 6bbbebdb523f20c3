"""What all properties share: the promise of every parser, and a limit on what it may cost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

from pytest_dockerlab.errors import FormatError, LabError, NotFound, UsageError


@pytest.fixture(scope="session")
def kept() -> Callable[..., Any]:
    """Calls a parser: its value, or ``None`` where it refused the input with one of our errors and a remedy."""

    def call(read: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        try:
            return read(*arguments, **named)
        except LabError as error:
            refusal = error
        assert isinstance(refusal, (FormatError, NotFound, UsageError)), f"blames somebody else: {refusal!r}"
        assert refusal.what
        assert refusal.remedy, f"no remedy: {refusal.what}"
        assert len(str(refusal)) < 4000, f"a message of {len(str(refusal))} characters"
        return None

    return call


class TooMuch(AssertionError):
    """A parser needs more CPU time than its input's length explains."""


@pytest.fixture
def bounded() -> Callable[[float], AbstractContextManager[None]]:
    """Ends a block that takes more CPU seconds of this process than given, however busy the machine is."""

    @contextmanager
    def limit(seconds: float) -> Iterator[None]:
        def expired(number: int, frame: object) -> None:
            raise TooMuch(f"more than {seconds:g} s of CPU time")

        before = signal.signal(signal.SIGVTALRM, expired)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_VIRTUAL, 0)
            signal.signal(signal.SIGVTALRM, before)

    return limit
