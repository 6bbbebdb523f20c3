"""Assertions about what a build took from the cache."""

from __future__ import annotations

from pytest_dockerlab.assertions.things import HasTrace, demanded, trace_of
from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.checks import cache as check
from pytest_dockerlab.findings import demand

__all__ = ["assert_all_reused", "assert_first_rebuilt", "assert_rebuilt", "assert_reused"]


def assert_reused(build: BuildTrace | HasTrace, step: int, *, stage: str | None = None) -> Step:
    """The step was taken from the cache. Returns it.

    Steps count as BuildKit shows them, on every builder: FROM (which is 1, and never
    judged), RUN, COPY, ADD and WORKDIR.

    Args:
        stage: name of the stage, or its index as text; ``None`` is the last one.

    Raises:
        CheckFailed: it was rebuilt, or there is no such step.
        UsageError: the build failed, or the step is FROM.
    """
    return demanded(check.reused(trace_of(build), step, stage=stage))


def assert_rebuilt(build: BuildTrace | HasTrace, step: int, *, stage: str | None = None) -> Step:
    """The step was carried out, not taken from the cache. Returns it.

    Raises:
        CheckFailed: it was reused, or there is no such step.
        UsageError: the build failed, or the step is FROM.
    """
    return demanded(check.rebuilt(trace_of(build), step, stage=stage))


def assert_first_rebuilt(build: BuildTrace | HasTrace, step: int, *, stage: str | None = None) -> tuple[Step, ...]:
    """All steps before this one were reused; it and all after it were rebuilt. Returns the rebuilt steps.

    Raises:
        CheckFailed: another step is the first, or there is no such step.
        UsageError: the build failed, or the step is FROM.
    """
    return demand(check.first_rebuilt(trace_of(build), step, stage=stage))


def assert_all_reused(build: BuildTrace | HasTrace, *, stage: str | None = None) -> tuple[Step, ...]:
    """Every step was taken from the cache. Returns the steps.

    Args:
        stage: look at this stage only; ``None`` is all of them.

    Raises:
        CheckFailed: a step was rebuilt, or there are no steps beside FROM.
        UsageError: the build failed.
    """
    return demand(check.all_reused(trace_of(build), stage=stage))
