"""A megabyte of anything: parsers take time and memory in proportion to it, however it is made to hurt.

What grows with the square would take minutes or hours for these; the limit is of CPU time, far above what is needed.
"""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest

from pytest_dockerlab.build.buildkit import BuildkitReader
from pytest_dockerlab.build.classic import ClassicReader
from pytest_dockerlab.build.context import ignore_patterns
from pytest_dockerlab.build.dockerfile import parse
from pytest_dockerlab.build.ignore import IgnoreRules
from pytest_dockerlab.build.nest import nest, takes_everything
from pytest_dockerlab.build.podman import PodmanReader
from pytest_dockerlab.build.rewrite import rewrite
from pytest_dockerlab.build.solve import RawjsonLines, SolveStatus, Vertex, from_protobuf
from pytest_dockerlab.engine.build_errors import failure_of
from pytest_dockerlab.engine.hijack import Frames
from pytest_dockerlab.image.instructions import instruction_of
from pytest_dockerlab.image.model import HistoryEntry
from pytest_dockerlab.image.tree import find, merge
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_bytes, to_nano_cpus, to_seconds
from pytest_dockerlab.reference import Reference
from pytest_dockerlab.run.cgroups import cgroup_paths, usage_from
from pytest_dockerlab.run.parse import parse_run
from tests.indexing import scan

Kept = Callable[..., Any]
Bounded = Callable[[float], AbstractContextManager[None]]

MEGABYTE = 1024**2
SECONDS = 40.0
FILE = parse("FROM a\nRUN x\nCOPY b /b\n")

DOCKERFILES = {
    "runs": "FROM a\n" + "RUN x\n" * 80_000,
    "stages": "FROM a\n" * 40_000,
    "named-stages": "".join(f"FROM s{number} AS s{number + 1}\n" for number in range(15_000)),
    "copies": "FROM a AS x\nFROM b\n" + "COPY --from=x a b\n" * 15_000,
    "unknown": "x\n" * 60_000,
    "words": "".join(f"k{number} x\n" for number in range(10_000)),
    "arguments": "ARG A=$A$A\n" * 20_000 + "FROM $A\n",
    "argument": "ARG " + "A=b " * (MEGABYTE // 4) + "\nFROM a",
    "flags": "FROM a\nRUN " + "--a " * (MEGABYTE // 4),
    "mounts": "FROM a\nRUN " + "--mount=from= " * (MEGABYTE // 14) + "x",
    "one-word": "FROM " + "a" * MEGABYTE,
    "quotes": "FROM a\nRUN " + "\"'" * (MEGABYTE // 2),
    "escapes": "FROM a\nRUN " + "\\" * MEGABYTE,
    "continued": "FROM a\nRUN " + "\\\n" * (MEGABYTE // 2),
    "blanks": "FROM a\nRUN x\\" + " " * MEGABYTE + "x",
    "directive": "#syntax=x" + " " * MEGABYTE + "x\nFROM a",
    "heredocs": "FROM a\n" + "RUN <<E\n" * (MEGABYTE // 8),
    "heredoc-names": "FROM a\nRUN " + "<<E " * (MEGABYTE // 4),
    "json": "FROM a\nCOPY " + "[" * MEGABYTE,
    "braces": "FROM " + "${a:-" * (MEGABYTE // 5),
    "brace": "FROM ${a:-" + "{x}" * (MEGABYTE // 3),
    "stars": "FROM a\nCOPY " + "* " * (MEGABYTE // 2),
    "nothing": "\0" * MEGABYTE,
}


@pytest.mark.parametrize("name", sorted(DOCKERFILES))
def test_a_megabyte_of_dockerfile(bounded: Bounded, name: str) -> None:
    """Parsed, planned, rewritten and nested."""
    with bounded(SECONDS):
        file = parse(DOCKERFILES[name])
        if file.stages:
            assert len(file.plan()) >= 0
            file.bases()
        rewrite(file, bases={"a": "b", "x": "y"}, fresh_label="nonce", drop_syntax=True)
        takes_everything(file)
        nest(file)


def text(builder: type[ClassicReader] | type[PodmanReader], parts: list[str]) -> None:
    reader = builder(FILE, clock=lambda: 0.0)
    for part in parts:
        reader.feed({"stream": part})
    reader.feed({"error": parts[0]})
    trace = reader.trace()
    failure_of(FILE, trace)


STREAMS = {
    "one-line": ["x" * MEGABYTE],
    "many-lines": ["x\n"] * (MEGABYTE // 2),
    "headers": ["Step 2/3 : RUN x\n", "STEP 2/3: RUN x\n"] * (MEGABYTE // 40),
    "digits": ["Step " + "9" * MEGABYTE],
    "colours": ["\x1b[" * (MEGABYTE // 2)],
    "codes": ["returned a non-zero code: " * (MEGABYTE // 26)],
    "stats": ["excluded by .dockerignore: stat " * (MEGABYTE // 32)],
    "quotes": ['"/' * (MEGABYTE // 2)],
    "running": ["while running runtime: exit status " * (MEGABYTE // 35)],
}


@pytest.mark.parametrize("builder", [ClassicReader, PodmanReader])
@pytest.mark.parametrize("name", sorted(STREAMS))
def test_a_megabyte_of_build_output(
    bounded: Bounded, builder: type[ClassicReader] | type[PodmanReader], name: str
) -> None:
    """Traced, and turned into a failure."""
    with bounded(SECONDS):
        text(builder, STREAMS[name])


VERTEXES = {
    "same-step": [("[2/3] RUN x", 0)],
    "other-steps": [(f"[{number}/9] RUN x", 0) for number in range(100)],
    "strangers": [("[q 1/2] RUN x", 0), ("[q 1/2] FROM a", 0)],
    "internal": [("[internal] load metadata for a", 1)],
    "failed": [("[2/3] RUN x", 1)],
}


@pytest.mark.parametrize("name", sorted(VERTEXES))
@pytest.mark.parametrize("together", [True, False])
def test_thousands_of_vertexes(bounded: Bounded, name: str, together: bool) -> None:
    """In one message, or each in its own."""
    kinds = VERTEXES[name]
    vertexes = [
        Vertex(
            digest=str(number),
            name=kinds[number % len(kinds)][0],
            started=1.0,
            error="context canceled" * kinds[number % len(kinds)][1],
        )
        for number in range(3000)
    ]
    for file in (FILE, parse("FROM a\n" + "RUN x\n" * 5000)):
        reader = BuildkitReader(file)
        with bounded(SECONDS):
            for part in [vertexes] if together else [[each] for each in vertexes]:
                reader.update(SolveStatus(vertexes=tuple(part)))
            reader.trace()
            assert reader.running is None or reader.running.reported


def frames() -> None:
    content = Frames().feed(b"\x01\0\0\0\0\0\0\x01x" * (4 * MEGABYTE // 9))
    assert len(content) == 4 * MEGABYTE // 9


def layer_of_long_names() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for number in range(400):
            tar.addfile(tarfile.TarInfo(f"{number}/" + "a/" * 250 + "x"))
    tree = merge([scan([out.getvalue()], "layer")] * 3)
    find(tree, "/1/" + "a/" * 250 + "x")


def layer_of_links() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for number in range(1500):
            link = tarfile.TarInfo(f"l{number}")
            link.type, link.linkname = tarfile.SYMTYPE, f"l{number - 1}/." if number else "."
            tar.addfile(link)
            tar.addfile(tarfile.TarInfo(f"l{number}/x/y/z{number}"))
    tree = merge([scan([out.getvalue()], "layer")])
    for path in list(tree)[:200]:
        find(tree, path)


def rawjson(line: str, count: int) -> None:
    lines = RawjsonLines()
    for _ in range(count):
        lines.feed(line)


OTHERS: dict[str, Callable[[], object]] = {
    "frames": frames,
    "long-names": layer_of_long_names,
    "links": layer_of_links,
    "history-slashes": lambda: instruction_of(HistoryEntry(created_by="|1 " + "/" * MEGABYTE)),
    "history-shells": lambda: instruction_of(HistoryEntry(created_by="|1 " + "/sh " * (MEGABYTE // 4))),
    "history-sh": lambda: instruction_of(HistoryEntry(created_by="/" + "sh" * (MEGABYTE // 2))),
    "history-options": lambda: instruction_of(HistoryEntry(created_by="|1 " + "/sh -" * (MEGABYTE // 5))),
    "rawjson-open": lambda: rawjson("{\n", MEGABYTE // 2),
    "rawjson-closed": lambda: rawjson("}\n", MEGABYTE // 2),
    "rawjson-deep": lambda: rawjson("[" * MEGABYTE, 1),
    "wire": lambda: from_protobuf(base64.b64encode(b"\x08\x01" * (MEGABYTE // 2))),
    "cgroup": lambda: usage_from({"cpu.stat": "a 1\n" * (MEGABYTE // 4)}),
    "cgroup-paths": lambda: cgroup_paths("1:a,a,a:/\n" * (MEGABYTE // 10)),
    "ignore": lambda: IgnoreRules(ignore_patterns("*a*b*c*d\n" * 2000)).ignores("abcd" * 60),
    "ignore-words": lambda: IgnoreRules(["a*" * 512]).ignores("a" * 255),
    "ignore-deep": lambda: IgnoreRules(["**/a/" * 200]).ignores("a/" * 2000),
}


@pytest.mark.parametrize("name", sorted(OTHERS))
def test_a_megabyte_of_anything_else(kept: Kept, bounded: Bounded, name: str) -> None:
    """Logs, layers, histories, reports, kernel files, patterns."""
    with bounded(SECONDS):
        kept(OTHERS[name])


WRITTEN = [
    "1" * MEGABYTE,
    "a" * MEGABYTE,
    "a/" * (MEGABYTE // 2),
    "1." * (MEGABYTE // 2),
    " " * MEGABYTE,
    "a:" * (MEGABYTE // 2),
    "-" * MEGABYTE,
]


@pytest.mark.parametrize("at", range(len(WRITTEN)))
def test_a_megabyte_of_what_people_write(kept: Kept, bounded: Bounded, at: int) -> None:
    """Names, platforms, amounts, and every setting of a container."""
    with bounded(SECONDS):
        for read in (Reference.parse, Platform.parse, to_bytes, to_nano_cpus, to_seconds):
            kept(read, WRITTEN[at])
        for setting in ("ports", "volumes", "tmpfs", "env", "user", "healthcheck", "restart", "entrypoint", "cpus"):
            given: Any = {setting: WRITTEN[at]}
            kept(parse_run, "a", environ={}, **given)
