"""What is fuzzed: each group takes bytes, gives them to parsers, and asserts what must hold of the result."""

from __future__ import annotations

import base64
import contextlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pytest_dockerlab.build.buildkit import BuildkitReader
from pytest_dockerlab.build.classic import ClassicReader
from pytest_dockerlab.build.context import ignore_patterns
from pytest_dockerlab.build.dockerfile import Dockerfile, parse
from pytest_dockerlab.build.ignore import IgnoreRules
from pytest_dockerlab.build.nest import nest, takes_everything
from pytest_dockerlab.build.podman import PodmanReader
from pytest_dockerlab.build.rewrite import rewrite
from pytest_dockerlab.build.solve import RawjsonLines, SolveStatus, from_protobuf
from pytest_dockerlab.build.trace import BuildTrace
from pytest_dockerlab.engine.hijack import Frames
from pytest_dockerlab.engine.info import read_info
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.foreign import mapping, read_json, rows
from pytest_dockerlab.image.archive import ArchiveFiles
from pytest_dockerlab.image.blobs import tar_items
from pytest_dockerlab.image.inspect import engine_history, image_from_config, image_from_inspect
from pytest_dockerlab.image.instructions import instruction_of, with_empty_layers
from pytest_dockerlab.image.layers import files_of, uncompressed
from pytest_dockerlab.image.manifests import described
from pytest_dockerlab.image.model import FileKind, HistoryEntry, LayerFiles
from pytest_dockerlab.image.tarstream import Blocks
from pytest_dockerlab.image.tree import find, merge
from pytest_dockerlab.lab.ownership import Owner
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_bytes, to_nano_cpus, to_seconds
from pytest_dockerlab.reference import Reference
from pytest_dockerlab.run.cgroups import FILES, cgroup_paths, limits_from, usage_from
from pytest_dockerlab.run.parse import parse_run
from pytest_dockerlab.run.state import limits_of, state_of
from pytest_dockerlab.settings import NAMES, read_settings
from tests.fuzz.contract import kept, printable
from tests.indexing import scan

__all__ = ["TARGETS"]

MOST = 2**63 - 1
DOCKERFILE = parse(
    "ARG V=3.10\nFROM python:$V AS one\nRUN echo 1\nCOPY a /a\nFROM one AS two\nWORKDIR /w\nENV A=1\n"
    "RUN --mount=type=bind,from=one,source=/a,target=/b cat /b\nFROM alpine\nCOPY --from=two /w /w\nRUN true\n"
)
_CHUNK = 700


def pieces(data: bytes) -> Iterator[bytes]:
    """The data as a connection might deliver them."""
    return (data[at : at + _CHUNK] for at in range(0, len(data), _CHUNK))


def check_trace(trace: BuildTrace) -> None:
    for step in trace.steps:
        assert 1 <= step.number <= step.total
        assert step.seconds is None or (math.isfinite(step.seconds) and step.seconds >= 0)
        assert step.exit_code is None or 0 <= step.exit_code < 2**31
        assert not (step.cached and trace.error), "cached in a build that failed"
        printable(step.label + step.log + step.error)
    printable(trace.output + trace.error + trace.image_id + "".join(trace.warnings))


def text_streams(data: bytes) -> None:
    """Classic and Podman: each line is a message; one that is JSON is taken as the whole message."""
    for reader in (ClassicReader(DOCKERFILE, clock=lambda: 0.0), PodmanReader(DOCKERFILE, clock=lambda: 0.0)):
        for line in data.decode(errors="replace").splitlines(keepends=True):
            message: object = {"stream": line}
            if line.startswith("{"):
                with contextlib.suppress(ValueError):
                    message = read_json(line)
            assert isinstance(message, dict)
            for row in reader.feed(message):
                printable(row)
        check_trace(reader.trace())
        assert reader.running is None or reader.running in reader.trace().steps
        printable(reader.failed_source)


def buildkit(data: bytes) -> None:
    """Traces: several protobuf messages, cut by a byte that the fuzzer can move about."""
    reader = BuildkitReader(DOCKERFILE)
    for part in data.split(b"\xff\xfe"):
        kept(reader.feed, {"id": "moby.buildkit.trace", "aux": base64.b64encode(part).decode()})
    kept(from_protobuf, data)
    check_trace(reader.trace())
    assert reader.running is None or reader.running.number >= 1


def rawjson(data: bytes) -> None:
    """buildx's report, with what it mixes in."""
    reader, lines = BuildkitReader(DOCKERFILE, builder="buildx"), RawjsonLines()
    for line in data.decode(errors="replace").splitlines(keepends=True):
        read = kept(lines.feed, line)
        if isinstance(read, SolveStatus):
            reader.update(read)
        elif read:
            reader.feed({"stream": read})
    check_trace(reader.trace())


def with_checksums(data: bytes) -> bytes:
    """A tar whose headers are damaged in all but their checksums, which would keep a fuzzer at the door."""
    found = bytearray(data)
    for at in range(0, len(found) - 511, 512):
        if found[at + 257 : at + 262] == b"ustar":
            found[at + 148 : at + 156] = b" " * 8
            found[at + 148 : at + 156] = b"%06o\0 " % sum(found[at : at + 512])
    return bytes(found)


def check_layer(layer: LayerFiles) -> None:
    for path in (*(entry.path for entry in layer.files), *layer.deleted, *layer.opaque):
        assert path.startswith("/"), path
        assert path == "/" or not {"", ".", ".."} & set(path[1:].split("/")), path
        assert "\0" not in path
    for entry in layer.files:
        assert 0 <= entry.mode <= 0o7777
        assert 0 <= entry.size <= MOST
        assert math.isfinite(entry.mtime)
    check_tree(layer)


def check_tree(*layers: LayerFiles) -> None:
    tree = merge(layers)
    for path, placed in tree.items():
        parent = path.rpartition("/")[0] or "/"
        assert tree[parent].entry.kind is FileKind.DIRECTORY, f"{path} is in no folder"
        assert 0 <= placed.layer < max(1, len(layers))
    for path in list(tree)[:50]:
        assert kept(find, tree, path) is not None
        kept(find, tree, f"{path}/../x", follow=True)


def _scanned(chunks: Iterable[bytes]) -> LayerFiles:
    return scan(uncompressed(chunks, "layer"), "layer")


def _samples(chunks: Iterable[bytes]) -> list[bytes]:
    return [content.read(99) for _, content in files_of(uncompressed(chunks, "layer"), "layer")]


def layer(data: bytes) -> None:
    """A layer's tar, plain or compressed; the same however it comes in pieces."""
    plain = with_checksums(data)
    for whole in (plain, data):
        found = kept(_scanned, pieces(whole))
        at_once = kept(_scanned, [whole])
        assert found == at_once
        if found is not None:
            check_layer(found)
            kept(_samples, pieces(whole))


def archive(data: bytes) -> None:
    """An image archive."""
    files = ArchiveFiles(lambda: tar_items(Blocks(pieces(with_checksums(data))), "archive"), "archive")
    layers = kept(files.layers)
    if layers is not None:
        for each in layers:
            check_layer(each)
        check_tree(*layers)
        kept(list, files.contents())
        kept(files.read, "/etc/passwd")
        kept(files.history)


def manifests(data: bytes) -> None:
    """An archive's JSON documents, which may name each other (and themselves) in any way."""
    names = ("index.json", "manifest.json", "blobs/sha256/aa", "blobs/sha256/bb", "blobs/sha256/cc")
    documents = dict(zip(names[data[:1] == b"m" :], data[1:].split(b"\xff"), strict=False))
    for image in kept(described, documents, "archive") or ():
        assert isinstance(image.config, Mapping)
        made = kept(image_from_config, image.config, id=image.id, tags=image.tags)
        if made is not None:
            printable(f"{made.name} {made.platform} {made.config} {made.history}")
        for name in image.layers:
            assert ".." not in name or "manifest.json" in documents


def inspect(data: bytes) -> None:
    """An engine's answers."""
    try:
        found = read_json(data)
    except ValueError:
        return
    about = kept(mapping, found, "answer")
    if about is None:
        answer = kept(rows, found, "answer")
        history = None if answer is None else kept(engine_history, answer)
        if history is not None:
            with_empty_layers(history, 3)
        return
    state, limits = kept(state_of, about), kept(limits_of, about)
    if state is not None:
        printable(str(state))
        assert abs(state.exit_code) <= MOST
    assert limits is None or all(
        each is None or abs(each) <= MOST * 10**9 for each in (limits.memory, limits.nano_cpus)
    )
    image = kept(image_from_inspect, about)
    if image is not None:
        printable(f"{image.name} {image.platform} {image.config} {image.digests}")
        hash(image)
    kept(image_from_config, about, id="sha256:0")
    info = kept(read_info, about, about, "1.41")
    assert info is None or printable(str(info))


def _instructions(file: Dockerfile, without: frozenset[int] = frozenset()) -> list[tuple[str, str, object]]:
    return [
        (each.keyword, each.arguments, (each.flags, each.heredocs))
        for at, each in enumerate(file.instructions)
        if at not in without
    ]


def dockerfile(data: bytes) -> None:
    """A Dockerfile: what is read, and what is sent instead of it."""
    text = data.decode(errors="replace")
    file = parse(text)
    lines = len(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"))
    last = 0
    for each in file.instructions:
        assert last < each.line <= each.end_line <= lines
        last = each.end_line
    for finding in file.problems:
        assert finding.what
        assert 1 <= int(finding.where.rpartition(":")[2]) <= lines
    if file.stages:
        assert [step.number <= step.total for step in file.plan()] == [True] * len(file.plan())
        file.bases()
    same = rewrite(file)
    assert _instructions(parse(same.text)) == _instructions(file)
    sent = rewrite(file, fresh_label="nonce", drop_syntax=True)
    assert len(sent.lines) == len(sent.text.split("\n"))
    if not file.problems:
        again = parse(sent.text)
        assert _instructions(again, sent.added) == _instructions(file)
        assert all(again.instructions[at].arguments == "org.dockerlab.fresh=nonce" for at in sent.added)
    takes_everything(file)
    nested = nest(file)
    if nested is not None and not file.problems:
        assert nested.count("\n") + 1 == lines
        assert [each.keyword for each in parse(nested).instructions] == [each.keyword for each in file.instructions]


def ignore(data: bytes) -> None:
    """.dockerignore and a path, which are cut by the first NUL."""
    text, _, path = data.decode(errors="replace").partition("\0")
    patterns = ignore_patterns(text)
    rules = kept(IgnoreRules, patterns)
    if rules is not None:
        rules.ignores(path)
        rules.may_keep_below(path)


def names(data: bytes) -> None:
    """What people write: names, platforms, sizes, ports, mounts, settings; what is read is written and read again."""
    text = data.decode(errors="replace")
    reference = kept(Reference.parse, text)
    if reference is not None:
        assert Reference.parse(str(reference)) == reference
        assert Reference.parse(reference.familiar) == reference
    platform = kept(Platform.parse, text)
    assert platform is None or Platform.parse(str(platform)) == platform
    size, cpus, seconds = kept(to_bytes, text), kept(to_nano_cpus, text), kept(to_seconds, text)
    assert size is None or (0 <= size <= MOST and to_bytes(str(size)) == size)
    assert cpus is None or (0 < cpus <= MOST and to_nano_cpus(f"{cpus}e-9") == cpus)
    assert seconds is None or (0 <= seconds <= MOST and to_seconds(seconds) == seconds)
    owner = kept(Owner.parse, text)
    assert owner is None or Owner.parse(str(owner)) == owner
    for setting in ("ports", "volumes", "tmpfs", "env", "user", "healthcheck", "restart", "platform", "labels"):
        for value in (text, [text], {text: text}):
            given: Any = {setting: value}
            kept(parse_run, "a", text[:40], environ={}, **given)
    for name, variable in NAMES.items():
        kept(read_settings, {name: text}, None, {})
        kept(read_settings, None, {name: text}, {})
        kept(read_settings, None, None, {variable: text})
    instruction_of(HistoryEntry(created_by=text))


def cgroups(data: bytes) -> None:
    """Kernel files: the first byte of each part says which."""
    files = {FILES[part[0] % len(FILES)]: part[1:].decode(errors="replace") for part in data.split(b"\0") if part}
    limits = kept(limits_from, files)
    if limits is not None:
        for value in (limits.nano_cpus, limits.memory, limits.memory_swap, limits.pids):
            assert value is None or value >= 0
        assert limits.cpus is None or math.isfinite(limits.cpus)
    usage = kept(usage_from, files)
    assert usage is None or usage.cpu_seconds is None or math.isfinite(usage.cpu_seconds)
    cgroup_paths(data.decode(errors="replace"))


def frames(data: bytes) -> None:
    """A multiplexed log: the same however it is cut."""
    with contextlib.suppress(FormatError):
        whole = Frames().feed(data)
        reader = Frames()
        assert [frame for at in range(len(data)) for frame in reader.feed(data[at : at + 1])] == whole


TARGETS: Mapping[str, Callable[[bytes], None]] = {
    "text-streams": text_streams,
    "buildkit": buildkit,
    "rawjson": rawjson,
    "layer": layer,
    "archive": archive,
    "manifests": manifests,
    "inspect": inspect,
    "dockerfile": dockerfile,
    "ignore": ignore,
    "names": names,
    "cgroups": cgroups,
    "frames": frames,
}
