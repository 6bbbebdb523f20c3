"""What engines send, in pieces of any size and of any content: traces, logs, answers in JSON."""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_dockerlab.build.buildkit import BuildkitReader
from pytest_dockerlab.build.classic import ClassicReader
from pytest_dockerlab.build.dockerfile import parse
from pytest_dockerlab.build.podman import PodmanReader
from pytest_dockerlab.build.solve import RawjsonLines, SolveStatus, Vertex, from_protobuf
from pytest_dockerlab.build.trace import BuildTrace
from pytest_dockerlab.build.wire import fields
from pytest_dockerlab.engine.build_stream import read_messages
from pytest_dockerlab.engine.hijack import Frames
from pytest_dockerlab.engine.info import read_info
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.foreign import read_json
from pytest_dockerlab.image.inspect import engine_history, image_from_config, image_from_inspect
from pytest_dockerlab.image.instructions import instruction_of, with_empty_layers
from pytest_dockerlab.image.manifests import described
from pytest_dockerlab.image.model import HistoryEntry
from pytest_dockerlab.run.state import limits_of, state_of

Kept = Callable[..., Any]

DATA = Path(__file__).parents[1] / "build" / "data"
FILE = parse(
    "ARG V=3\nFROM python:$V AS one\nRUN echo 1\nCOPY a /a\nFROM one AS two\nWORKDIR /w\nENV A=1\nRUN cat /b\n"
    "FROM alpine\nCOPY --from=two /w /w\nRUN true\n"
)
RECORDED = {
    "buildkit": (BuildkitReader, sorted(DATA.glob("buildkit-*.jsonl"))),
    "classic": (ClassicReader, sorted(DATA.glob("classic-*.jsonl"))),
    "podman": (PodmanReader, sorted(DATA.glob("podman-*.jsonl"))),
}


def sound(trace: BuildTrace) -> None:
    for step in trace.steps:
        assert 1 <= step.number <= step.total
        assert step.seconds is None or (math.isfinite(step.seconds) and step.seconds >= 0)
        assert step.exit_code is None or 0 <= step.exit_code < 2**31
        assert not (step.cached and trace.error)
        (step.label + step.log + step.error).encode()
    (trace.output + trace.error + trace.image_id + "".join(trace.warnings)).encode()


def varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def field(number: int, value: int | bytes) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value & (1 << 64) - 1)
    return varint(number << 3 | 2) + varint(len(value)) + value


MESSAGE = st.lists(
    st.tuples(st.integers(1, 2**28), st.one_of(st.integers(0, 2**64 - 1), st.binary(max_size=9))), max_size=6
)


@given(MESSAGE)
def test_a_protobuf_message_is_read_as_it_is_written(message: list[Any]) -> None:
    """Numbers of 64 bits and bytes, in order."""
    assert list(fields(b"".join(field(*each) for each in message))) == message


@given(MESSAGE, st.data())
def test_a_message_that_is_cut_off_is_read_or_refused(kept: Kept, message: list[Any], data: st.DataObject) -> None:
    """Whole fields, or a FormatError."""
    whole = b"".join(field(*each) for each in message)
    read = kept(lambda part: list(fields(part)), whole[: data.draw(st.integers(0, len(whole)))])
    assert read is None or read == message[: len(read)]


NAME = st.one_of(
    st.sampled_from(
        [
            "[internal] load metadata for python:3",
            "exporting",
            "[one 1/3] FROM python:3",
            "[stage-2 2/3] COPY --from=two /w /w",
        ]
    ),
    st.from_regex(
        r"\[((one|two|stage-2) )?\d{1,12}/\d{1,2}\] (FROM|RUN|COPY|WORKDIR|LINK COPY) ?[a-z/ 1]{0,6}", fullmatch=True
    ),
    st.text(max_size=8),
)
TIME = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1))
ERROR = st.sampled_from(["", "context canceled", "exit code: 7", "exit code: " + "9" * 30, "x"])
VERTEX = st.tuples(
    st.sampled_from(["sha256:1", "sha256:2", "sha256:3", "sha256:4"]), NAME, st.booleans(), TIME, TIME, ERROR
)


def protobuf(vertex: Any) -> bytes:
    digest, name, cached, started, completed, error = vertex
    data = (
        field(1, digest.encode())
        + field(3, name.encode(errors="replace"))
        + field(4, int(cached))
        + field(7, error.encode())
    )
    data += b"" if started is None else field(5, field(1, started))
    return data + (b"" if completed is None else field(6, field(1, completed) + field(2, 5)))


@given(st.lists(VERTEX, max_size=8), st.integers(0, 8))
def test_any_vertexes_make_a_sound_trace_however_they_are_sent(vertexes: list[Any], cut: int) -> None:
    """In one message or in several: the last word on each counts."""
    readers = []
    for parts in ([vertexes], [vertexes[:cut], vertexes[cut:]], [[each] for each in vertexes]):
        reader = BuildkitReader(FILE)
        for part in parts:
            data = b"".join(field(1, protobuf(each)) for each in part)
            for row in reader.feed({"id": "moby.buildkit.trace", "aux": base64.b64encode(data).decode()}):
                row.encode()
        sound(reader.trace())
        assert reader.running is None or reader.running in reader.trace().steps or reader.error == ""
        readers.append(reader)
    assert readers[0].trace() == readers[1].trace() == readers[2].trace()


def test_a_time_before_1970_is_one() -> None:
    """Go's zero time is in the year 1, a negative number of seconds."""
    data = field(1, field(1, b"a") + field(5, field(1, -62135596800)))
    assert from_protobuf(base64.b64encode(data)) == SolveStatus(vertexes=(Vertex(digest="a", started=-62135596800.0),))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_trace_or_refused(kept: Kept, data: bytes) -> None:
    """Whether they are base64 or not."""
    kept(from_protobuf, base64.b64encode(data))
    kept(from_protobuf, data)
    kept(from_protobuf, data.decode(errors="replace"))


LINE = st.one_of(
    st.sampled_from(
        [
            *(
                "Step 1/7 : FROM python:3\n",
                " ---> 0123456789ab\n",
                " ---> Using cache\n",
                " ---> Running in 0123456789ab\n",
            ),
            *(
                "Removing intermediate container 0123456789ab\n",
                "STEP 1/7: FROM x\n",
                "[1/2] STEP 2/2: RUN true\n",
                "COMMIT x\n",
            ),
            *(
                "--> Using cache " + "a" * 64 + "\n",
                "--> aaaaaaaa\n",
                "a" * 64 + "\n",
                "Successfully built 0123456789ab\n",
            ),
            *(
                "Step " + "9" * 5000 + "/7 : x\n",
                "STEP " + "9" * 5000 + "/7: x\n",
                "[" + "9" * 5000 + "/2] STEP 1/1: x\n",
                "\ud800",
            ),
        ]
    ),
    st.from_regex(r"(Step|STEP|\[[0-3]/3\] STEP) [0-9]/[0-9]( :|:) (FROM|RUN|COPY) x\n", fullmatch=True),
    st.text(max_size=6),
)
SAID = st.one_of(
    st.none(),
    st.text(max_size=4),
    st.integers(),
    st.lists(st.none(), max_size=2),
    st.just("returned a non-zero code: " + "9" * 5000),
)
MESSAGES = st.lists(
    st.one_of(
        LINE.map(lambda line: {"stream": line}),
        st.fixed_dictionaries(
            {},
            optional={
                "stream": SAID,
                "error": SAID,
                "aux": st.one_of(SAID, st.fixed_dictionaries({"ID": SAID})),
                "id": st.sampled_from(["moby.image.id", 5]),
            },
        ),
        st.fixed_dictionaries(
            {
                "errorDetail": st.fixed_dictionaries(
                    {}, optional={"message": SAID, "code": st.one_of(SAID, st.booleans(), st.just(2**70))}
                )
            }
        ),
    ),
    max_size=8,
)


@given(MESSAGES)
def test_any_messages_make_a_sound_trace(messages: list[Any]) -> None:
    """Headers of steps that don't exist, numbers of any length, errors of any type, output that imitates."""
    for reader in (BuildkitReader(FILE), ClassicReader(FILE, clock=lambda: 0.0), PodmanReader(FILE, clock=lambda: 0.0)):
        for message in messages:
            for row in reader.feed(message):
                row.encode()
        sound(reader.trace())
        reader.failed_source.encode()


class Answer:
    """An engine's answer that comes in these pieces."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def iter_content(self, size: int) -> Iterator[bytes]:
        return self._pieces


@pytest.mark.parametrize("builder", sorted(RECORDED))
@given(data=st.data())
def test_a_recorded_build_is_the_same_however_it_is_cut(builder: str, data: st.DataObject) -> None:
    """The connection may end a piece anywhere, within a line or a character, too."""
    kind, paths = RECORDED[builder]
    path = data.draw(st.sampled_from(paths))
    file = parse((DATA / f"{path.stem.partition('-')[2].replace('again', 'multi')}.Dockerfile").read_text())
    sent = path.read_bytes()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=8)))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]
    traces = []
    for parts in ([sent], pieces):
        reader: Any = kind(file) if builder == "buildkit" else kind(file, clock=lambda: 0.0)
        rows: list[str] = []
        read_messages(Answer(iter(parts)), reader, rows.append)  # type: ignore[arg-type]
        traces.append((reader.trace(), rows))
    assert traces[0] == traces[1]


@given(
    st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=20)), max_size=6),
    st.lists(st.integers(0, 200), max_size=5),
)
def test_a_log_is_the_same_however_it_is_cut(frames: list[tuple[int, bytes]], cuts: list[int]) -> None:
    """Each frame comes out whole, as soon as it is complete."""
    data = b"".join(bytes([stream, 0, 0, 0]) + len(content).to_bytes(4, "big") + content for stream, content in frames)
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    reader = Frames()
    assert [frame for at, end in pairwise(places) for frame in reader.feed(data[at:end])] == frames


@given(st.binary(max_size=40))
def test_any_bytes_are_a_log_or_refused(kept: Kept, data: bytes) -> None:
    """A terminal's output, which has no frames, is not waited for as one of four gigabytes."""
    kept(Frames().feed, data)


def test_a_terminals_output_is_told_from_a_log() -> None:
    """And the message says what may be the matter."""
    with pytest.raises(FormatError, match="not a multiplexed stream: a frame begins with b'hello wo'") as caught:
        Frames().feed(b"hello world")
    assert "tty" in caught.value.remedy


RAW = st.one_of(
    st.sampled_from(
        [
            "{",
            "}",
            '{"vertexes":[{"digest":"a","name":"[1/1] RUN x"}]}',
            '{"logs":[{"vertex":"a","data":"aGk="}]}',
            "#1 text",
            '{"x":' * 1500,
            "{}",
        ]
    ),
    st.recursive(
        st.one_of(st.none(), st.integers(), st.text(max_size=4), st.just("2024-01-01T00:00:00.123456789Z")),
        lambda inner: st.one_of(
            st.lists(inner, max_size=2),
            st.dictionaries(
                st.sampled_from(["vertexes", "logs", "warnings", "digest", "started", "data", "short"]),
                inner,
                max_size=3,
            ),
        ),
        max_leaves=5,
    ).map(json.dumps),
)


@given(st.lists(RAW, max_size=6))
@example(['{"vertexes":[{"digest":' + "[" * 900 + "]" * 900 + "}]}"])
def test_any_lines_of_buildx_make_a_sound_trace(kept: Kept, lines: list[str]) -> None:
    """JSON of another shape, objects that are never closed, text in between, nesting without end."""
    reader, raw = BuildkitReader(FILE, builder="buildx"), RawjsonLines()
    for line in lines:
        read = kept(raw.feed, f"{line}\n")
        if isinstance(read, SolveStatus):
            reader.update(read)
        elif read:
            reader.feed({"stream": read})
    sound(reader.trace())


KEYS = [
    *(
        "Id",
        "RootFS",
        "Layers",
        "Os",
        "Architecture",
        "Variant",
        "Config",
        "RepoTags",
        "RepoDigests",
        "Size",
        "Created",
        "rootfs",
        "diff_ids",
    ),
    *(
        "os",
        "config",
        "history",
        "created_by",
        "empty_layer",
        "CreatedBy",
        "Env",
        "Labels",
        "Cmd",
        "Entrypoint",
        "ExposedPorts",
        "Volumes",
    ),
    *(
        "Healthcheck",
        "Test",
        "Interval",
        "Retries",
        "Shell",
        "OnBuild",
        "State",
        "Status",
        "ExitCode",
        "OOMKilled",
        "Health",
        "Pid",
        "HostConfig",
    ),
    *(
        "NanoCpus",
        "CpuQuota",
        "CpuPeriod",
        "PidsLimit",
        "Memory",
        "MemorySwap",
        "RestartCount",
        "SecurityOptions",
        "DriverStatus",
        "Driver",
    ),
    *(
        "Platform",
        "Name",
        "Components",
        "NCPU",
        "MemTotal",
        "Warnings",
        "CgroupVersion",
        "manifests",
        "digest",
        "annotations",
        "layers",
        "Config",
    ),
]
LEAF = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False),
    st.text(max_size=4),
    st.sampled_from(["sha256:aa", "\ud800", 10**30, "linux/x", "A=b", "name=seccomp", "a/b/c/d"]),
)
JSON = st.recursive(
    LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)),
    max_leaves=14,
)
OBJECT = st.dictionaries(st.sampled_from(KEYS), JSON, max_size=7)


@given(OBJECT)
@example({"State": []})
@example({"Created": 10**30})
@example({"Os": "a/b/c/d"})
@example({"Config": {"Healthcheck": {"Test": "x"}}})
def test_any_answer_is_read_or_refused(kept: Kept, answer: dict[str, Any]) -> None:
    """Absent, null, of another type: of a container, an image, its config, its history, or the engine itself."""
    state, limits = kept(state_of, answer), kept(limits_of, answer)
    assert state is None or isinstance(state.exit_code, int)
    if state is not None:
        str(state).encode()
    assert limits is None or limits.pids is None or limits.pids > 0
    for image in (kept(image_from_inspect, answer), kept(image_from_config, answer, id="sha256:0")):
        if image is not None:
            hash(image)
            f"{image.name}{image.platform}{image.config}{image.history}{image.tags}".encode()
    history = kept(engine_history, [answer, answer])
    if history is not None:
        assert len(with_empty_layers(history, 1)) == 2
    info = kept(read_info, answer, answer, "1.41")
    assert info is None or str(info)


@pytest.mark.parametrize(
    ("about", "read"), [("State.ExitCode", state_of), ("HostConfig.Memory", limits_of), ("Size", image_from_inspect)]
)
def test_a_field_of_another_type_is_named(about: str, read: Callable[[Mapping[str, Any]], object]) -> None:
    """With the value that it has."""
    answer: Any = "many"
    for key in reversed(about.split(".")):
        answer = {key: answer}
    with pytest.raises(FormatError, match=re.escape(f"{about} is 'many', not a whole number")):
        read(answer)


DIGEST = st.sampled_from(["sha256:aa", "sha256:bb", "sha256:cc", "sha256:../x", "", None, 5])
ROW = st.fixed_dictionaries(
    {"digest": DIGEST},
    optional={
        "annotations": st.dictionaries(st.just("org.opencontainers.image.ref.name"), st.text(max_size=2), max_size=1)
    },
)
INDEX = st.fixed_dictionaries(
    {},
    optional={
        "manifests": st.lists(ROW, max_size=4),
        "config": ROW,
        "layers": st.one_of(st.lists(ROW, max_size=2), LEAF),
    },
)


@given(INDEX, st.lists(st.one_of(INDEX, OBJECT), min_size=3, max_size=3))
def test_any_layout_is_described_or_refused(kept: Kept, index: Any, blobs: list[Any]) -> None:
    """Documents that name what is not there, each other, and themselves."""
    documents = {
        "index.json": index,
        **{f"blobs/sha256/{name}": blob for name, blob in zip(("aa", "bb", "cc"), blobs, strict=True)},
    }
    for image in (
        kept(described, {name: json.dumps(each).encode() for name, each in documents.items()}, "archive") or ()
    ):
        assert all(name.startswith("blobs/") and ".." not in name for name in image.layers)


def test_an_index_that_names_itself_ends(bounded: Callable[[float], Any]) -> None:
    """Eight levels of a thousand entries each would be 10**24 images."""
    row = {"digest": "sha256:aa"}
    index = json.dumps({"manifests": [row] * 1000}).encode()
    with bounded(20):
        assert described({"index.json": index, "blobs/sha256/aa": index}, "archive") == ()


def test_a_config_with_another_digest_is_noticed() -> None:
    """An image's id is its config's digest: another config is another image."""
    documents: dict[str, Any] = {
        "index.json": {"manifests": [{"digest": "sha256:aa"}]},
        "blobs/sha256/aa": {"config": {"digest": "sha256:bb"}},
        "blobs/sha256/bb": {"config": {"User": "root"}},
    }
    with pytest.raises(FormatError, match="the config sha256:bb has the digest sha256:"):
        described({name: json.dumps(each).encode() for name, each in documents.items()}, "archive")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[" * 100_000, "nested too deeply|Expecting"),
        ('{"a":' * 100_000, "nested too deeply|Expecting"),
        ("[" * 300 + "]" * 300, "nested more than 200 deep"),
        ("NaN", "NaN is no number of JSON"),
        ('{"a": -Infinity}', "-Infinity is no number of JSON"),
        ("\ufeff{}", "BOM"),
        ("", "Expecting value"),
    ],
    ids=["lists", "objects", "deep", "nan", "infinity", "bom", "empty"],
)
def test_json_that_nobody_means_is_a_value_error(text: str, reason: str) -> None:
    """Whatever Python's own reader raises for it."""
    with pytest.raises(ValueError, match=reason):
        read_json(text)


@given(
    st.one_of(
        st.text(max_size=20),
        st.lists(
            st.sampled_from(
                ["/bin/sh -c ", "#(nop) ", "|1 A=b ", "RUN ", "COPY ", " # buildkit", "/", "sh ", "-c ", "|"]
            ),
            max_size=8,
        ).map("".join),
    )
)
def test_any_history_entry_is_an_instruction(text: str) -> None:
    """Or the text as it is, keyword and all."""
    found = instruction_of(HistoryEntry(created_by=text))
    assert found.keyword == "" or found.keyword.isupper()
    assert len(found.text) <= len(text)
