"""Which of BuildKit's vertexes is which step of the Dockerfile.

A vertex is named ``[stage n/total] INSTRUCTION …`` (``dockerfile2llb/convert.go``), with ENV and ARG
expanded, a platform before the stage where one was asked for, and ``stage-N`` for an unnamed stage. So
stage and number decide, not the text. Two things disturb that:

- Builds that run at the same time share equal vertexes, and one of them may see the other's stage,
  number and total (moby/buildkit#1380). The total is therefore not used at all, and a name that can't
  be ours is matched by its text.
- A base's ONBUILD adds steps after FROM that no Dockerfile shows: numbers then go beyond ours.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.stage import image_key
from pytest_dockerlab.build.trace import Step

__all__ = ["StepName", "match_steps", "step_name"]

_NAME = re.compile(
    r"\[(?:(?P<platform>[\w.]+/[^\s\]]+) )?(?:(?P<stage>[^\s\]/]+) )? *(?P<number>\d{1,9})/\d{1,9}\] (?P<text>.*)",
    re.DOTALL,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepName:
    """A vertex's name, taken apart."""

    stage: str
    number: int
    text: str

    @property
    def keyword(self) -> str:
        first, _, rest = self.text.partition(" ")
        # COPY --link has a second vertex, which puts the layers together.
        return rest.partition(" ")[0] if first == "LINK" else first


def step_name(name: str) -> StepName | None:
    """Read a vertex's name; ``None`` if it is no step's (``[internal] …``, ``exporting to image``)."""
    match = _NAME.match(name)
    return StepName(stage=match["stage"] or "", number=int(match["number"]), text=match["text"]) if match else None


def match_steps(
    dockerfile: Dockerfile, plan: Sequence[Step], names: Mapping[str, str]
) -> tuple[tuple[Step, ...], dict[str, int]]:
    """Find the step of each vertex.

    Args:
        plan: the steps that the Dockerfile shows.
        names: digest → name of each vertex.

    Returns:
        The steps (with those of ONBUILD), and digest → index in them.
    """
    labels = {stage.name or f"stage-{stage.index}": dockerfile.label(stage) for stage in dockerfile.stages}
    read = {digest: taken for digest, name in names.items() if (taken := step_name(name)) is not None}
    ours = {
        digest: (labels.get(each.stage, each.stage), each)
        for digest, each in read.items()
        if each.stage in labels or (each.stage == "" and len(dockerfile.stages) == 1)
    }
    steps = _with_triggers(plan, {(stage, each.number): each for stage, each in ours.values()})
    index = {(step.stage, step.number): at for at, step in enumerate(steps)}
    found: dict[str, int] = {}
    for digest, (stage, each) in ours.items():
        at = index.get((stage, each.number))
        if at is not None and each.keyword == steps[at].instruction:
            found[digest] = at
    strangers = [(digest, each) for digest, each in read.items() if digest not in found]
    free = _free(dockerfile, steps, set(found.values())) if strangers else {}
    for digest, each in strangers:
        if alike := free.get(_likeness(each.keyword, each.text)):
            found[digest] = alike.popleft()
    return steps, found


def _with_triggers(plan: Sequence[Step], seen: Mapping[tuple[str, int], StepName]) -> tuple[Step, ...]:
    steps: list[Step] = []
    extras: dict[str, int] = {}
    for step in plan:
        if step.stage not in extras:
            more = 0
            while (step.stage, step.total + more + 1) in seen:
                more += 1
            extras[step.stage] = more
        extra = extras[step.stage]
        if not extra:
            steps.append(step)
            continue
        total = step.total + extra
        if step.instruction == "FROM":
            steps.append(replace(step, total=total))
        else:
            steps.append(replace(step, number=step.number + extra, total=total))
        first = 2 if step.instruction == "FROM" else 1
        if step.number == 1:
            triggers = []
            for number in range(first, first + extra):
                name = seen.get((step.stage, number))
                text, keyword = (name.text, name.keyword) if name else ("ONBUILD", "ONBUILD")
                triggers.append(replace(step, number=number, total=total, instruction=keyword, text=text))
            at = len(steps) if first == 2 else len(steps) - 1
            steps[at:at] = triggers
    return tuple(steps)


def _likeness(keyword: str, text: str, base: str = "") -> tuple[str, ...]:
    """What equal steps have in common, whichever way they are told: the words, of FROM the image."""
    parts = text.split()
    if keyword != "FROM":
        return (keyword, *parts)
    return (keyword, image_key(base or (parts[1].partition("@")[0] if len(parts) > 1 else "")))


def _free(dockerfile: Dockerfile, steps: Sequence[Step], taken: AbstractSet[int]) -> dict[tuple[str, ...], deque[int]]:
    """The steps that no vertex belongs to yet, by what they say, first ones first."""
    bases = {stage.line: stage.base for stage in dockerfile.stages}
    free: dict[tuple[str, ...], deque[int]] = {}
    for at, step in enumerate(steps):
        if at not in taken:
            key = _likeness(
                step.instruction, step.text, bases.get(step.line or 0, "") if step.instruction == "FROM" else ""
            )
            free.setdefault(key, deque()).append(at)
    return free
