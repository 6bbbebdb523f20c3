"""Variables in a Dockerfile's words: ``$X``, ``${X}``, ``${X:-default}``, ``${X:+other}``."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pytest_dockerlab.errors import FormatError

__all__ = ["expand"]

_DEEPEST = 8
_MOST = 64 * 1024

_VARIABLE = re.compile(
    r"\\(?P<escaped>.)|'(?P<literal>[^']*)'|\"(?P<quoted>[^\"]*)\"|\$(?P<plain>[A-Za-z_]\w*)"
    r"|\$\{(?P<name>[A-Za-z_]\w*)(?:(?P<test>:?[-+?])(?P<word>[^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}",
    re.ASCII | re.DOTALL,
)


def expand(word: str, known: Mapping[str, str]) -> str:
    """Expand variables and take quotes off, as FROM and ARG do; what is unset is empty.

    A form that is none of the four stays as it is written.

    Raises:
        FormatError: the values are longer than anybody means: each ARG may double the one before.
    """
    left = _MOST

    def expanded(text: str, depth: int) -> str:
        def replace(match: re.Match[str]) -> str:
            nonlocal left
            value = value_of(match, depth)
            left -= len(value)
            if left < 0:
                raise FormatError(
                    f"the variables in {word[:40]!r} have more than {_MOST} characters", remedy="give shorter values"
                )
            return value

        return _VARIABLE.sub(replace, text)

    def value_of(match: re.Match[str], depth: int) -> str:
        if match["escaped"] is not None:
            return match["escaped"]
        if match["literal"] is not None:
            return match["literal"]
        if match["quoted"] is not None:
            return expanded(match["quoted"], depth - 1) if depth else match["quoted"]
        value = known.get(match["plain"] or match["name"])
        test, other = match["test"] or "", match["word"] or ""
        there = value is not None and (value != "" or not test.startswith(":"))
        if test.endswith(("-", "+")) and there == test.endswith("+"):
            return expanded(other, depth - 1) if depth else other
        return "" if test.endswith("+") else value or ""

    return expanded(word, _DEEPEST)
