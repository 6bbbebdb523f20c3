"""A fresh container for each test: the engine's own cost is the floor."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

from benchmarks.bench import Bench, Contender
from benchmarks.figures import Table

__all__ = ["BODY", "DECLARED", "LOOP", "tables"]

LOOP = """
import docker
client = docker.DockerClient(base_url=URL)
for number in range(COUNT):
    made = client.api.create_container(IMAGE, ["sleep", "600"])
    client.api.start(made)
    client.api.remove_container(made, force=True, v=True)
"""
DECLARED = """
import pytest
from pytest_dockerlab import container_fixture
box = container_fixture(IMAGE, ["sleep", "600"])
@pytest.mark.parametrize("number", range(COUNT))
def test(box, number):
    assert box.id
"""
BODY = """
import pytest
@pytest.mark.parametrize("number", range(COUNT))
def test(lab, number):
    assert lab.run(IMAGE, ["sleep", "600"]).id
"""
DOCKER_PY = """
import docker, pytest
@pytest.fixture(scope="session")
def client():
    return docker.DockerClient(base_url=URL)
@pytest.fixture
def box(client):
    made = client.containers.run(IMAGE, ["sleep", "600"], detach=True)
    yield made
    made.remove(force=True, v=True)
@pytest.mark.parametrize("number", range(COUNT))
def test(box, number):
    assert box.id
"""
TESTCONTAINERS = """
import pytest
from testcontainers.core.container import DockerContainer
@pytest.mark.parametrize("number", range(COUNT))
def test(number):
    with DockerContainer(IMAGE).with_command(["sleep", "600"]) as box:
        assert box.get_wrapped_container().id
"""
TOOLS = """
import pytest
from pytest_docker_tools import container
box = container(image=IMAGE, command=["sleep", "600"])
@pytest.mark.parametrize("number", range(COUNT))
def test(box, number):
    assert box.id
"""
RUN = """
import subprocess
for number in range(COUNT):
    subprocess.run(["docker", "run", "--rm", IMAGE, "true"], check=True)
"""


def times(text: str, count: int) -> str:
    """A script with its number of containers filled in."""
    return text.replace("COUNT", str(count))


def tables(bench: Bench) -> Iterator[Table]:
    """All of them create, start and remove as many containers with the default network."""
    count = 3 if bench.quick else 20
    body = bench.ours("ours, in the body, from the second run on", times(BODY, count))
    contenders: list[Contender] = [
        bench.script("bare API, a loop", times(LOOP, count)),
        bench.ours("ours, declared", times(DECLARED, count)),
        bench.forgetful(bench.ours("ours, in the body, first run", times(BODY, count))),
        body,
        bench.theirs("docker-py fixtures", times(DOCKER_PY, count)),
        bench.theirs("testcontainers", times(TESTCONTAINERS, count)),
        bench.theirs("pytest-docker-tools", times(TOOLS, count), "-p", "pytest_docker_tools.plugin"),
    ]
    if shutil.which("docker"):
        contenders.append(bench.script("docker run --rm", times(RUN, count)))
    yield bench.turns(f"{count} tests, a fresh container each", contenders)
