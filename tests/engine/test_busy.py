"""An engine whose host is busy: it starts containers late, or for want of something not at the first time."""

from __future__ import annotations

import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from pytest_dockerlab.engine import containers, pulse
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import EngineError, StartFailed
from pytest_dockerlab.exercises.faults import fault_of
from tests.engine.conftest import Make

_ENOUGH = 8


class Slow(socketserver.ThreadingTCPServer):
    """The run's engine at a port; what asks it for a start is held back until it was pinged often enough."""

    daemon_threads = True
    block_on_close = False
    enough = _ENOUGH

    def __init__(self, path: str) -> None:
        super().__init__(("127.0.0.1", 0), _Forward)
        self.path = path
        self.url = f"tcp://127.0.0.1:{self.server_address[1]}"
        self.pings = 0
        self.released = threading.Event()

    def heard(self, data: bytes) -> None:
        if b"/_ping" in data:
            self.pings += 1
            if self.pings >= self.enough:
                self.released.set()
        if b"/start HTTP" in data:
            self.released.wait()


class _Forward(socketserver.BaseRequestHandler):
    server: Slow

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX) as there:
            there.connect(self.server.path)
            threading.Thread(target=self._pump, args=(there, self.request), daemon=True).start()
            self._pump(self.request, there, self.server.heard)

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, hear: Callable[[bytes], None] = lambda data: None) -> None:
        try:
            while data := source.recv(65536):
                hear(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            return  # the other side has had enough


@pytest.fixture
def slow(engine: Engine, need: Callable[[str], None]) -> Iterator[Slow]:
    need("" if engine.endpoint.socket else "the run's engine has no socket to forward")
    with Slow(engine.endpoint.socket) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.released.set()
        server.shutdown()


def through(slow: Slow) -> Engine:
    """The engine, taken to hang after a second of silence."""
    return Engine(Endpoint(url=slow.url, name="slow", source="test"), timeout=1)


def test_a_slow_start_is_waited_for(slow: Slow, create: Make, engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """As long as the engine answers others, it may take longer than it may be silent."""
    monkeypatch.setattr(pulse, "BEAT_SECONDS", 0.2)
    box = create("sleep", "600")
    with through(slow) as slowly:
        slowly.containers.start(box)
    assert slow.pings >= slow.enough
    assert engine.containers.state(box).running


def test_a_start_that_does_not_come_is_the_engines_fault(
    slow: Slow, create: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is given up in the end, and not taken for a container that is slow."""
    slow.enough = 1 << 30
    monkeypatch.setattr(containers, "_WORK_SECONDS", 0.5)
    with through(slow) as slowly, pytest.raises(EngineError, match="answers, and is too slow") as caught:
        slowly.containers.start(create("sleep", "600"))
    assert fault_of(caught.value) == "engine"


Refuse = Callable[[int, str], None]


@pytest.fixture
def refuse(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Refuse:
    """Has the engine refuse so many starts with these words."""

    def arrange(times: int, message: str) -> None:
        session = engine.docker.api
        send, left = session.request, times

        def request(method: str, url: str, **options: Any) -> object:
            nonlocal left
            if not url.endswith("/start") or not left:
                return send(method, url, **options)
            left -= 1
            answer = requests.Response()
            answer.status_code, answer._content = 500, b'{"message": "%s"}' % message.encode()
            return answer

        monkeypatch.setattr(session, "request", request)

    return arrange


SHORT = "failed to create shim task: fork/exec /usr/bin/runc: resource temporarily unavailable: unknown"


def test_a_passing_shortage_is_outlived(engine: Engine, create: Make, refuse: Refuse) -> None:
    """What the host has not now it may have in a moment."""
    refuse(1, SHORT)
    box = create("sleep", "600")
    engine.containers.start(box)
    assert engine.containers.state(box).running


def test_a_lasting_shortage_is_the_engines_fault(
    engine: Engine, create: Make, refuse: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After some tries; the engine's words are told."""
    monkeypatch.setattr(containers, "_TRIES", 2)
    refuse(2, SHORT)
    with pytest.raises(EngineError, match=r"for want of something: .*temporarily unavailable") as caught:
        engine.containers.start(create("sleep", "600"))
    assert fault_of(caught.value) == "engine"


def test_a_start_that_can_not_be_is_not_tried_again(engine: Engine, create: Make, refuse: Refuse) -> None:
    """A program that is not there won't be there later, whatever its name says."""
    refuse(1, "exec: fork/exec: cannot allocate memory: executable file not found in $PATH: unknown")
    with pytest.raises(StartFailed, match="no such program"):
        engine.containers.start(create("sleep", "600"))
