"""Which steps were reused, on hand-made traces."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.checks.cache import all_reused, first_rebuilt, rebuilt, reused
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked

TEXTS = ("FROM python:3.10", "RUN apt-get install curl", "COPY app /app", "RUN make")


def trace(cached: str, *, stage: str = "") -> BuildTrace:
    """A build of these four steps; ``cached`` has one letter for each: c or r."""
    steps = tuple(
        Step(
            number=n,
            total=len(TEXTS),
            instruction=text.split()[0],
            text=text,
            cached=letter == "c",
            stage=stage,
            line=n + 10,
        )
        for n, (text, letter) in enumerate(zip(TEXTS, cached, strict=True), 1)
    )
    return BuildTrace(builder="buildkit", steps=steps, image_id="sha256:1")


def said(checked: Checked[Any]) -> str:
    assert len(checked.findings) == 1
    return str(checked.findings[0])


def test_the_evidence_is_the_step() -> None:
    """Reused or rebuilt, it comes back with its text."""
    step = reused(trace("rccr"), 2).evidence
    assert step is not None
    assert step.text == TEXTS[1]
    assert rebuilt(trace("rccr"), 4).ok


def test_a_rebuilt_step_says_which_one_changed_first() -> None:
    """The fault is often further up: it is named, and the whole build shown."""
    text = said(reused(trace("crrr"), 3))
    assert text.startswith("step 3 was rebuilt: [3/4] COPY app /app\n  where:    Dockerfile:13\n")
    assert "as is everything from step 2 on" in text
    assert "look at step 2 (RUN apt-get install curl): it is the first that changed" in text
    assert "rebuilt [4/4] RUN make" in text
    assert "-       [1/4] FROM python:3.10" in text


def test_a_reused_step_is_a_finding_where_it_should_be_rebuilt() -> None:
    """With a way to a fresh cache."""
    text = said(rebuilt(trace("rccc"), 3))
    assert text.startswith("step 3 was reused: [3/4] COPY app /app")
    assert "fresh=lab.fresh_cache()" in text


@pytest.mark.parametrize("check", [reused, rebuilt, first_rebuilt])
def test_from_is_never_judged(check: object) -> None:
    """Builders show it as cached or not by chance."""
    with pytest.raises(UsageError, match="step 1 is not judged: step 1 is FROM"):
        check(trace("cccc"), 1)  # type: ignore[operator]


@pytest.mark.parametrize("check", [reused, rebuilt, first_rebuilt])
def test_a_step_that_is_not_there_is_a_finding(check: object) -> None:
    """The Dockerfile is at fault, not the caller: it has fewer steps."""
    text = said(check(trace("cccr"), 5))  # type: ignore[operator]
    assert "the build has no step 5" in text
    assert "[4/4] RUN make" in text


def test_failed_builds_are_not_judged() -> None:
    """Steps that never ran may show as cached in them."""
    failed = replace(trace("rrcc"), error="exit code: 1")
    for check in (lambda: reused(failed, 2), lambda: first_rebuilt(failed, 2), lambda: all_reused(failed)):
        with pytest.raises(UsageError, match="a failed build is not judged: exit code: 1"):
            check()


def test_an_unknown_stage_is_refused_by_name() -> None:
    """With the stages that there are."""
    with pytest.raises(UsageError, match="no stage 'nope'\n  → stages: 'build'"):
        reused(trace("cccc", stage="build"), 2, stage="nope")
    assert reused(trace("rccc", stage="build"), 2, stage="build").ok


def test_the_first_rebuilt_step_parts_the_build_in_two() -> None:
    """Everything before is reused, it and everything after is rebuilt; FROM counts on neither side."""
    assert [step.number for step in first_rebuilt(trace("rcrr"), 3).evidence] == [3, 4]
    assert first_rebuilt(trace("crrr"), 2).ok


@pytest.mark.parametrize(
    ("cached", "what"),
    [
        ("crrr", "the first rebuilt step is 2, not 3"),
        ("cccr", "the first rebuilt step is 4, not 3"),
        ("cccc", "no step was rebuilt"),
        ("ccrc", "step 3 and what follows were not all rebuilt"),
    ],
)
def test_another_first_rebuilt_step_is_named(cached: str, what: str) -> None:
    """In each of the four ways in which it can be wrong."""
    assert said(first_rebuilt(trace(cached), 3)).startswith(what)


def test_all_steps_but_from_have_to_be_reused() -> None:
    """The first that was not is named."""
    assert len(all_reused(trace("rccc")).evidence) == 3
    text = said(all_reused(trace("ccrr")))
    assert text.startswith("2 steps of 3 were rebuilt")
    assert "look at step 3 (COPY app /app)" in text


def test_a_build_of_from_alone_reused_nothing() -> None:
    """A claim about no step is not true by default."""
    bare = BuildTrace(builder="buildkit", steps=trace("cccc").steps[:1])
    assert "no step 2" in said(all_reused(bare))
