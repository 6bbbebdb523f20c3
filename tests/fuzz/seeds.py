"""Where a fuzzer starts: well-formed inputs of each group, made by the code itself or recorded by the other tests."""

from __future__ import annotations

import base64
import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from pathlib import Path

from pytest_dockerlab.image.model import FileKind
from pytest_dockerlab.image.random import MadeFile, MadeImage, MadeStep, random_image

__all__ = ["seeds"]

_TESTS = Path(__file__).parents[1]
_STREAMS = _TESTS / "build" / "data"
_IMAGE = MadeImage(
    steps=(
        MadeStep(
            created_by="RUN /bin/sh -c x # buildkit",
            files=(
                MadeFile(path="/etc/passwd", content=b"root:x:0:0::/:/bin/sh\n"),
                MadeFile(path="/bin", kind=FileKind.SYMLINK, link="usr/bin"),
                MadeFile(path="/etc/hard", link="/etc/passwd"),
                MadeFile(path="/dev/null", kind=FileKind.DEVICE),
            ),
        ),
        MadeStep(files=(MadeFile(path="/etc/.wh.passwd"), MadeFile(path="/d/.wh..wh..opq"), MadeFile(path="/d/x"))),
    ),
    config={"Cmd": ["sh"], "Env": ["A=b"], "ExposedPorts": {"80/tcp": {}}, "Healthcheck": {"Test": ["NONE"]}},
    tags=("made:1",),
)


def _tars() -> Iterator[bytes]:
    for form in (tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=form) as tar:
            for name, kind in (("d", tarfile.DIRTYPE), ("d/" + "n" * 90 + "/" + "m" * 90, tarfile.REGTYPE)):
                info = tarfile.TarInfo(name)
                info.type, info.size, info.mtime = kind, 5 * (kind == tarfile.REGTYPE), 12
                tar.addfile(info, io.BytesIO(b"hello"))
        yield out.getvalue()
    yield _IMAGE.layers()[0]
    yield _IMAGE.layers()[1]


def _dockerfiles() -> Iterator[bytes]:
    for path in (*_STREAMS.glob("*.Dockerfile"), *(_TESTS.parent / "dockerfiles").glob("*/Dockerfile")):
        yield path.read_bytes()
    yield (
        b'# syntax=docker/dockerfile:1\n# escape=`\nARG A=${B:-c}\nFROM --platform=$P "a" AS x `\n\n# c\n\n'
        b'COPY --from=x ["a", "b"] /d\nRUN --mount=type=bind,from=x <<EOF cat <<-\'X\'\nf\nEOF\n\tX\n'
    )


def _messages(pattern: str) -> Iterator[dict[str, object]]:
    for path in sorted(_STREAMS.glob(pattern)):
        for line in path.read_text().splitlines():
            found = json.loads(line)
            if isinstance(found, dict):
                yield found


def seeds(group: str) -> Iterator[bytes]:
    """The first inputs of a group."""
    match group:
        case "text-streams":
            for path in sorted((*_STREAMS.glob("classic-*.jsonl"), *_STREAMS.glob("podman-*.jsonl"))):
                messages = [json.loads(line) for line in path.read_text().splitlines()]
                rows = (each["stream"] if "stream" in each else json.dumps(each) + "\n" for each in messages)
                yield "".join(rows).encode()
        case "buildkit":
            for each in _messages("buildkit-*.jsonl"):
                if each.get("id") == "moby.buildkit.trace":
                    yield base64.b64decode(str(each["aux"]))
        case "rawjson":
            for path in sorted(_STREAMS.glob("*.rawjson")):
                yield path.read_bytes()
        case "layer":
            yield from _tars()
            yield gzip.compress(_IMAGE.layers()[0], mtime=0)
        case "archive":
            yield _IMAGE.docker_save()
            yield _IMAGE.oci_layout(compressed=False)
            yield random_image(1, layers=1, files=1, size=10).docker_save()
        case "manifests":
            config = b"\xff" + _IMAGE.config_file()
            yield (
                b"m"
                + json.dumps([{"Config": "blobs/sha256/aa", "RepoTags": ["a:1"], "Layers": ["x"]}]).encode()
                + config
            )
            row = {"digest": "sha256:aa", "annotations": {"org.opencontainers.image.ref.name": "a"}}
            index = {"manifests": [row, row]}
            yield b"i" + json.dumps(index).encode() + b"\xff\xff" + json.dumps(index).encode()
        case "inspect":
            yield _IMAGE.config_file()
            yield json.dumps(
                {
                    "Id": "sha256:0",
                    "RootFS": {"Layers": ["sha256:1"]},
                    "Config": {"Labels": {"a": "b"}, "Shell": ["sh"], "Volumes": {"/v": {}}},
                    "State": {"Status": "exited", "ExitCode": 1, "OOMKilled": True, "Health": {"Status": "none"}},
                    "HostConfig": {"NanoCpus": 5, "CpuQuota": 50000, "CpuPeriod": 0, "PidsLimit": None, "Memory": 9},
                    "SecurityOptions": ["name=seccomp,profile=default"],
                    "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
                    "Components": [{"Name": "Podman Engine"}],
                }
            ).encode()
            yield json.dumps([{"CreatedBy": "RUN x # buildkit", "Created": 1, "Size": 2, "Comment": ""}]).encode()
        case "dockerfile":
            yield from _dockerfiles()
        case "ignore":
            yield b"# c\n*.pyc\n!a/**/b[a-c]?\\*\n/x/\0a/q/bb*"
        case "names":
            for text in (
                *("python:3.10", "localhost:5000/a/b@sha256:" + "0" * 64, "linux/arm64/v8", "1.5g", "500ms", "0.5"),
                *("127.0.0.1:8080:80/tcp", "/a:/b:ro", "/scratch:size=64m", "h:b:1:2", "unix:///x", "1111:1111"),
                *(
                    '/bin/sh -c #(nop)  CMD ["sh"]',
                    "|1 A=b /bin/sh -c x",
                    "RUN /bin/sh -c x # buildkit",
                    "on-failure:3",
                ),
            ):
                yield text.encode()
        case "cgroups":
            yield b"\x00max 100000\0\x01max\0\x025\0\x04usage_usec 5\nnr_periods 1"
            yield b"\x0850000\0\x09100000\0\x0a9223372036854771712\0\x0dnr_throttled 1"
        case "frames":
            yield b"\x01\0\0\0\0\0\0\x05hello\x02\0\0\0\0\0\0\x00\x01\0\0\0\0\0\0\x09cut"
        case _:
            raise AssertionError(f"no seeds for {group}")
