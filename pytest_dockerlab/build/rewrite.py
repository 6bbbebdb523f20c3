"""A Dockerfile's text changed before it is sent, with every change traceable to the line as written."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.lexer import directive_rows, goes_on, is_idle
from pytest_dockerlab.build.stage import StageNames, same_image

__all__ = ["FRESH_LABEL", "Rewritten", "rewrite"]

#: Put after each FROM where the builder's cache has no other handle (classic, Podman).
FRESH_LABEL = "org.dockerlab.fresh"

_KEYWORD = re.compile(r"\s*\S*")


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
    froms = ((at, each) for at, each in enumerate(dockerfile.instructions) if each.keyword == "FROM")
    ends = {each.end_line: at + 1 for at, each in froms} if fresh_label else {}
    if fresh_label:
        _end_last(dockerfile, lines)
    for number, row in enumerate(lines, 1):
        sent.append(row)
        origin.append(number)
        if number in ends:
            added.add(ends[number] + len(added))
            sent.append(f"LABEL {FRESH_LABEL}={fresh_label}")
            origin.append(number)
    return Rewritten(text="\n".join(sent), lines=tuple(origin), added=frozenset(added))


def _end_last(dockerfile: Dockerfile, lines: list[str]) -> None:
    """Take off the escape that a FROM at the file's end may have: what we put after it shall not go on with it."""
    for each in dockerfile.instructions[-1:]:
        rows = range(each.line - 1, each.end_line)
        end = max(at for at in rows if not is_idle(lines[at]))
        if each.keyword == "FROM" and goes_on(lines[end], dockerfile.directives.get("escape", "\\")):
            lines[end] = lines[end].rstrip()[:-1]


def _replace_base(dockerfile: Dockerfile, lines: list[str], old: str, new: str) -> None:
    names = StageNames(dockerfile.stages)
    for stage in dockerfile.stages:
        if stage.base_stage is None and same_image(stage.base, old):
            first = stage.instructions[0]
            _sub(lines, first.line, first.end_line, rf"(?<!\S){re.escape(stage.written)}(?!\S)", new)
        for each, source in stage.sources:
            if names.find(source, stage.index) is None and not source.isdigit() and same_image(source, old):
                _sub(lines, each.line, each.end_line, rf"(?<=from=){re.escape(source)}(?=[\s,]|$)", new)


def _sub(lines: list[str], first: int, last: int, pattern: str, new: str) -> None:
    for at in range(first - 1, last):
        if is_idle(lines[at]):
            continue
        # The keyword is no name, though an image may be called from.
        start = keyword.end() if at == first - 1 and (keyword := _KEYWORD.match(lines[at])) else 0
        found = re.compile(pattern).search(lines[at], start)
        if found:
            lines[at] = lines[at][: found.start()] + new + lines[at][found.end() :]
            return


def _drop_syntax(lines: list[str]) -> None:
    names = [name for name, _ in directive_rows(lines)]
    kept = [row for row, name in zip(lines, names, strict=False) if name != "syntax"]
    # The number of lines stays, what is left of the directives stays above everything else, and nothing becomes one.
    lines[: len(names)] = kept + ["#"] * (len(names) - len(kept))
