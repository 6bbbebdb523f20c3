"""Twenty tests with a fresh container each, as whole processes, in turns on one engine.

    python -m benchmarks [--rounds 5] [--containers 20]

The floor is the bare API in a loop: create, start, wait, remove, one after the other. Each contender is a pytest run of
its own. What is printed is the median of the rounds and its ratio to the floor's.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from pytest_dockerlab.engine.discovery import obtain
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.lab import Lab
from pytest_dockerlab.settings import read_settings

FLOOR = """
import docker
client = docker.DockerClient(base_url={url!r})
for number in range({count}):
    made = client.api.create_container("{image}", ["true"])
    client.api.start(made)
    client.api.wait(made)
    client.api.remove_container(made, force=True, v=True)
"""
LAB = """
import pytest
@pytest.mark.parametrize("number", range({count}))
def test(lab, number):
    assert lab.run("{image}", ["true"]).exit_code == 0
"""
DOCKER_PY = """
import docker, pytest
@pytest.fixture(scope="session")
def client():
    return docker.DockerClient(base_url={url!r})
@pytest.mark.parametrize("number", range({count}))
def test(client, number):
    made = client.containers.run("{image}", ["true"], detach=True)
    try:
        assert made.wait()["StatusCode"] == 0
    finally:
        made.remove(force=True, v=True)
"""
TESTCONTAINERS = """
import pytest
from testcontainers.core.container import DockerContainer
@pytest.mark.parametrize("number", range({count}))
def test(number):
    with DockerContainer("{image}").with_command(["true"]) as box:
        assert box.get_wrapped_container().wait()["StatusCode"] == 0
"""


def contenders(folder: Path, url: str, image: str, count: int) -> Mapping[str, list[str]]:
    """Name → command line; each script lies in ``folder``."""
    quiet = ["-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    commands: dict[str, list[str]] = {}
    for name, text, plugin in (
        ("bare API loop", FLOOR, ""),
        ("lab", LAB, "dockerlab"),
        ("docker-py fixtures", DOCKER_PY, "no:dockerlab"),
        ("testcontainers", TESTCONTAINERS, "no:dockerlab"),
    ):
        script = folder / f"test_{name.replace(' ', '_').replace('-', '_')}.py"
        script.write_text(text.format(url=url, image=image, count=count), "utf-8")
        runner = [sys.executable, "-m", "pytest", *quiet, "-p", plugin] if plugin else [sys.executable]
        commands[name] = [*runner, str(script)]
    return commands


def measure(commands: Mapping[str, list[str]], rounds: int, folder: Path, url: str) -> dict[str, list[float]]:
    """Seconds of each contender, a round at a time, so that a machine that slows down slows all of them."""
    environ = {**os.environ, "DOCKER_HOST": url, "DOCKERLAB_ENGINE": url, "TESTCONTAINERS_RYUK_DISABLED": "true"}
    times: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds + 1):  # the first one warms up
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, cwd=folder, env=environ, check=True, stdout=subprocess.DEVNULL)
            if turn:
                times[name].append(time.perf_counter() - started)
    return times


def main() -> None:
    """Take the measurements and print them."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--containers", type=int, default=20)
    chosen = parser.parse_args()
    endpoint: Endpoint = obtain(read_settings(), owner_pid=os.getpid(), on_progress=print)
    from pytest_dockerlab.bases import Bases
    from pytest_dockerlab.engine.engine import Engine

    with tempfile.TemporaryDirectory() as name, Engine(endpoint) as engine:
        bases = Bases(engine, read_settings(), print)
        with Lab(engine, bases) as lab:
            image = lab.image("alpine").name
            folder = Path(name)
            commands = contenders(folder, endpoint.url, image, chosen.containers)
            times = measure(commands, chosen.rounds, folder, endpoint.url)
        bases.close()
    floor = statistics.median(times["bare API loop"])
    print(
        f"\n{chosen.containers} fresh containers on {engine.info.product} {engine.info.version}, {chosen.rounds} rounds"
    )
    print(f"{'':<22}{'median':>8}{'min':>8}{'max':>8}{'ratio':>8}")
    for contender, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{contender:<22}{middle:>7.2f}s{min(seconds):>7.2f}s{max(seconds):>7.2f}s{middle / floor:>8.2f}")


if __name__ == "__main__":
    main()
