"""Checks of layers and of the build cache."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.figures import Table
from benchmarks.fresh import times

__all__ = ["tables"]

MAKE = """
import docker, io
client = docker.DockerClient(base_url=URL)
text = "FROM " + IMAGE + "\\n" + "".join(f"RUN echo {number} > /file{number}\\n" for number in range(8))
client.images.build(fileobj=io.BytesIO(text.encode()), tag="dockerlab-bench-layers")
"""
OURS = """
import pytest
@pytest.fixture(scope="session")
def image(lab_session):
    return lab_session.image("dockerlab-bench-layers")
@pytest.mark.parametrize("number", range(COUNT))
def test(image, number):
    layer = image.files.layers()[-1 - number % 8]
    assert f"/file{7 - number % 8}" in {file.path for file in layer.files}
"""
HISTORY = """
import io, json, tarfile
import docker, pytest
@pytest.fixture(scope="session")
def client():
    return docker.DockerClient(base_url=URL)
@pytest.mark.parametrize("number", range(COUNT))
def test(client, number):
    data = b"".join(client.images.get("dockerlab-bench-layers").save())
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        names = json.load(archive.extractfile("manifest.json"))[0]["Layers"]
        with tarfile.open(fileobj=archive.extractfile(names[-1 - number % 8])) as layer:
            assert f"file{7 - number % 8}" in layer.getnames()
"""
CACHE = """
import pytest
from pytest_dockerlab import assert_reused
TEXT = "FROM " + IMAGE + "\\nRUN echo bench > /file\\n"
@pytest.mark.parametrize("number", range(COUNT))
def test(lab, number):
    lab.build(TEXT)
    assert_reused(lab.build(TEXT), step=2)
"""
CACHE_PY = """
import io
import docker, pytest
TEXT = "FROM " + IMAGE + "\\nRUN echo bench > /file\\n"
@pytest.fixture(scope="session")
def client():
    return docker.DockerClient(base_url=URL)
@pytest.mark.parametrize("number", range(COUNT))
def test(client, number):
    client.images.build(fileobj=io.BytesIO(TEXT.encode()))
    _, log = client.images.build(fileobj=io.BytesIO(TEXT.encode()))
    assert any("Using cache" in line.get("stream", "") for line in log)
"""
CACHE_CLI = """
import subprocess
import pytest
TEXT = "FROM " + IMAGE + "\\nRUN echo bench > /file\\n"
@pytest.mark.parametrize("number", range(COUNT))
def test(number):
    for _ in range(2):
        done = subprocess.run(["docker", "build", "-"], input=TEXT, capture_output=True, text=True, check=True)
    assert "CACHED" in done.stderr or "Using cache" in done.stdout
"""


def tables(bench: Bench) -> Iterator[Table]:
    """Which layer brought a file; whether a step was reused."""
    count = 3 if bench.quick else 40
    maker = bench.script("make", MAKE)
    bench.turns("", [maker], rounds=1, warm=False)
    try:
        yield bench.turns(
            f"{count} checks of the files of one layer",
            [
                bench.theirs("docker-py, image.save() and tarfile", times(HISTORY, count)),
                bench.ours("ours", times(OURS, count)),
            ],
        )
    finally:
        bench.lab.engine.images.remove("dockerlab-bench-layers", force=True)
    count = 2 if bench.quick else 10
    contenders = [
        bench.theirs("docker-py, classic builder", times(CACHE_PY, count)),
        bench.ours("ours", times(CACHE, count)),
    ]
    if shutil.which("docker"):
        contenders.append(bench.theirs("docker build", times(CACHE_CLI, count)))
    yield bench.turns(f"{count} checks that the second build reuses its step", contenders)
