"""What a Dockerfile says: stages, bases, the steps as BuildKit numbers them, and what is wrong with it.

Numbering (BuildKit, ``dockerfile2llb/convert.go``): per stage, RUN, COPY, ADD and WORKDIR count,
and FROM too unless its base is ``scratch`` or an earlier stage. The rest is metadata.
"""

from __future__ import annotations

import difflib
import sys
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from pytest_dockerlab.build.expand import expand
from pytest_dockerlab.build.lexer import Instruction, lex, words
from pytest_dockerlab.build.stage import BaseUse, Stage, StageNames, same_image
from pytest_dockerlab.build.trace import Step
from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.findings import Finding

__all__ = ["KEYWORDS", "BaseUse", "Dockerfile", "Stage", "is_foreign", "parse", "same_image"]

KEYWORDS = (
    *("ADD", "ARG", "CMD", "COPY", "ENTRYPOINT", "ENV", "EXPOSE", "FROM", "HEALTHCHECK"),
    *("LABEL", "MAINTAINER", "ONBUILD", "RUN", "SHELL", "STOPSIGNAL", "USER", "VOLUME", "WORKDIR"),
)
_LONGEST_KEYWORD = 24
# What people write when they mean another instruction; difflib would guess wrong or nothing.
_MEANT = {
    "ENDPOINT": "ENTRYPOINT",
    "PORT": "EXPOSE",
    "PORTS": "EXPOSE",
    "PUBLISH": "EXPOSE",
    "COMMAND": "CMD",
    "IMAGE": "FROM",
    "BASE": "FROM",
    "INCLUDE": "COPY",
    "CD": "WORKDIR",
    "EXEC": "RUN",
    "ENVIRONMENT": "ENV",
    "ARGS": "ARG",
    "PIP": "RUN pip",
    "APT-GET": "RUN apt-get",
    "APK": "RUN apk",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dockerfile:
    """A parsed Dockerfile.

    Attributes:
        text: as it was read.
        path: for messages.
        directives: ``syntax``, ``escape``, ``check`` where given.
        arguments: the ARG instructions above the first FROM.
        stages: in order.
        problems: why no builder would take it; empty for one that can be built.
    """

    text: str
    path: str = "Dockerfile"
    directives: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[Instruction, ...] = ()
    stages: tuple[Stage, ...] = ()
    problems: tuple[Finding, ...] = ()

    @property
    def instructions(self) -> tuple[Instruction, ...]:
        """All of them, in order."""
        return (*self.arguments, *(each for stage in self.stages for each in stage.instructions))

    @property
    def heredocs(self) -> tuple[Instruction, ...]:
        """The instructions that have a here-document."""
        return tuple(each for each in self.instructions if each.heredocs)

    def stage(self, name: str = "") -> Stage:
        """The stage of this name or index; by default the last.

        Raises:
            UsageError: there is no such stage.
        """
        found = StageNames(self.stages).find(name, len(self.stages)) if name else len(self.stages) - 1
        if found is None or found < 0:
            have = ", ".join(stage.name or str(stage.index) for stage in self.stages) or "none"
            raise UsageError(f"{self.path} has no stage {name!r}", remedy=f"stages: {have}")
        return self.stages[found]

    def label(self, stage: Stage) -> str:
        """``Step.stage`` of its steps: the name, or the index; nothing in a Dockerfile of one stage."""
        return "" if len(self.stages) == 1 else stage.name or str(stage.index)

    def needed(self, target: str = "") -> tuple[Stage, ...]:
        """The stages that ``target`` is made of, in the Dockerfile's order.

        Raises:
            UsageError: there is no such stage.
        """
        pending, seen, names = [self.stage(target).index], set[int](), StageNames(self.stages)
        while pending:
            stage = self.stages[pending.pop()]
            if stage.index in seen:
                continue
            seen.add(stage.index)
            if stage.base_stage is not None:
                pending.append(stage.base_stage)
            for _, source in stage.sources:
                index = names.find(source, stage.index)
                if index is not None:
                    pending.append(index)
        return tuple(stage for stage in self.stages if stage.index in seen)

    def plan(self, target: str = "") -> tuple[Step, ...]:
        """The steps that a build of ``target`` has, numbered as BuildKit does, nothing known yet of how they went.

        Raises:
            UsageError: there is no such stage.
        """
        return tuple(
            Step(
                stage=self.label(stage),
                number=number,
                total=len(steps),
                instruction=each.keyword,
                text=each.text,
                line=each.line,
                reported=False,
            )
            for stage in self.needed(target)
            for steps in (stage.steps,)
            for number, each in enumerate(steps, 1)
        )

    def bases(self, target: str = "") -> tuple[BaseUse, ...]:
        """The images from outside that a build of ``target`` needs, each once per platform.

        Raises:
            UsageError: there is no such stage.
        """
        found: dict[tuple[str, str], BaseUse] = {}
        names = StageNames(self.stages)
        for stage in self.needed(target):
            uses = [(source, each.line, "") for each, source in stage.sources]
            if stage.base_stage is None:
                uses.insert(0, (stage.base, stage.line, stage.platform))
            for name, line, platform in uses:
                if name and name != "scratch" and names.find(name, stage.index) is None:
                    found.setdefault((name, platform), BaseUse(name=name, line=line, platform=platform))
        return tuple(found.values())


def parse(text: str, path: str = "Dockerfile", args: Mapping[str, str] | None = None) -> Dockerfile:
    """Read a Dockerfile. Never fails: what no builder would take is in ``problems``.

    Args:
        text: its text.
        path: for messages.
        args: build arguments, for the ARGs that a FROM uses.
    """
    lexed = lex(text)
    given = dict(args or {})
    known: dict[str, str] = {}
    above: list[Instruction] = []
    stages: list[_Begun] = []
    names = StageNames()
    problems = [
        _problem(path, line, f"the here-document {name!r} has no end", hint=f"put {name} alone on a line after it")
        for line, name in lexed.unterminated
    ]
    problems += [_problem(path, line, why) for line, why in lexed.misused]
    own_frontend = not is_foreign(lexed.directives.get("syntax", ""))
    for each in lexed.instructions:
        if each.keyword not in KEYWORDS:
            if own_frontend:
                problems.append(_unknown(path, each))
        elif not each.arguments and not each.heredocs:
            problems.append(_problem(path, each.line, f"{each.keyword} needs an argument"))
        elif each.keyword == "FROM":
            stages.append(_begin(each, names, known, path, problems))
            names.add(stages[-1].name)
        elif not stages:
            if each.keyword != "ARG":
                what = f"{each.keyword} stands before the first FROM"
                problems.append(_problem(path, each.line, what, hint="begin with FROM"))
            above.append(each)
            try:
                known.update(_declared(each, known, given))
            except FormatError as error:
                problems.append(_problem(path, each.line, error.what, hint=error.remedy))
        if stages and each.keyword != "FROM":
            stages[-1].instructions.append(each)
    if not stages:
        hint = "begin with FROM and the name of a base image"
        problems.append(_problem(path, 1, "there is no FROM in it", hint=hint))
    return Dockerfile(
        text=text,
        path=path,
        directives=lexed.directives,
        arguments=tuple(above),
        stages=tuple(
            Stage(
                index=index,
                name=each.name,
                base=each.base,
                written=each.written,
                base_stage=each.base_stage,
                instructions=tuple(each.instructions),
                platform=each.instructions[0].flag("platform"),
            )
            for index, each in enumerate(stages)
        ),
        problems=tuple(sorted(problems, key=lambda problem: int(problem.where.rpartition(":")[2]))),
    )


def is_foreign(syntax: str) -> bool:
    """Whether ``# syntax=`` names a frontend whose language may not be Docker's."""
    return bool(syntax) and not syntax.removeprefix("docker.io/").startswith(("docker/dockerfile", "dockerfile.v0"))


@dataclass(slots=True)
class _Begun:
    """A stage whose instructions are still being read."""

    name: str
    base: str
    written: str
    base_stage: int | None
    instructions: list[Instruction]


def _begin(
    each: Instruction, names: StageNames, known: Mapping[str, str], path: str, problems: list[Finding]
) -> _Begun:
    parts = words(each.arguments)
    name = parts[2].lower() if len(parts) >= 3 and parts[1].upper() == "AS" else ""
    try:
        base = expand(parts[0], known)
        if not base:
            hint = "give its ARG a default, or pass the build argument"
            problems.append(_problem(path, each.line, f"{each.text}: the base's name is empty", hint=hint))
    except FormatError as error:
        base = parts[0]
        problems.append(_problem(path, each.line, error.what, hint=error.remedy))
    return _Begun(
        name=name,
        base=base,
        written=parts[0],
        # A number means an image here; only COPY --from counts stages.
        base_stage=names.find(base, sys.maxsize) if not base.isdigit() else None,
        instructions=[each],
    )


def _declared(each: Instruction, known: dict[str, str], given: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    both = ChainMap(found, known)
    for word in words(each.arguments):
        name, has_default, default = word.partition("=")
        value = given.get(name, expand(default, both) if has_default else None)
        if value is not None:
            found[name] = value
    return found


@lru_cache(maxsize=1024)
def _close(keyword: str) -> str:
    return next(iter(difflib.get_close_matches(keyword, KEYWORDS, 1, 0.6)), "")


def _unknown(path: str, each: Instruction) -> Finding:
    meant = _MEANT.get(each.keyword) or _close(each.keyword[:_LONGEST_KEYWORD])
    hint = f"did you mean {meant}?" if meant else "is a \\ missing at the end of the line above?"
    return _problem(path, each.line, f"{words(each.text)[0]} is no Dockerfile instruction", hint=hint)


def _problem(path: str, line: int, what: str, *, hint: str = "") -> Finding:
    return Finding(what=what, where=f"{path}:{line}", hint=hint)
