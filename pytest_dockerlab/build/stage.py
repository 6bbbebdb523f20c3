"""A stage of a Dockerfile: FROM and what belongs to it, and how stages are referred to."""

from __future__ import annotations

import csv
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_dockerlab.build.lexer import Instruction
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.reference import Reference

__all__ = ["BaseUse", "Stage", "StageNames", "image_key", "same_image"]

_MOST_DIGITS = 10
_STEPS = ("RUN", "COPY", "ADD", "WORKDIR")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One FROM and what belongs to it.

    Attributes:
        index: 0-based.
        name: after AS, in lower case as BuildKit has it; ``""`` if unnamed.
        base: image or stage after FROM, ARGs expanded by their defaults.
        written: the same as written.
        base_stage: index of the earlier stage that it starts from, ``None`` for an image.
        instructions: FROM first.
        platform: value of ``--platform`` as written, ``""`` if there is none.
    """

    index: int
    name: str
    base: str
    written: str
    base_stage: int | None
    instructions: tuple[Instruction, ...]
    platform: str = ""

    @property
    def line(self) -> int:
        return self.instructions[0].line

    @property
    def steps(self) -> tuple[Instruction, ...]:
        """The instructions that BuildKit counts."""
        return tuple(
            each
            for each in self.instructions
            if each.keyword in _STEPS or (each.keyword == "FROM" and self.base_stage is None and self.base != "scratch")
        )

    @property
    def sources(self) -> Iterator[tuple[Instruction, str]]:
        """What ``COPY --from`` and ``RUN --mount=…,from=`` name, with their instruction."""
        for each in self.instructions:
            if each.keyword in ("COPY", "ADD") and each.flag("from"):
                yield each, each.flag("from")
            for key, value in each.flags:
                if each.keyword == "RUN" and key == "mount":
                    options = dict(part.partition("=")[::2] for part in _fields(value))
                    if options.get("from"):
                        yield each, options["from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUse:
    """An image from outside that a build needs: its name (ARGs expanded), the line, ``--platform`` as written."""

    name: str
    line: int
    platform: str = ""


class StageNames:
    """Finds the stage that a name or a number means, in a Dockerfile of any length."""

    def __init__(self, stages: Iterable[Stage] = ()) -> None:
        self._by_name: dict[str, list[int]] = {}
        self._count = 0
        for stage in stages:
            self.add(stage.name)

    def add(self, name: str) -> None:
        """The next stage has this name, ``""`` for none."""
        if name:
            self._by_name.setdefault(name, []).append(self._count)
        self._count += 1

    def find(self, name: str, before: int) -> int | None:
        """The index of the last stage before ``before`` that is meant."""
        named = self._by_name.get(name.lower(), ())
        if at := bisect_left(named, before):
            return named[at - 1]
        if name.isascii() and name.isdecimal() and len(name) < _MOST_DIGITS and int(name) < min(before, self._count):
            return int(name)
        return None


def _fields(value: str) -> list[str]:
    """A ``--mount``, which is a line of CSV: a quoted field may have commas in it."""
    try:
        return next(csv.reader([value]), [])
    except csv.Error:
        return value.split(",")


def image_key(name: str) -> str:
    """The same text for names that mean the same image (``python`` is ``docker.io/library/python:latest``)."""
    try:
        return str(Reference.parse(name))
    except UsageError:
        return name


def same_image(one: str, other: str) -> bool:
    """Whether two image names mean the same."""
    return image_key(one) == image_key(other)
