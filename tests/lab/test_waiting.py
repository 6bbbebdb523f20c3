"""Waiting for readiness: ours around testcontainers' strategies, and the one for Jupyter."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_dockerlab.engine.results import Output
from pytest_dockerlab.errors import ContainerFailed, NotFound, UsageError, WaitTimedOut
from pytest_dockerlab.lab import waiting
from pytest_dockerlab.lab.waiting import (
    CompositeWaitStrategy,
    HttpWaitStrategy,
    LogMessageWaitStrategy,
    WaitStrategy,
    as_strategy,
    jupyter_ready,
    wait_until_ready,
)
from pytest_dockerlab.run.state import ContainerState


class Clock:
    """Time that goes on when it is looked at."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


class FakeContainer:
    """A container of which only the state and the log matter."""

    def __init__(self, *states: str) -> None:
        self.states = list(states)
        self.spec = SimpleNamespace(image="fake")
        containers = SimpleNamespace(
            state=lambda _: ContainerState(status="exited", exit_code=3),
            logs=lambda _, tail: Output(stdout=b"last words\n", both=b"last words\n"),
        )
        self.engine = SimpleNamespace(containers=containers)

    @property
    def status(self) -> str:
        return self.states.pop(0) if len(self.states) > 1 else self.states[0]

    def get_container_id(self) -> str:
        return "f" * 64


class Fake(WaitStrategy):
    """Fails as often as it is told to."""

    def __init__(self, *failures: Exception) -> None:
        super().__init__()
        self.failures = list(failures)
        self.timeouts: list[float] = []

    def __deepcopy__(self, memo: object) -> Fake:
        return self

    def wait_until_ready(self, container: Any) -> None:
        self.timeouts.append(self._startup_timeout)
        if self.failures:
            raise self.failures.pop(0)


def wait(strategy: Any, *states: str, timeout: float = 10.0) -> None:
    wait_until_ready(FakeContainer(*(states or ("running",))), strategy, timeout, Clock())  # type: ignore[arg-type]


def test_a_strategy_is_asked_again_until_it_is_satisfied() -> None:
    """A strategy gets a short while at a time, again and again."""
    strategy = Fake(TimeoutError("not yet"), TimeoutError("not yet"))
    wait(strategy)
    assert strategy.timeouts == [2.0, 2.0, 2.0]


def test_a_container_that_has_ended_is_not_waited_for() -> None:
    """Between two looks the container's end is seen, and told with its exit code and log."""
    strategy = Fake(*[TimeoutError("not yet")] * 9)
    with pytest.raises(ContainerFailed, match=r"(?s)fake ended before it was ready: exited \(3\)\n.*last words"):
        wait(strategy, "running", "exited", timeout=1000)
    assert len(strategy.timeouts) == 2


def test_a_port_of_a_container_that_does_not_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not found: waited for while the container starts once more, told as its end, or as what was asked for."""
    monkeypatch.setattr(waiting, "_POLL_SECONDS", 0)
    missing = NotFound("publishes no port 80/tcp")
    strategy = Fake(missing, missing)
    wait(strategy, "restarting", "restarting", "running")
    assert len(strategy.timeouts) == 3
    with pytest.raises(ContainerFailed, match=r"(?s)ended before it was ready: exited \(3\)\n.*last words"):
        wait(Fake(missing), "exited")
    with pytest.raises(NotFound):
        wait(Fake(missing), "running")


def test_the_timeout_shows_what_was_waited_for_and_the_log() -> None:
    """When time is over, the last reason and the end of the log are told."""
    strategy = Fake(*[TimeoutError("port 80 is closed")] * 99)
    with pytest.raises(WaitTimedOut, match=r"(?s)fake is not ready after 10 s \(port 80 is closed\)\n.*last words"):
        wait(strategy)


def test_a_timeout_of_the_strategys_own_goes_first() -> None:
    """Who set a timeout on the strategy meant it."""
    strategy = Fake(*[TimeoutError("no")] * 99).with_startup_timeout(4)
    with pytest.raises(WaitTimedOut, match="after 4 s"):
        wait(strategy)


def test_a_strategy_that_gives_up_is_believed() -> None:
    """An error other than a timeout ends the waiting."""
    with pytest.raises(ContainerFailed, match=r"(?s)fake will not be ready: unhealthy: curl failed\n.*last words"):
        wait(Fake(RuntimeError("unhealthy: curl failed")))


def test_a_shared_strategy_keeps_its_settings() -> None:
    """Waiting changes nothing about a strategy that others use, too."""
    strategy = CompositeWaitStrategy(LogMessageWaitStrategy("never"))
    before = strategy._startup_timeout, strategy._poll_interval
    with pytest.raises(ContainerFailed):
        wait(strategy)
    assert (strategy._startup_timeout, strategy._poll_interval) == before


def test_text_waits_for_the_log() -> None:
    """Text is a regular expression for the log; other things are refused."""
    assert isinstance(as_strategy("ready$"), LogMessageWaitStrategy)
    assert isinstance(as_strategy(HttpWaitStrategy(80)), HttpWaitStrategy)
    with pytest.raises(UsageError, match="wait: not a wait strategy: 3"):
        as_strategy(3)  # type: ignore[arg-type]


class Jupyter(BaseHTTPRequestHandler):
    """As much of a server as readiness needs: /api is open, /api/status wants the token."""

    def do_GET(self) -> None:
        server: Any = self.server
        server.asked.append(self.path)
        code = 200
        if len(server.asked) <= server.failures:
            code = 503
        elif self.path not in (f"{server.base}api", f"{server.base}api/status"):
            code = 404
        elif self.path.endswith("status") and server.token not in ("", self.headers.get("Authorization")):
            code = 403
        self.send_response(code)
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Any]:
    made: Any = HTTPServer(("127.0.0.1", 0), Jupyter)
    made.token, made.base, made.failures, made.asked = "", "/", 0, []
    thread = threading.Thread(target=made.serve_forever, args=(0.01,))
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def target(server: Any) -> Any:
    return SimpleNamespace(
        get_container_host_ip=lambda: "127.0.0.1", get_exposed_port=lambda port: server.server_address[1]
    )


def test_jupyter_is_ready_when_both_answer(server: Any) -> None:
    """A server that is still starting is asked until version and status come."""
    server.failures = 2
    jupyter_ready().with_poll_interval(0).wait_until_ready(target(server))
    assert server.asked == ["/api", "/api", "/api", "/api/status"]


def test_jupyters_token_and_base_url(server: Any) -> None:
    """The token is sent as Jupyter wants it, below the base URL."""
    server.token, server.base = "token secret", "/user/me/"
    jupyter_ready(token="secret", base_url="/user/me").wait_until_ready(target(server))
    assert server.asked == ["/user/me/api", "/user/me/api/status"]


def test_a_wrong_token_is_told_at_once(server: Any) -> None:
    """A refused token will not be taken later: no waiting."""
    server.token = "token secret"
    with pytest.raises(RuntimeError, match="/api/status answers 403: the server does not take this token"):
        jupyter_ready(token="wrong").wait_until_ready(target(server))


def test_a_server_that_is_not_jupyter(server: Any) -> None:
    """The timeout says what was asked and what came."""
    server.base = "/other/"
    with pytest.raises(TimeoutError, match=r"Jupyter at http://127.* is not ready after 0 s: /api answers 404"):
        jupyter_ready().with_startup_timeout(0).wait_until_ready(target(server))
