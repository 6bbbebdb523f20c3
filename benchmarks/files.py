"""Sixty checks of one image's files against peers of the job; and what an image's index costs.

    python -m benchmarks.files [--rounds 5] [--image python:3.10-slim] [--peers /path/to/venv/bin]

Each contender is a whole process on one engine that runs already, in turns. The peers (pytest-testinfra,
container-structure-test) are taken from a virtual environment of their own; who is missing is left out. The image is
there; the second figure of ours is without its index, as in the first run ever.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from benchmarks.bench import Bench
from benchmarks.figures import Listing, Row, Table

__all__ = ["file_checks", "index_costs", "print_ratios", "tables"]

CHECKS = 60
# Name, number of files, size of each.
SHAPES = (("1 GB in 2,000 files", 2_000, 500 * 1024), ("100,000 files", 100_000, 100))
OURS = """
import pytest
from pytest_dockerlab import assert_file, assert_mode, assert_owner
FILES = {files!r}
@pytest.fixture(scope="session")
def image(lab_session):
    return lab_session.image({image!r})
@pytest.mark.parametrize("path", list(FILES))
def test_exists(image, path):
    assert_file(image, path, kind=None)
@pytest.mark.parametrize("path", list(FILES))
def test_mode(image, path):
    assert_mode(image, path, FILES[path][0])
@pytest.mark.parametrize("path", list(FILES))
def test_owner(image, path):
    assert_owner(image, path, uid=FILES[path][1])
"""
TESTINFRA = """
import subprocess, pytest, testinfra
FILES = {files!r}
@pytest.fixture(scope="session")
def host():
    box = subprocess.check_output(["docker", "run", "-d", {image!r}, "sleep", "600"], text=True).strip()
    yield testinfra.get_host("docker://" + box)
    subprocess.check_call(["docker", "rm", "-f", box])
@pytest.mark.parametrize("path", list(FILES))
def test_exists(host, path):
    assert host.file(path).exists
@pytest.mark.parametrize("path", list(FILES))
def test_mode(host, path):
    assert host.file(path).mode == FILES[path][0]
@pytest.mark.parametrize("path", list(FILES))
def test_owner(host, path):
    assert host.file(path).uid == FILES[path][1]
"""
READER = """
import re, sys, time
from pathlib import Path
def most():  # not getrusage's: that of a new program begins with what its parent had
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
from pytest_dockerlab.engine.shelf import Shelf
from pytest_dockerlab.image.archive import ArchiveFiles
from pytest_dockerlab.image.blobs import tar_items
imported = time.perf_counter()
before = most()
archive, folder, image, path, *layers = sys.argv[1:]
def items():
    with open(archive, "rb") as stream:
        yield from tar_items(stream, archive)
worked = time.process_time()
files = ArchiveFiles(items, archive, image, layers=tuple(layers), keep=Shelf(Path(folder)))
size = files.stat(path).size
worked, looked = time.process_time() - worked, time.perf_counter()
count = sum(len(layer.files) for layer in files.layers())
print(looked - imported, worked, most() - before, count)
"""


def _files(url: str, image: str) -> Mapping[str, tuple[int, int]]:
    """Twenty files and folders of an image, no links among them: path → mode and uid, as the engine tells them."""
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.image.model import FileKind

    with Engine(Endpoint(url=url, name="benchmark", source="benchmark")) as engine:
        found = engine.images.get(image)
        assert found.files is not None
        entries = {entry.path: entry for layer in found.files.layers() for entry in layer.files}
        usual = ("/etc/", "/usr/bin/", "/usr/lib/", "/usr/local/bin/", "/var/", "/bin/", "/lib/", "/home/")
        kinds = (FileKind.FILE, FileKind.DIRECTORY)
        fit = [
            each for each in entries.values() if each.kind in kinds and each.path.startswith(usual) and not each.link
        ]
        chosen = sorted(fit, key=lambda each: each.path)[:: max(1, len(fit) // 20)][:20]
        return {each.path: (each.mode, int(each.uid or 0)) for each in chosen}


def _structure(files: Mapping[str, tuple[int, int]]) -> str:
    """container-structure-test's way to say the same; its one check of a file looks at all three."""
    from stat import filemode

    rows = []
    for number, (path, (mode, uid)) in enumerate(sorted((*files.items(),) * 3)):
        letters = filemode(mode)[1:]
        check = {"name": f"{number} {path}", "path": path, "shouldExist": True, "uid": uid}
        rows.append({**check, "isExecutableBy": "owner"} if letters[2] == "x" else check)
    return json.dumps({"schemaVersion": "2.0.0", "fileExistenceTests": rows})


def file_checks(url: str, image: str, rounds: int, peers: Path | None) -> dict[str, list[float]]:
    """Seconds of each contender, a round at a time, so that a machine that slows down slows all of them."""
    files = _files(url, image)
    pytest_of = [str(peers / "python"), "-m", "pytest"] if peers else [sys.executable, "-m", "pytest"]
    quiet = ["-q", "-p", "no:cacheprovider"]
    structure = shutil.which("container-structure-test", path=str(peers) if peers else None)
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder, cache = Path(name), Path(name) / "cache"
        for script, text in (("test_ours.py", OURS), ("test_testinfra.py", TESTINFRA)):
            (folder / script).write_text(text.format(files=dict(files), image=image), "utf-8")
        (folder / "structure.json").write_text(_structure(files), "utf-8")
        ours = [sys.executable, "-m", "pytest", *quiet, "-p", "dockerlab", "test_ours.py"]
        commands = {"lab, index on disk": ours, "lab, first run ever": ours}
        commands["pytest-testinfra"] = [*pytest_of, *quiet, "test_testinfra.py"]
        if structure:
            # Not its tar driver: it unpacks the whole image for each check, and had not ended after eight minutes.
            commands["container-structure-test"] = [
                *(structure, "test", "--image", image, "--driver", "docker", "--config", "structure.json", "--quiet")
            ]
        environ = {**os.environ, "DOCKER_HOST": url, "DOCKERLAB_ENGINE": url, "DOCKERLAB_CACHE": str(cache)}
        # Else whoever was not compiled when installed pays for that in each round.
        environ.pop("PYTHONDONTWRITEBYTECODE", None)
        # Nor for plugins that happen to be installed beside.
        environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
        for turn in range(rounds + 1):  # the first one warms up
            for contender, command in commands.items():
                if contender == "lab, first run ever":
                    shutil.rmtree(cache, ignore_errors=True)
                started = time.perf_counter()
                done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
                if done.returncode:
                    if not turn:
                        print(f"{contender} is left out: {(done.stdout + done.stderr).strip()[-300:]}")
                    continue
                if turn:
                    times.setdefault(contender, []).append(time.perf_counter() - started)
                if contender == "lab, first run ever":
                    _index(url, image, environ)
    return times


def _index(url: str, image: str, environ: Mapping[str, str]) -> None:
    """Have the image's index on disk, as a run has that asked for more."""
    script = (
        "import sys; from pytest_dockerlab.engine.engine import Engine; "
        "from pytest_dockerlab.engine.endpoint import Endpoint; "
        "Engine(Endpoint(url=sys.argv[1], name='b', source='b')).images.get(sys.argv[2]).files.layers()"
    )
    subprocess.run([sys.executable, "-c", script, url, image], env=environ, check=True)


def tables(bench: Bench) -> Iterator[Table | Listing]:
    """File checks, compared with the peer that does them by exec; and what an image's index costs."""
    image = bench.lab.image("python:3.10-slim").name
    times = file_checks(bench.url, image, 1 if bench.quick else bench.rounds, Path(bench.peers).parent)
    names = sorted(times, key=lambda name: name != "pytest-testinfra")
    rows = tuple(Row(name=name, seconds=tuple(times[name])) for name in names)
    yield Table(title=f"{CHECKS} file checks of one image: exist, mode, owner", rows=rows)
    shapes = SHAPES[:0] if bench.quick else SHAPES
    yield Listing(
        title="an image's index: made from a saved archive, and looked at again by the next run",
        head=("", "made", "more memory", "again", "entries"),
        rows=tuple(
            (name, f"{seconds:.1f} s", f"{memory:.0f} MB", f"{again:.0f} ms", f"{count:,}")
            for name, seconds, memory, again, _, count in index_costs(shapes)
        ),
    )


def print_ratios(times: Mapping[str, Sequence[float]], ours: str) -> None:
    """Each contender's median, and ours as a part of it."""
    middle = statistics.median(times[ours])
    print(f"{'':<36}{'median':>8}{'min':>8}{'max':>8}   {ours!r} is")
    for contender, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{contender:<36}{median:>7.2f}s{min(seconds):>7.2f}s{max(seconds):>7.2f}s{middle / median:>9.2f} of it")


def index_costs(
    shapes: Sequence[tuple[str, int, int]] = SHAPES,
) -> Iterator[tuple[str, float, float, float, float, int]]:
    """Indexes: name, seconds to make, MB of memory to make, ms to open and look again (by the clock, CPU), entries."""
    for name, count, size in shapes:
        with tempfile.TemporaryDirectory() as place:
            image, diff_ids = _saved_image(Path(place), count, size)
            command = [sys.executable, "-c", READER, f"{place}/image.tar", f"{place}/index", image]
            command += [_path(count // 2), *diff_ids]
            said = [
                subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() for _ in range(4)
            ]
            again, worked = (1000 * statistics.median(float(row[n]) for row in said[1:]) for n in (0, 1))
            yield name, float(said[0][0]), int(said[0][2]) / 1024, again, worked, int(said[0][3])


def _path(number: int) -> str:
    return f"/opt/{number % 100}/{number % 7}/{number:08d}.py"


def _saved_image(folder: Path, count: int, size: int, layers: int = 10) -> tuple[str, list[str]]:
    """Write ``image.tar`` as ``docker save`` does, a layer at a time; the image's id and its diff ids."""
    content, diff_ids, names = os.urandom(size), [], []
    with tarfile.open(folder / "image.tar", "w") as saved:
        for layer in range(layers):
            place = folder / "layer.tar"
            with tarfile.open(place, "w") as tar:
                numbers = range(layer * count // layers, (layer + 1) * count // layers)
                paths = [PurePosixPath(_path(number)[1:]) for number in numbers]
                for parent in sorted({parent for path in paths for parent in path.parents} - {PurePosixPath()}):
                    _add(tar, str(parent), b"", tarfile.DIRTYPE)
                for path in paths:
                    _add(tar, str(path), content)
            with place.open("rb") as stream:
                diff_ids.append("sha256:" + _digest(stream))
            names.append(f"{layer:02d}/layer.tar")
            saved.add(place, names[-1])
            place.unlink()
        config = json.dumps({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": diff_ids}}).encode()
        manifest = [{"Config": "config.json", "RepoTags": ["big:1"], "Layers": names}]
        _add(saved, "config.json", config)
        _add(saved, "manifest.json", json.dumps(manifest).encode())
    return "sha256:" + hashlib.sha256(config).hexdigest(), diff_ids


def _digest(stream: BinaryIO) -> str:
    digest = hashlib.sha256()
    while chunk := stream.read(1024**2):
        digest.update(chunk)
    return digest.hexdigest()


def _add(tar: tarfile.TarFile, name: str, content: bytes, kind: bytes = tarfile.REGTYPE) -> None:
    header = tarfile.TarInfo(name)
    header.type = kind
    header.size, header.mode = len(content), 0o644
    tar.addfile(header, io.BytesIO(content))


def main() -> None:
    """Take the measurements and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.files", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--image", default="python:3.10-slim")
    parser.add_argument("--peers", type=Path, help="bin folder of an environment with the peers")
    parser.add_argument("--url", default=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    chosen = parser.parse_args()
    print(f"{'index of an image':<36}{'made':>8}{'memory':>8}{'again':>9}{'CPU':>9}{'entries':>9}")
    for name, seconds, memory, again, worked, count in index_costs():
        print(f"{name:<36}{seconds:>7.2f}s{memory:>6.1f}MB{again:>7.1f}ms{worked:>7.1f}ms{count:>9}")
    print(f"\n{CHECKS} file checks of {chosen.image}, {chosen.rounds} rounds, load {os.getloadavg()[0]:.1f}")
    print_ratios(file_checks(chosen.url, chosen.image, chosen.rounds, chosen.peers), "lab, index on disk")


if __name__ == "__main__":
    main()
