"""Containers that misbehave, and a machine that has no room for them: a clear error, and they go like all others."""

from __future__ import annotations

import random
import socket
import uuid
from collections.abc import Iterator

import pytest

from pytest_dockerlab import (
    BuildTimedOut,
    Conflict,
    EngineError,
    Lab,
    StartFailed,
    WaitTimedOut,
    assert_exit_code,
)
from pytest_dockerlab.lab.building import Bases
from tests.faults.mortal import left, until


@pytest.fixture
def lab(lab_session: Lab) -> Iterator[Lab]:
    """A lab that is closed before the test ends, and has left nothing."""
    lab_session.image("alpine")
    bases: Bases = lab_session.bases
    with Lab(lab_session.engine, bases) as lab:
        yield lab
    assert left(lab.engine.endpoint, lab.ownership.run) == []


def test_a_name_that_is_taken(lab: Lab) -> None:
    """The error names it and who has it; the one that has it is untouched."""
    name = f"taken-{uuid.uuid4().hex}"
    first = lab.run("alpine", ["sleep", "600"], name=name, init=True)
    with pytest.raises(Conflict, match=rf"container '{name}' of alpine.*already in use(.|\n)*→ take another name"):
        lab.run("alpine", ["true"], name=name)
    assert first.state.running


def test_a_port_that_is_taken(lab: Lab) -> None:
    """By another program of this machine: the error says so, and what to do; the container that was created goes."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StartFailed, match=r"a port that it publishes is taken: (.|\n)*→ leave the host port out"):
            lab.run("alpine", ["sleep", "600"], ports={80: port})


def test_no_port_is_free(lab: Lab) -> None:
    """All ports that the engine may give are in use: that is the machine's fault, not the container's."""
    # Our own settings leave the choice among all ports to the engine: here it is one between two of them.
    first = random.SystemRandom().randrange(20_000, 30_000)
    body = {
        "Image": "alpine",
        "Cmd": ["sleep", "600"],
        "Labels": dict(lab.ownership.labels),
        "ExposedPorts": {"80/tcp": {}},
        "HostConfig": {
            "Init": True,
            "PortBindings": {"80/tcp": [{"HostIp": "127.0.0.1", "HostPort": f"{first}-{first + 1}"}]},
        },
    }
    made = [str(lab.engine.api.json("POST", "/containers/create", json=body)["Id"]) for _ in range(3)]

    def start_them() -> None:
        for box in made:
            lab.engine.containers.start(box)

    with pytest.raises(EngineError, match=r"no port of this machine is free for it: (.|\n)*→ end what uses them"):
        start_them()
    for box in made:
        lab.engine.containers.remove(box)


def test_one_that_ignores_sigterm(lab: Lab) -> None:
    """Its stop ends by force after the time that it was given, and its removal needs no patience at all."""
    script = ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"]
    box = lab.run("alpine", script, wait="up")
    box.stop(timeout=1)
    assert_exit_code(box, 137)
    lab.run("alpine", script, wait="up")
    # The fixture sees that both are gone.


@pytest.mark.requires("pids_limit")
def test_one_that_forks_without_end(lab: Lab) -> None:
    """Under its cap on processes it hurts nobody: it can be looked at, and it goes."""
    bomb = {"BOMB": 'while :; do sh -c "$BOMB" & done'}
    box = lab.run("alpine", ["sh", "-c", 'sh -c "$BOMB" & exec sleep 600'], env=bomb, pids=24, cpus=0.5, init=True)

    def processes() -> int:
        stats = lab.engine.containers.stats(box.id)
        return int((stats.get("pids_stats") or {}).get("current") or 0)

    # Its log, not its number of processes: those that can't fork end, so that the number goes up and down.
    until(lambda: "can't fork" in box.logs(tail=50), "it has forked up to its cap")
    assert processes() <= 24
    assert box.state.running


def test_a_command_that_never_returns(lab: Lab) -> None:
    """Its time is bounded, and on this machine it and what it has started are killed; the container lives."""
    box = lab.run("alpine", ["sleep", "600"], init=True)
    command = ["sh", "-c", "sleep 4711 & sleep 4712 & wait"]
    with pytest.raises(WaitTimedOut, match=r"exec 'sh -c .*not done after 2 s\n  → give it a longer timeout") as caught:
        box.exec(command, timeout=2)
    if lab.engine.endpoint.private:
        assert "its process was killed" in str(caught.value)
        assert "471" not in box.exec(["ps"]).output
    assert box.state.running


def test_a_command_that_prints_without_end(lab: Lab) -> None:
    """Its time is bounded, too: there is always something more to read."""
    box = lab.run("alpine", ["sleep", "600"], init=True)
    with pytest.raises(WaitTimedOut, match=r"exec 'sh -c .* not done after 1 s"):
        box.exec(["sh", "-c", "while :; do echo tick; sleep 0.01; done"], timeout=1)


def test_a_build_that_hangs(lab: Lab) -> None:
    """It is cancelled on the engine: the error names the step, and nothing of it runs on."""
    for seconds in (5, 20, 80):
        with pytest.raises(BuildTimedOut, match=rf"did not end within {seconds} s and was cancelled") as caught:
            lab.build("FROM alpine\nRUN echo on my way && sleep 4713\n", no_cache=True, timeout=seconds)
        if "on my way" in caught.value.log:
            break  # the engine had come that far
    assert "while [2/2] RUN" in caught.value.what
    assert "on my way" in caught.value.log
    if lab.engine.endpoint.private:
        until(lambda: not processes("4713"), "the step's process is gone")


def processes(word: str) -> list[str]:
    """Processes of this machine that have a word in their command line."""
    from pathlib import Path

    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue  # it has ended
        if word in words:
            found.append(" ".join(words))
    return found
