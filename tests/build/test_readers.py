"""Three builders' recorded streams, one trace.

The streams in ``data/`` were recorded from Docker Engine 20.10.24 (BuildKit, classic builder), docker
buildx 0.13.1 and Podman 4.3.1, each building the Dockerfile of the same name beside them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import pytest

from pytest_dockerlab.build.buildkit import BuildkitReader
from pytest_dockerlab.build.classic import ClassicReader
from pytest_dockerlab.build.dockerfile import Dockerfile, parse
from pytest_dockerlab.build.podman import PodmanReader
from pytest_dockerlab.build.solve import RawjsonLines, SolveStatus, Vertex, VertexLog
from pytest_dockerlab.build.trace import BuildTrace

DATA = Path(__file__).parent / "data"


class Reader(Protocol):
    error: str
    image_id: str

    @property
    def failed_source(self) -> str: ...
    def feed(self, message: Mapping[str, object]) -> tuple[str, ...]: ...
    def trace(self, seconds: float = 0.0) -> BuildTrace: ...


READERS: dict[str, Callable[[Dockerfile], Reader]] = {
    "buildkit": BuildkitReader,
    "classic": ClassicReader,
    "podman": PodmanReader,
}
TEXT_READERS = ["classic", "podman"]


def dockerfile(name: str) -> Dockerfile:
    return parse((DATA / f"{name}.Dockerfile").read_text())


def replayed(builder: str, name: str, source: str = "") -> tuple[Reader, list[str]]:
    reader = READERS[builder](dockerfile(source or name))
    lines = (DATA / f"{builder}-{name}.jsonl").read_text().splitlines()
    return reader, [row for line in lines for row in reader.feed(json.loads(line))]


def streamed(reader: Reader, *texts: str) -> BuildTrace:
    for text in texts:
        reader.feed({"stream": text})
    return reader.trace()


def vertex(digest: str, name: str, **facts: Any) -> Vertex:
    return Vertex(digest=digest, name=name, **facts)


def traced(reader: BuildkitReader, *vertexes: Vertex) -> list[str]:
    return [row for each in vertexes for row in reader.update(SolveStatus(vertexes=(each,)))]


@pytest.mark.parametrize("builder", READERS)
def test_each_builder_gives_the_same_steps(builder: str) -> None:
    """Stage, number, text and line are the Dockerfile's, whichever builder ran it; output belongs to its step."""
    reader, _ = replayed(builder, "multi")
    trace = reader.trace()
    assert [(step.stage, step.number, step.total, step.text, step.line) for step in trace.steps] == [
        ("first", 1, 4, "FROM ${BASE} AS first", 2),
        ("first", 2, 4, 'RUN echo "hi $WHO" && echo two', 5),
        ("first", 3, 4, "WORKDIR /w", 7),
        ("first", 4, 4, "COPY a.txt .", 8),
        ("1", 1, 3, "FROM alpine", 9),
        ("1", 2, 3, "COPY --from=first /w/a.txt /b.txt", 10),
        ("1", 3, 3, "RUN cat /b.txt; echo oops >&2", 11),
    ]
    assert not any(step.cached for step in trace.work)
    assert trace.step(2, stage="first").log == "hi world\ntwo\n"
    assert trace.step(3).log == "hello\noops\n"
    assert trace.image_id.startswith("sha256:")
    assert len(trace.image_id) == 71
    assert (trace.error, trace.failed_step, trace.warnings) == ("", None, ())
    assert trace.builder == builder


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
def test_a_second_build_is_all_from_the_cache(builder: str) -> None:
    """And says so in its progress, one line a step."""
    reader, progress = replayed(builder, "again", "multi")
    assert all(step.cached for step in reader.trace().work)
    assert "[first 3/4] WORKDIR /w: cached" in progress


def test_podman_tells_cached_steps_from_others() -> None:
    """The recording has a stage that was built anew and one that was not."""
    reader, _ = replayed("podman", "again", "multi")
    assert [(step.stage, step.number) for step in reader.trace().work if step.cached] == [("1", 2), ("1", 3)]


@pytest.mark.parametrize("builder", READERS)
def test_a_failed_run_has_its_exit_code_and_log(builder: str) -> None:
    """The step that failed is known, what came after it is not reported as done."""
    reader, progress = replayed(builder, "fail")
    trace = reader.trace()
    step = trace.failed_step
    assert step is not None
    assert (step.number, step.exit_code, step.line) == (2, 3, 2)
    assert sorted(step.log.split()) == ["bad", "start"]
    assert trace.image_id == ""
    assert trace.error
    assert progress[-1] == "[2/3] RUN echo start; echo bad >&2; exit 3: failed"


@pytest.mark.parametrize("builder", READERS)
def test_a_missing_source_fails_its_copy_and_nothing_counts_as_cached(builder: str) -> None:
    """BuildKit's recording shows RUN as cached though it never ran: a failed build is not judged."""
    trace = replayed(builder, "nosrc")[0].trace()
    step = trace.failed_step
    assert step is not None
    assert (step.number, step.instruction, step.exit_code) == (3, "COPY", None)
    assert "nope.txt" in step.error
    assert not any(each.cached for each in trace.steps)


@pytest.mark.parametrize("builder", TEXT_READERS)
def test_a_missing_base_is_named(builder: str) -> None:
    """FROM failed, and the image is known."""
    assert replayed(builder, "nobase")[0].failed_source == "dockerlab-no-such-base:1"


def test_buildkit_names_a_missing_base() -> None:
    """By its own vertex that looks the image up."""
    reader = BuildkitReader(parse("FROM nope\nRUN x"))
    traced(reader, vertex("d", "[internal] load metadata for docker.io/library/nope:latest", error="no such host"))
    assert reader.failed_source == "docker.io/library/nope:latest"


@pytest.mark.parametrize("builder", TEXT_READERS)
def test_output_that_looks_like_the_builder_is_only_output(builder: str) -> None:
    """A recorded RUN that prints the builder's own messages changes nothing but its log."""
    trace = replayed(builder, "spoof")[0].trace()
    assert [step.cached for step in trace.work] == [False, False, False]
    assert "Using cache" in trace.step(2).log
    assert trace.step(3).log == "honest\n"


def test_classic_output_that_names_another_container_ends_nothing() -> None:
    """Until its own container is gone, all that comes is the step's log."""
    lie = "Removing intermediate container ffffffffffff\n"
    trace = streamed(
        ClassicReader(parse("FROM a\nRUN liar\nRUN honest")),
        *("Step 1/3 : FROM a", " ---> 111111111111\n", "Step 2/3 : RUN liar", " ---> Running in aaaaaaaaaaaa\n"),
        *(lie, "Step 3/3 : RUN honest", " ---> Using cache\n"),
    )
    assert trace.step(2).log == f"{lie}Step 3/3 : RUN honest ---> Using cache\n"
    assert not trace.step(3).reported


@pytest.mark.parametrize("reader", [ClassicReader, PodmanReader])
def test_nothing_counts_as_cached_in_a_failed_build(reader: type[ClassicReader] | type[PodmanReader]) -> None:
    """Whichever builder it was: a failed build is not judged."""
    made = reader(parse("FROM a\nRUN one\nRUN two"))
    if reader is ClassicReader:
        rows = ["Step 2/3 : RUN one", " ---> Using cache\n", " ---> 222222222222\n", "Step 3/3 : RUN two"]
    else:
        rows = ["STEP 2/3: RUN one\n", f"--> Using cache {'a' * 64}\n", f"--> {'a' * 11}\n", "STEP 3/3: RUN two\n"]
    assert streamed(made, *rows).step(2).cached
    made.feed({"errorDetail": {"message": "boom"}})
    assert not made.trace().step(2).cached


def test_classic_output_that_ends_its_own_container_is_given_away() -> None:
    """It knows its container's id, and fakes a cached next step: the real header comes too, so it isn't believed."""
    box, fake = "a" * 12, "f" * 12
    trace = streamed(
        ClassicReader(parse("FROM a\nRUN liar\nRUN honest")),
        *("Step 1/3 : FROM a", "\n", " ---> 111111111111\n"),
        *("Step 2/3 : RUN liar", "\n", f" ---> Running in {box}\n"),
        *(f"Removing intermediate container {box}\n", f" ---> {fake}\n"),
        *("Step 3/3 : RUN honest", "\n", " ---> Using cache\n", f" ---> {fake}\n"),
        *(f"Removing intermediate container {box}\n", " ---> 222222222222\n"),
        *("Step 3/3 : RUN honest", "\n", " ---> Using cache\n", " ---> 333333333333\n"),
    )
    assert not trace.step(3).cached
    assert trace.warnings == ("a step's output imitates the builder's messages of [3/3] RUN honest: not believed",)


@pytest.mark.parametrize(
    "output",
    [
        [f"--> Using cache {'f' * 64}\n"],
        [f"--> Using cache {'f' * 64}\n", f"--> {'f' * 11}\n"],
        [f"--> {'f' * 11}\n", "STEP 3/3: RUN honest\n", f"--> Using cache {'f' * 64}\n", f"--> {'f' * 11}\n"],
    ],
)
def test_podman_output_that_claims_to_be_cached_is_not_believed(output: list[str]) -> None:
    """A process can't know the id of the image that it is about to become."""
    trace = streamed(
        PodmanReader(parse("FROM a\nRUN liar\nRUN honest")),
        "STEP 1/3: FROM a\n",
        "STEP 2/3: RUN liar\n",
        *output,
        "--> 22222222222\n",
        "STEP 3/3: RUN honest\n",
        "ok\n",
        "--> 33333333333\n",
    )
    assert [step.cached for step in trace.work] == [False, False]


def test_a_failing_run_that_prints_a_from_header_stays_a_failing_run() -> None:
    """An exit code belongs to a RUN: the failure can't be passed off as a missing base image."""
    reader = ClassicReader(parse("FROM a\nRUN liar"))
    box = "a" * 12
    streamed(reader, "Step 1/2 : FROM a", " ---> 111111111111\n", "Step 2/2 : RUN liar", f" ---> Running in {box}\n")
    streamed(reader, f"Removing intermediate container {box}\n", "Step 1/2 : FROM a")
    reader.feed({"errorDetail": {"code": 3, "message": "returned a non-zero code: 3"}})
    step = reader.trace().failed_step
    assert step is not None
    assert (step.number, step.exit_code, reader.failed_source) == (2, 3, "")


@pytest.mark.parametrize("reader", [ClassicReader, PodmanReader])
def test_instructions_that_we_put_in_shift_nothing(reader: type[ClassicReader] | type[PodmanReader]) -> None:
    """The label of a fresh cache counts for the builder, not for us."""
    file = parse("ARG A\nFROM a AS x\nRUN one\nFROM x\nRUN two")
    made = reader(file, added={2, 5})
    if reader is ClassicReader:
        rows = ["Step 1/7 : ARG A", "Step 2/7 : FROM a AS x", "Step 3/7 : LABEL f=1", "Step 4/7 : RUN one"]
        rows += ["Step 5/7 : FROM x", "Step 6/7 : LABEL f=1", "Step 7/7 : RUN two", " ---> Using cache\n"]
    else:
        rows = ["[1/2] STEP 1/3: FROM a AS x\n", "[1/2] STEP 2/3: LABEL f=1\n", "[1/2] STEP 3/3: RUN one\n"]
        rows += ["[2/2] STEP 1/3: FROM x\n", "[2/2] STEP 2/3: LABEL f=1\n", "[2/2] STEP 3/3: RUN two\n"]
        rows += [f"--> Using cache {'a' * 64}\n", f"--> {'a' * 11}\n"]
    trace = streamed(made, *rows)
    assert [(step.text, step.reported, step.cached) for step in trace.work] == [
        ("RUN one", True, False),
        ("RUN two", True, True),
    ]


def test_the_time_of_a_text_builders_step_is_between_its_messages() -> None:
    """They send no times, so a clock of ours measures."""
    times = iter([10.0, 10.5, 20.0, 24.25])
    reader = ClassicReader(parse("FROM a\nRUN b"), clock=lambda: next(times))
    trace = streamed(reader, "Step 1/2 : FROM a", " ---> 111111111111\n", "Step 2/2 : RUN b", " ---> 222222222222\n")
    assert [step.seconds for step in trace.steps] == [0.5, 4.25]


def test_the_last_event_of_a_step_counts() -> None:
    """BuildKit looks a step up first (which starts and completes it), then runs it."""
    reader = BuildkitReader(parse("FROM a\nRUN b"))
    progress = traced(
        reader,
        vertex("1", "[2/2] RUN b"),
        vertex("1", "[2/2] RUN b", started=100),
        vertex("1", "[2/2] RUN b", started=100, completed=100, cached=True),
        vertex("1", "[2/2] RUN b", started=101),
        vertex("1", "[2/2] RUN b", started=101, completed=105),
    )
    step = reader.trace().step(2)
    assert (step.cached, step.seconds) == (False, 4.0)
    assert progress[0] == "[2/2] RUN b"
    assert progress[-1] == "[2/2] RUN b: 4.0 s"


@pytest.mark.parametrize(
    "name",
    ["[first 2/2] RUN echo expanded", "[linux/arm64 first 2/2] RUN x", "[linux/amd64->arm64 first  2/14] RUN x"],
)
def test_a_vertex_is_matched_by_stage_and_number(name: str) -> None:
    """Not by its text (variables are expanded in it), its platform or its total."""
    reader = BuildkitReader(parse("FROM a AS first\nRUN echo $X\nFROM b\nCOPY --from=first / /"))
    traced(reader, vertex("1", name, cached=True))
    assert reader.trace().step(2, stage="first").cached


def test_of_a_log_without_end_the_end_is_kept() -> None:
    """Who prints for ever fills nobody's memory."""
    reader = BuildkitReader(parse("FROM a\nRUN yes\n"))
    traced(reader, vertex("run", "[2/2] RUN yes", started=1.0))
    for number in range(80):
        text = f"{number:03}".encode() * (1 << 18)
        reader.update(SolveStatus(logs=(VertexLog(vertex="run", data=text),)))
        assert sum(map(len, reader._logs.values())) <= (32 << 20) + len(text)
    assert reader.trace().step(2).log.endswith("079")


def test_an_equal_step_of_a_build_at_the_same_time_is_still_ours() -> None:
    """It may carry the other build's stage and numbers: then its text tells."""
    reader = BuildkitReader(parse("FROM a AS mine\nRUN x  y\nFROM b\nCOPY --from=mine / /"))
    traced(
        reader,
        vertex("1", "[theirs 1/9] FROM docker.io/library/a:latest@sha256:00", started=1, completed=2),
        vertex("2", "[theirs 7/9] RUN x  y", cached=True),
    )
    trace = reader.trace()
    assert [(step.stage, step.number) for step in trace.steps if step.reported] == [("mine", 1), ("mine", 2)]
    assert trace.step(2, stage="mine").cached


def test_a_step_that_buildkit_ran_once_for_two_stages_is_in_both() -> None:
    """It reports one of the twins; the other takes over whether it was cached, and is marked as not reported."""
    reader = BuildkitReader(
        parse("FROM a AS x\nRUN same\nFROM a AS y\nRUN same\nFROM a\nCOPY --from=x / /\nCOPY --from=y / /")
    )
    traced(reader, vertex("1", "[x 2/2] RUN same", cached=True))
    twin = reader.trace().step(2, stage="y")
    assert (twin.cached, twin.reported) == (True, False)


def test_steps_that_a_base_adds_by_onbuild_are_counted() -> None:
    """Engine 20.10 names them [2/2], [3/2] …; what the Dockerfile says comes after them."""
    reader = BuildkitReader(parse("FROM a\nRUN own"))
    traced(
        reader,
        vertex("1", "[1/2] FROM docker.io/library/a"),
        vertex("2", "[2/2] RUN triggered"),
        vertex("3", "[3/2] COPY a /a"),
        vertex("4", "[4/2] RUN own", cached=True),
    )
    assert [(step.label, step.cached, step.line) for step in reader.trace().steps] == [
        ("[1/4] FROM a", False, 1),
        ("[2/4] RUN triggered", False, 1),
        ("[3/4] COPY a /a", False, 1),
        ("[4/4] RUN own", True, 2),
    ]


def test_a_step_taken_along_by_another_ones_failure_has_not_failed() -> None:
    """Only the cause carries the error."""
    reader = BuildkitReader(parse("FROM a AS x\nRUN one\nFROM a\nRUN two\nCOPY --from=x / /"))
    traced(
        reader,
        vertex("1", "[x 2/2] RUN one", started=1, completed=2, error="context canceled"),
        vertex(
            "2", "[stage-1 2/3] RUN two", started=1, completed=2, error="did not complete successfully: exit code: 9"
        ),
    )
    failed = reader.trace().failed_step
    assert failed is not None
    assert (failed.text, failed.exit_code) == ("RUN two", 9)


def test_buildx_reports_the_same() -> None:
    """A recorded rawjson of buildx 0.13, which is indented JSON with text between."""
    reader = BuildkitReader(dockerfile("multi"), builder="buildx")
    lines = RawjsonLines()
    for line in (DATA / "buildx-multi.rawjson").read_text().splitlines(keepends=True):
        status = lines.feed(line)
        if isinstance(status, SolveStatus):
            reader.update(status)
    trace = reader.trace()
    assert trace.step(2, stage="first").log == "hi world\ntwo\n"
    assert all(step.reported and not step.cached for step in trace.work)
