"""JSON from outside, read without trust: what is absent gets its default, what has another type is refused.

A reader takes a field's value and what to call it (``State.ExitCode``); ``None`` always means that it is absent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from pytest_dockerlab.errors import FormatError

__all__ = ["flag", "mapping", "read_json", "rows", "said", "shown", "text", "texts", "whole"]

_DEEPEST = 200
_WHOLE_MOST = 2**63 - 1  # what Go, which writes all of these, can hold
_SHOWN = 240
_OPENING = re.compile(r"[\[{]")
_REMEDY = "see which program wrote it, and whether it is complete"


def read_json(data: str | bytes) -> Any:
    """Parse JSON as RFC 8259 has it.

    Raises:
        ValueError: not JSON, or nested so deeply that nobody means it.
    """
    if isinstance(data, bytes):
        # json guesses UTF-16 and UTF-32, too; nothing that we read is written so.
        data = data.decode("utf-8", "replace")
    try:
        value = json.loads(data, parse_constant=_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if len(_OPENING.findall(data)) > _DEEPEST and _deeper_than(value, _DEEPEST):
        raise ValueError(f"nested more than {_DEEPEST} deep")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    while level and depth:
        inner = (item for item in level if isinstance(item, (dict, list)))
        level = [each for item in inner for each in (item.values() if isinstance(item, dict) else item)]
        depth -= 1
    return any(isinstance(item, (dict, list)) for item in level)


def shown(value: object) -> str:
    """A value for a message: never long, and never an error of its own."""
    try:
        found = repr(value[: _SHOWN + 1] if isinstance(value, (str, bytes)) else value)
    except Exception:  # an integer of thousands of digits has no text; what a stranger's __repr__ does, nobody knows
        return f"<{type(value).__name__}>"
    return found if len(found) <= _SHOWN else f"{found[:_SHOWN]}…"


def said(value: object) -> str:
    """What an engine said, as text that can be printed, whatever it is; ``""`` if absent."""
    if isinstance(value, str):
        return text(value, "")
    return "" if value is None else shown(value)


def _refuse(value: object, about: str, wanted: str) -> FormatError:
    return FormatError(f"{about} is {shown(value)}, not {wanted}", remedy=_REMEDY)


def whole(value: object, about: str) -> int:
    """A whole number of at most 64 bits; 0 if absent.

    Raises:
        FormatError: something else.
    """
    if value is None:
        return 0
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or not -_WHOLE_MOST - 1 <= value <= _WHOLE_MOST:
        raise _refuse(value, about, "a whole number")
    return value


def flag(value: object, about: str) -> bool:
    """True or false; false if absent.

    Raises:
        FormatError: something else.
    """
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _refuse(value, about, "true or false")


def text(value: object, about: str) -> str:
    """A text, ``""`` if absent; half a surrogate pair, which could not be printed, becomes a question mark.

    Raises:
        FormatError: something else.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _refuse(value, about, "text")
    return value if value.isascii() else value.encode("utf-8", "replace").decode("utf-8")


def mapping(value: object, about: str) -> Mapping[str, Any]:
    """An object, empty if absent.

    Raises:
        FormatError: something else.
    """
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise _refuse(value, about, "an object")
    return value


def rows(value: object, about: str) -> Sequence[Any]:
    """A list, empty if absent.

    Raises:
        FormatError: something else.
    """
    if value is None:
        return ()
    if not isinstance(value, (list, tuple)):
        raise _refuse(value, about, "a list")
    return value


def texts(value: object, about: str) -> tuple[str, ...]:
    """A list of texts, empty if absent.

    Raises:
        FormatError: something else.
    """
    return tuple(text(item, f"an item of {about}") for item in rows(value, about))
