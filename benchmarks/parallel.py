"""A suite with an image of its own, on 1, 2, 4 and 8 workers of pytest-xdist."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.bench import Bench, Contender
from benchmarks.figures import Table
from benchmarks.fresh import times

__all__ = ["tables"]

OURS = """
import pytest
from pytest_dockerlab import container_fixture, image_fixture
built = image_fixture("FROM " + IMAGE + "\\nRUN sleep 2; echo NONCE > /built\\n", scope="run")
box = container_fixture(built, ["sleep", "600"])
@pytest.mark.parametrize("number", range(COUNT))
def test(box, number):
    assert box.exec(["true"]).exit_code == 0
"""
DOCKER_PY = """
import io
import docker, pytest
@pytest.fixture(scope="session")
def client():
    return docker.DockerClient(base_url=URL)
@pytest.fixture(scope="session")
def built(client):
    text = "FROM " + IMAGE + "\\nRUN sleep 2; echo NONCE > /built\\n"
    image, _ = client.images.build(fileobj=io.BytesIO(text.encode()), nocache=True)
    yield image
    client.images.remove(image.id, force=True)
@pytest.fixture
def box(client, built):
    made = client.containers.run(built.id, ["sleep", "600"], detach=True)
    yield made
    made.remove(force=True, v=True)
@pytest.mark.parametrize("number", range(COUNT))
def test(box, number):
    assert box.exec_run(["true"]).exit_code == 0
"""


def tables(bench: Bench) -> Iterator[Table]:
    """One table for each number of workers: an image that takes 2 s to build, a container and an exec for each test."""
    count = 4 if bench.quick else 24
    for workers in (2,) if bench.quick else (1, 2, 4, 8):
        spread = ("-p", "xdist.plugin", "-n", str(workers))
        ours = bench.ours(f"ours, {workers} workers", times(OURS, count), *spread)
        theirs = bench.theirs(f"docker-py fixtures, {workers} workers", times(DOCKER_PY, count), *spread)
        yield bench.turns(f"{count} tests, {workers} workers", [_anew(theirs), _anew(ours)], warm=False)


def _anew(one: Contender) -> Contender:
    """Each round builds an image that no round before it has built."""
    script: Path = one.cwd / "test_it.py"
    text, number = script.read_text("utf-8"), itertools.count()
    run = uuid.uuid4().hex
    return replace(one, before=lambda: script.write_text(text.replace("NONCE", f"{run}{next(number)}"), "utf-8"))
