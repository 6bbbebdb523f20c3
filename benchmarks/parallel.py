"""Suites on several workers of pytest-xdist: against their longest chain, and against docker-py's fixtures."""

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

# A file of four: an image that all have, one of its own, and tests that wait for what runs in their containers.
CHAIN = """
import pytest
from pytest_dockerlab import container_fixture, image_fixture
shared = image_fixture("FROM " + IMAGE + "\\nRUN sleep 2; head -c 9 /dev/urandom > /shared; echo NONCE\\n")
own = image_fixture("FROM " + IMAGE + "\\nRUN sleep OWN; echo NONCE NAME > /own\\n", scope="module")
box = container_fixture(own, ["sleep", "600"])
def test_shared(shared, own):
    with open("ids", "a") as file:
        file.write(shared.id + "\\n")
@pytest.mark.parametrize("number", range(COUNT))
def test_own(box, number):
    assert box.exec(["sleep", "1"]).exit_code == 0
"""
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
    """Four files on four workers; then an image that takes 2 s to build, a container and an exec for each test."""
    yield _chains(bench)
    count = 4 if bench.quick else 24
    for workers in (2,) if bench.quick else (1, 2, 4, 8):
        spread = ("-p", "xdist.plugin", "-n", str(workers))
        ours = bench.ours(f"ours, {workers} workers", times(OURS, count), *spread)
        theirs = bench.theirs(f"docker-py fixtures, {workers} workers", times(DOCKER_PY, count), *spread)
        yield bench.turns(
            f"{count} tests, {workers} workers", [_anew(theirs), _anew(ours)], rounds=min(bench.rounds, 3), warm=False
        )


def _chains(bench: Bench) -> Table:
    """The longest file by itself, and with three shorter ones beside it.

    Raises:
        RuntimeError: the image of all four was built more than once.
    """
    longest, count = (1, 1) if bench.quick else (10, 12)
    spread = ("-p", "xdist.plugin", "--dist=loadfile")
    alone = bench.ours("the longest file alone, 1 worker", CHAIN, *spread, "-n1")
    four = bench.ours("four files, 4 workers", f"{CHAIN}\n", *spread, "-n4")
    for one, names in ((alone, "a"), (four, "abcd")):
        (one.cwd / "test_it.py").unlink()
        for number, name in enumerate(names):
            text = CHAIN.replace("IMAGE", repr(bench.image)).replace("NAME", name)
            text = text.replace("OWN", str(longest * (4 - number) // 4)).replace("COUNT", str(count - number))
            (one.cwd / f"test_{name}.py").write_text(text, "utf-8")
    contenders = [replace(_anew(one), command=(*one.command[:-1], ".")) for one in (alone, four)]
    title = f"an image for all, one for each file, {count} tests of a second in the longest"
    table = bench.turns(title, contenders, rounds=min(bench.rounds, 3), warm=False)
    ids = set((four.cwd / "ids").read_text("utf-8").split())
    if len(ids) != (1 if bench.quick else min(bench.rounds, 3)):
        raise RuntimeError(f"the image of all four files was built more than once in a round: {sorted(ids)}")
    return table


def _anew(one: Contender) -> Contender:
    """Each round builds images that no round before it has built."""
    texts = {script: script.read_text("utf-8") for script in sorted(one.cwd.glob("test_*.py"))}
    run, number = uuid.uuid4().hex, itertools.count()
    return replace(one, before=lambda: _fill(texts, f"{run}{next(number)}"))


def _fill(texts: dict[Path, str], nonce: str) -> None:
    for script, text in texts.items():
        script.write_text(text.replace("NONCE", nonce), "utf-8")
