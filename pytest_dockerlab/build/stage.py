"""A stage of a Dockerfile: FROM and what belongs to it, and how stages are referred to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_dockerlab.build.lexer import Instruction
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.reference import Reference

__all__ = ["BaseUse", "Stage", "find_stage", "same_image"]

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
                    options = dict(part.partition("=")[::2] for part in value.split(","))
                    if options.get("from"):
                        yield each, options["from"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseUse:
    """An image from outside that a build needs: its name (ARGs expanded), the line, ``--platform`` as written."""

    name: str
    line: int
    platform: str = ""


def find_stage(stages: tuple[Stage, ...], name: str, before: int) -> int | None:
    """The index of the last stage before ``before`` that ``name`` (or a number) means."""
    for stage in reversed(stages[:before]):
        if stage.name and stage.name == name.lower():
            return stage.index
    if name.isascii() and name.isdigit() and int(name) < before and int(name) < len(stages):
        return int(name)
    return None


def same_image(one: str, other: str) -> bool:
    """Whether two image names mean the same (``python`` is ``docker.io/library/python:latest``)."""
    try:
        return Reference.parse(one) == Reference.parse(other)
    except UsageError:
        return one == other
