"""Which steps of a build were taken from the cache.

FROM is never judged: a base image is resolved anew by each build, and builders show
it as cached or not by chance (buildkit#4535). Failed builds are not judged: steps
that never ran may show as cached in them (buildx#2387).
"""

from __future__ import annotations

from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.checks.words import clip, expect_count, plural
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked, Finding

__all__ = ["all_reused", "first_rebuilt", "rebuilt", "reused"]

_CHANGED = (
    "a step is rebuilt when its text, a file it copies, a build argument it can see or any step before it changed"
)


def _judged(trace: BuildTrace, stage: str | None) -> tuple[Step, ...]:
    """The steps of a stage (by default the last) that can be judged."""
    if trace.error or trace.failed_step:
        raise UsageError(
            f"a failed build is not judged: {clip(trace.error or (trace.failed_step or trace.steps[-1]).error)}",
            remedy="make the build succeed first; steps that never ran may show as cached",
        )
    stages = list(dict.fromkeys(step.stage for step in trace.steps))
    wanted = stage if stage is not None else (stages[-1] if stages else "")
    if stage is not None and stage not in stages:
        raise UsageError(
            f"the build has no stage {stage!r}", remedy=f"stages: {', '.join(map(repr, stages)) or 'none'}"
        )
    return tuple(step for step in trace.work if step.stage == wanted)


def _not_from(number: int) -> int:
    if expect_count(number, "steps") < 2:
        raise UsageError(
            f"step {number} is not judged: step 1 is FROM, which shows as cached or not by chance",
            remedy="steps count FROM, RUN, COPY, ADD and WORKDIR; ask about step 2 or a later one",
        )
    return number


def _shown(trace: BuildTrace) -> str:
    """The whole build, one step a line, each with what became of it."""
    rows = []
    for step in trace.steps:
        mark = "-" if step.instruction == "FROM" else ("reused" if step.cached else "rebuilt")
        rows.append(f"{mark:<7} {clip(step.label, 90)}")
    return "\n".join(rows) or "no steps"


def _where(step: Step) -> str:
    return f"Dockerfile:{step.line}" if step.line else ""


def _missing(trace: BuildTrace, number: int) -> Finding:
    return Finding(
        what=f"the build has no step {number}",
        expected=f"at least {number} steps",
        found=_shown(trace),
        why="only FROM, RUN, COPY, ADD and WORKDIR are steps; ENV, LABEL, CMD and the like are not",
        hint="compare the Dockerfile with the steps above",
    )


def _not_reused(trace: BuildTrace, steps: tuple[Step, ...], step: Step) -> Finding:
    first = next(other for other in steps if not other.cached)
    found = f"it was rebuilt\n{_shown(trace)}"
    hint = "build the earlier version first, in the same test: a cache that is new, or was pruned, has nothing to reuse"
    if first.number < step.number:
        found = f"it was rebuilt, as is everything from step {first.number} on\n{_shown(trace)}"
        hint = f"look at step {first.number} ({clip(first.text, 60)}): it is the first that changed"
    return Finding(
        what=f"step {step.number} was rebuilt: {clip(step.label)}",
        where=_where(step),
        expected="reused from the cache",
        found=found,
        why=_CHANGED,
        hint=hint,
    )


def _not_rebuilt(trace: BuildTrace, step: Step) -> Finding:
    return Finding(
        what=f"step {step.number} was reused: {clip(step.label)}",
        where=_where(step),
        expected="rebuilt",
        found=f"taken from the cache\n{_shown(trace)}",
        why=_CHANGED,
        hint="an earlier build with these very inputs filled the cache: ask for a fresh one (fresh=lab.fresh_cache()), "
        "or check that the edit reached this step",
    )


def reused(trace: BuildTrace, step: int, *, stage: str | None = None) -> Checked[Step | None]:
    """The step was taken from the cache. Evidence: it."""
    number = _not_from(step)
    steps = _judged(trace, stage)
    found = next((one for one in steps if one.number == number), None)
    if found is None:
        return Checked(evidence=None, findings=(_missing(trace, number),))
    return Checked(evidence=found, findings=() if found.cached else (_not_reused(trace, steps, found),))


def rebuilt(trace: BuildTrace, step: int, *, stage: str | None = None) -> Checked[Step | None]:
    """The step was carried out, not taken from the cache. Evidence: it."""
    number = _not_from(step)
    steps = _judged(trace, stage)
    found = next((one for one in steps if one.number == number), None)
    if found is None:
        return Checked(evidence=None, findings=(_missing(trace, number),))
    return Checked(evidence=found, findings=(_not_rebuilt(trace, found),) if found.cached else ())


def first_rebuilt(trace: BuildTrace, step: int, *, stage: str | None = None) -> Checked[tuple[Step, ...]]:
    """The steps before it were reused, it and all after it were rebuilt. Evidence: the rebuilt steps."""
    number = _not_from(step)
    steps = _judged(trace, stage)
    anew = tuple(one for one in steps if not one.cached)
    if not any(one.number == number for one in steps):
        return Checked(evidence=anew, findings=(_missing(trace, number),))
    wrong = [one for one in steps if one.cached != (one.number < number)]
    if not wrong:
        return Checked(evidence=anew)
    first = anew[0] if anew else None
    finding = Finding(
        what=f"the first rebuilt step is {first.number}, not {number}"
        if first and first.number != number
        else f"step {number} and what follows were not all rebuilt"
        if first
        else "no step was rebuilt",
        where=_where(wrong[0]),
        expected=f"steps before {number} reused, {number} and all after it rebuilt",
        found=_shown(trace),
        why=_CHANGED,
        hint=_first_hint(first, number, wrong[0]),
    )
    return Checked(evidence=anew, findings=(finding,))


def _first_hint(first: Step | None, number: int, wrong: Step) -> str:
    if first is not None and first.number < number:
        return (
            f"look at what changed in step {first.number} ({clip(first.text, 60)}); put what changes often further down"
        )
    return (
        f"step {wrong.number} was in the cache already, from an earlier build with the same inputs: "
        "ask for a fresh one (fresh=lab.fresh_cache())"
    )


def all_reused(trace: BuildTrace, *, stage: str | None = None) -> Checked[tuple[Step, ...]]:
    """Every step was taken from the cache, in ``stage`` or (by default) in all of them. Evidence: the steps."""
    steps = _judged(trace, stage) if stage is not None else (_judged(trace, None) and trace.work)
    anew = [one for one in steps if not one.cached]
    if not steps:
        return Checked(evidence=(), findings=(_missing(trace, 2),))
    if not anew:
        return Checked(evidence=steps)
    finding = Finding(
        what=f"{plural(len(anew), 'step')} of {len(steps)} {'was' if len(anew) == 1 else 'were'} rebuilt",
        where=_where(anew[0]),
        expected="every step reused from the cache",
        found=_shown(trace),
        why=_CHANGED,
        hint=f"look at step {anew[0].number} ({clip(anew[0].text, 60)}): it is the first that changed",
    )
    return Checked(evidence=steps, findings=(finding,))
