"""Variables in a Dockerfile's words: ``$X``, ``${X}``, ``${X:-default}``, ``${X:+other}``."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["expand"]

_VARIABLE = re.compile(
    r"\\(?P<escaped>.)|'(?P<literal>[^']*)'|\"(?P<quoted>[^\"]*)\"|\$(?P<plain>[A-Za-z_]\w*)"
    r"|\$\{(?P<name>[A-Za-z_]\w*)(?:(?P<test>:?[-+?])(?P<word>[^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}",
    re.ASCII | re.DOTALL,
)


def expand(word: str, known: Mapping[str, str], *, depth: int = 8) -> str:
    """Expand variables and take quotes off, as FROM and ARG do; what is unset is empty.

    A form that is none of the four stays as it is written.
    """

    def replace(match: re.Match[str]) -> str:
        if match["escaped"] is not None:
            return match["escaped"]
        if match["literal"] is not None:
            return match["literal"]
        if match["quoted"] is not None:
            return expand(match["quoted"], known, depth=depth - 1) if depth else match["quoted"]
        name = match["plain"] or match["name"]
        value = known.get(name)
        test, other = match["test"] or "", match["word"] or ""
        there = value is not None and (value != "" or not test.startswith(":"))
        if test.endswith(("-", "+")) and there == test.endswith("+"):
            return expand(other, known, depth=depth - 1) if depth else other
        return "" if test.endswith("+") else value or ""

    return _VARIABLE.sub(replace, word)
