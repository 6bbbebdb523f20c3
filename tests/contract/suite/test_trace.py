"""The trace of a build: the same steps with the same numbers, whichever builder ran them."""

from __future__ import annotations

import pytest

from pytest_dockerlab import BuildFailed, Lab
from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.build.trace import BuildTrace

pytestmark = pytest.mark.proves("trace")


def test_steps_are_numbered_as_buildkit_numbers_them(lab: Lab, builder: BuilderName, tmp_path: object) -> None:
    """FROM, RUN, COPY and WORKDIR count as steps, ENV, LABEL and CMD do not."""
    build = lab.build(
        'FROM alpine\nENV A=1\nRUN echo one\nLABEL b=2\nWORKDIR /work\nRUN echo two\nCMD ["sh"]\n', builder=builder
    )
    assert [(step.number, step.total, step.instruction, step.line) for step in build.steps] == [
        (1, 4, "FROM", 1),
        (2, 4, "RUN", 3),
        (3, 4, "WORKDIR", 5),
        (4, 4, "RUN", 6),
    ]


def test_each_step_has_what_it_printed(lab: Lab, builder: BuilderName) -> None:
    """A step's log is what its own RUN printed, on both streams, every letter of it."""
    text = "FROM alpine\nRUN echo first; echo änder-ung ✓ >&2\nRUN printf 'a\\nb\\n'\n"
    build = lab.build(text, no_cache=True, builder=builder)
    assert sorted(build.step(2).log.split()) == ["first", "änder-ung", "✓"]
    assert build.step(3).log == "a\nb\n"


def test_what_a_run_prints_is_not_taken_for_the_builders_word(lab: Lab, builder: BuilderName) -> None:
    """A RUN that prints what a builder would say of a cached step does not make one."""
    lies = "echo ' ---> Using cache'; echo '--> Using cache 1234'; echo '#5 CACHED'; echo 'STEP 9/9: RUN true'"
    build = lab.build(f"FROM alpine\nRUN {lies}\nRUN echo done\n", no_cache=True, builder=builder)
    assert [step.cached for step in build.trace.work] == [False, False]
    assert "#5 CACHED" in build.step(2).log


def test_stages_are_told_apart(lab: Lab, builder: BuilderName) -> None:
    """Steps of several stages carry their stage's name, or its number."""
    text = (
        "FROM alpine AS tools\nRUN echo tool > /tool\n"
        "FROM alpine\nRUN echo main > /main\nCOPY --from=tools /tool /tool\n"
    )
    build = lab.build(text, no_cache=True, builder=builder)
    assert build.step(2, stage="tools").text == "RUN echo tool > /tool"
    assert [step.instruction for step in build.steps if step.stage == build.steps[-1].stage] == ["FROM", "RUN", "COPY"]


def test_a_failed_build_shows_how_far_it_came(lab: Lab, builder: BuilderName) -> None:
    """Of a failed build the step that failed is known, and what ran before it."""
    with pytest.raises(BuildFailed) as caught:
        lab.build(
            "FROM alpine\nRUN echo fine\nRUN echo broken; false\nRUN echo never\n", no_cache=True, builder=builder
        )
    trace = caught.value.trace
    assert isinstance(trace, BuildTrace)
    assert trace.failed_step is not None
    assert trace.failed_step.number == 3
    assert trace.step(2).log == "fine\n"
    assert (trace.step(4).log, trace.step(4).cached) == ("", False)
