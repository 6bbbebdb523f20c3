"""A Dockerfile's text changed before it is sent, with every change traceable to the line as written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.stage import same_image

__all__ = ["FRESH_LABEL", "Rewritten", "rewrite"]

#: Put after each FROM where the builder's cache has no other handle (classic, Podman).
FRESH_LABEL = "org.dockerlab.fresh"

_DIRECTIVE = re.compile(r"\s*#\s*(syntax|escape|check)\s*=", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """A text to send.

    Attributes:
        text: the Dockerfile that the engine gets.
        lines: for each of its lines the 1-based line of the original.
        added: 0-based positions, among the instructions sent, of those that we put in.
    """

    text: str
    lines: tuple[int, ...]
    added: frozenset[int] = frozenset()


def rewrite(
    dockerfile: Dockerfile, *, bases: Mapping[str, str] | None = None, fresh_label: str = "", drop_syntax: bool = False
) -> Rewritten:
    """Change what has to be changed, and nothing else.

    Args:
        dockerfile: as written.
        bases: image as written → image to use instead, in FROM, ``COPY --from`` and ``RUN --mount=from``.
        fresh_label: value of a label to put after each FROM; ``""`` for none.
        drop_syntax: take ``# syntax=`` out, so that the engine's own frontend is used.
    """
    lines = dockerfile.text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    for old, new in (bases or {}).items():
        _replace_base(dockerfile, lines, old, new)
    if drop_syntax:
        _drop_syntax(lines)
    sent: list[str] = []
    origin: list[int] = []
    added: set[int] = set()
    ends = {stage.instructions[0].end_line for stage in dockerfile.stages} if fresh_label else set[int]()
    for number, row in enumerate(lines, 1):
        sent.append(row)
        origin.append(number)
        if number in ends:
            before = sum(1 for each in dockerfile.instructions if each.line <= number)
            added.add(before + len(added))
            sent.append(f"LABEL {FRESH_LABEL}={fresh_label}")
            origin.append(number)
    return Rewritten(text="\n".join(sent), lines=tuple(origin), added=frozenset(added))


def _replace_base(dockerfile: Dockerfile, lines: list[str], old: str, new: str) -> None:
    for stage in dockerfile.stages:
        if stage.base_stage is None and same_image(stage.base, old):
            first = stage.instructions[0]
            _sub(lines, first.line, first.end_line, rf"(?<!\S){re.escape(stage.written)}(?!\S)", new)
        names = {other.name for other in dockerfile.stages[: stage.index] if other.name}
        for each, source in stage.sources:
            if source.lower() not in names and not source.isdigit() and same_image(source, old):
                _sub(lines, each.line, each.end_line, rf"(?<=from=){re.escape(source)}(?=[\s,]|$)", new)


def _sub(lines: list[str], first: int, last: int, pattern: str, new: str) -> None:
    for at in range(first - 1, last):
        lines[at], count = re.subn(pattern, lambda _: new, lines[at], count=1)
        if count:
            return


def _drop_syntax(lines: list[str]) -> None:
    end = next((at for at, row in enumerate(lines) if not _DIRECTIVE.match(row)), len(lines))
    kept = [row for row in lines[:end] if "syntax" not in row.partition("=")[0].lower()]
    # The number of lines stays, and what is left of the directives stays above everything else.
    lines[:end] = kept + ["#"] * (end - len(kept))
