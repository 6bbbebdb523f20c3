"""How findings put values into words: short digests, shortened text, what was asked for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.image.model import Image

__all__ = [
    "Expected",
    "clip",
    "expect_count",
    "listing",
    "matches",
    "name_of",
    "plural",
    "sequence",
    "short",
    "tail",
    "wanted",
]

# A text is looked for as it stands; a compiled pattern is searched.
Expected = str | re.Pattern[str]


def short(digest: str) -> str:
    """The first 12 digits of a digest, as ``docker images`` shows them."""
    return digest.removeprefix("sha256:")[:12]


def clip(text: str, limit: int = 100) -> str:
    """One line of at most ``limit`` characters, whitespace collapsed."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def tail(text: str, lines: int = 10) -> str:
    """The last lines of a log, or words for an empty one."""
    rows = text.rstrip("\n").splitlines()
    more = [f"… {len(rows) - lines} lines before"] if len(rows) > lines else []
    return "\n".join([*more, *(row[:200] for row in rows[-lines:])]) or "(nothing)"


def listing(items: Iterable[object], limit: int = 10, none: str = "none") -> str:
    """Items one a line, the first ``limit`` of them, and how many more there are."""
    rows = [str(item) for item in items]
    more = [f"… and {len(rows) - limit} more"] if len(rows) > limit else []
    return "\n".join([*rows[:limit], *more]) or none


def matches(expected: Expected, text: str) -> bool:
    """Whether ``text`` holds the text, or the pattern is found in it."""
    return bool(expected.search(text)) if isinstance(expected, re.Pattern) else expected in text


def wanted(expected: Expected) -> str:
    """What was asked for, in words."""
    return f"text that matches /{expected.pattern}/" if isinstance(expected, re.Pattern) else repr(expected)


def expect_count(value: int, of: str) -> int:
    """``value``, if it can be a number of things.

    Raises:
        UsageError: negative, or not a whole number.
    """
    if type(value) is not int or value < 0:
        raise UsageError(
            f"not a number of {of}: {value!r}", remedy=f"give the number of {of} as a whole number, 0 or more"
        )
    return value


def name_of(image: Image) -> str:
    """The image's name for a finding."""
    return f"image {image.name}"


def plural(count: int, thing: str) -> str:
    """``1 layer``, ``2 layers``."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def sequence(value: str | Sequence[str]) -> tuple[str, ...]:
    """One or several texts as a tuple (a lone text is not taken apart)."""
    return (value,) if isinstance(value, str) else tuple(value)
