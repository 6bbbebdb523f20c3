"""What every parser promises: a value, or one of our errors with a remedy. Anything else is a finding."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from pytest_dockerlab.errors import FormatError, LabError, NotFound, UsageError

__all__ = ["kept", "printable"]

P = ParamSpec("P")
T = TypeVar("T")


def kept(read: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T | None:
    """What a parser made of its input; ``None`` where it refused it as it should.

    Raises:
        AssertionError: refused in another way than it should.
        BaseException: what the parser let through.
    """
    try:
        return read(*arguments, **named)
    except LabError as error:
        refusal = error
    assert isinstance(refusal, (FormatError, NotFound, UsageError)), f"blames somebody else: {refusal!r}"
    assert refusal.what, "says nothing"
    assert refusal.remedy, f"has no remedy: {refusal.what}"
    assert len(str(refusal)) < 4000, f"a message of {len(str(refusal))} characters"
    return None


def printable(text: str) -> str:
    """A text that any terminal or report takes: no half of a surrogate pair."""
    text.encode()
    return text
