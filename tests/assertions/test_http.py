"""assert_http and its retries, on a server in a thread and on a real container."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pytest_dockerlab.assertions import assert_http, client
from pytest_dockerlab.assertions.client import ask_until_up
from pytest_dockerlab.assertions.poll import until
from pytest_dockerlab.checks.web import Exchange
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.faults import fault_of
from pytest_dockerlab.findings import CheckFailed
from pytest_dockerlab.lab import Lab

Serve = Callable[[Callable[[str, str, Mapping[str, str]], tuple[int, Mapping[str, str], bytes]]], str]


def shop(method: str, path: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    if path == "/":
        return 200, {"X-Shop": "shop/1"}, b"hello " + method.encode()
    if path == "/secret":
        return (200, {}, b"in") if headers.get("authorization") == "token t" else (403, {}, b"out")
    if path == "/moved":
        return 302, {"Location": "/"}, b""
    return 404, {}, b"nothing here"


def test_a_redirect_to_another_server_is_not_followed(serve: Serve) -> None:
    """Who answers could have the asker speak to whatever runs on this machine."""
    other = serve(shop)

    def sly(method: str, path: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
        return 302, {"Location": f"{other}/" if path == "/" else "/"}, b""

    address = serve(sly)
    with pytest.raises(CheckFailed, match="302"):
        assert_http(address)
    with pytest.raises(CheckFailed, match="302"):
        assert_http(address, "/elsewhere")


def test_a_redirect_without_end_is_left(serve: Serve) -> None:
    """After so many its answer is what there is."""
    address = serve(lambda method, path, headers: (302, {"Location": f"/x{path}"}, b""))
    with pytest.raises(CheckFailed, match="302"):
        assert_http(address)


def test_an_answer_without_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """By its size, and by its time: whoever asks has other things to do."""

    def endless(pause: float) -> str:
        listener = socket.create_server(("127.0.0.1", 0))

        def answer() -> None:
            with listener, contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    with connection, contextlib.suppress(OSError):
                        connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
                        while True:
                            connection.sendall(b"x" * (65536 if not pause else 1))
                            time.sleep(pause)

        threading.Thread(target=answer, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    with pytest.raises(CheckFailed, match="the answer does not end"):
        assert_http(endless(0), timeout=1)
    monkeypatch.setattr(client, "_SINGLE", 0.2)
    monkeypatch.setattr(client, "_GRACE", 0.2)
    with pytest.raises(CheckFailed, match="the answer does not end"):
        assert_http(endless(0.01), timeout=0.5)


def test_the_answer_is_the_evidence(serve: Serve) -> None:
    """With status, text and headers as asked for."""
    address = serve(shop)
    answer = assert_http(address, contains="hello", response_headers={"x-shop": re.compile("^shop")})
    assert (answer.status, answer.text, answer.attempts) == (200, "hello GET", 1)
    assert assert_http(address, method="POST", body="x").text == "hello POST"
    assert assert_http(address, "/secret", headers={"Authorization": "token t"}).text == "in"


def test_redirects_are_followed_unless_one_is_asked_for(serve: Serve) -> None:
    """As a browser does; the last address is the answer's."""
    address = serve(shop)
    assert assert_http(address, "moved").url == f"{address}/"
    assert assert_http(address, "/moved", status=302).headers["location"] == "/"
    assert assert_http(address, "/moved", status=(200, 302), follow=True).status == 200


def test_a_container_that_ends_while_it_is_asked(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """However far the asking has come, it is the container's doing: told with its exit code and its last words."""
    box = lab.run("alpine", ["sh", "-c", "echo last words; exec sleep 600"], ports=[8080], wait="last words")
    session = lab.engine.docker.api
    send, looks = session.request, 0

    def request(method: str, url: str, **options: Any) -> Any:
        nonlocal looks
        answer = send(method, url, **options)
        if url.endswith(f"{box.id}/json"):
            looks -= 1
            if looks == 0:
                box.kill().wait()
        return answer

    monkeypatch.setattr(session, "request", request)
    for after in itertools.count(1):
        looks = after
        with pytest.raises(CheckFailed) as caught:
            assert_http(box, timeout=0.1)
        if looks > 0:
            break  # it was not looked at that often
        # When it was looked at last it may have run.
        assert re.search(r"(?s)the container is (exited \(137\)|running).*last words", str(caught.value))
        assert fault_of(caught.value) == "student"
        box.start()
    assert after > 2


def test_a_container_that_ended_publishes_nothing(lab: Lab) -> None:
    """Whether its port is named or not: told with its exit code and its last words, not as a slip of who asks."""
    box = lab.run("alpine", ["sh", "-c", "echo last words; exit 3"], ports=[8080])
    box.wait()
    for port in (8080, None):
        with pytest.raises(CheckFailed, match=r"(?s)publish.* port.*exited \(3\).*last words"):
            assert_http(box, port=port)
    with pytest.raises(CheckFailed, match="publishes no port"):
        assert_http(lab.run("alpine", ["sleep", "600"]))


def test_another_answer_counts_at_once(serve: Serve) -> None:
    """It is shown with its status, its body and what it means."""
    address = serve(shop)
    with pytest.raises(CheckFailed, match=r"(?s)/nope answered 404\n  expected: 200\n.*nothing here.*no such path"):
        assert_http(address, "/nope", timeout=60)
    with pytest.raises(CheckFailed, match=r"does not hold what it should\n  expected: 'bye'"):
        assert_http(address, contains="bye")
    with pytest.raises(CheckFailed, match=r"another header X-Shop\n  expected: 'y'\n  found:    'shop/1'"):
        assert_http(address, response_headers={"X-Shop": "y"})


def test_a_server_that_starts_is_waited_for(serve: Serve) -> None:
    """503 is what stands before it, or what it says itself until it is ready."""
    turns = itertools.count(1)
    address = serve(lambda *_: (200 if next(turns) > 2 else 503, {}, b""))
    assert assert_http(address).attempts == 3


def test_no_answer_is_a_finding() -> None:
    """With the reason in plain words, and the number of tries."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # Bound, and nobody listens.
        with pytest.raises(
            CheckFailed, match=r"got no answer\n  expected: 200\n  found:    connection refused, \d+ tr"
        ):
            assert_http(f"http://127.0.0.1:{taken.getsockname()[1]}", timeout=0)


def test_the_hosts_proxy_is_not_asked(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container is not behind it."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert_http(serve(shop))


def test_what_is_no_address_is_refused(lab: Lab) -> None:
    """A URL needs its scheme, a container its port."""
    with pytest.raises(UsageError, match=r"not a URL: '127\.0\.0\.1:80'"):
        assert_http("127.0.0.1:80")
    with pytest.raises(UsageError, match=r"publishes 2 ports: 80/tcp, 81/tcp\n  → say which by port="):
        assert_http(lab.run("alpine", ["sleep", "600"], ports=[80, 81]))


# busybox serves one file per connection with nc; enough for HTTP.
SERVER = "printf 'HTTP/1.0 200 OK\\r\\nContent-Length: 3\\r\\n\\r\\nhi\\n' > /a; while :; do nc -l -p 80 < /a; done"


@pytest.mark.requires("loopback_ports")
def test_a_container_is_asked_by_its_only_port(lab: Lab) -> None:
    """And what has ended is not waited for: its log is shown."""
    assert assert_http(lab.run("alpine", ["sh", "-c", SERVER], ports=[80]), contains="hi").status == 200
    dying = lab.run("alpine", ["sh", "-c", "sleep 0.5; echo no server here; exit 4"], ports=[80])
    with pytest.raises(CheckFailed, match=r"(?s)got no answer.*exited \(4\).*no server here|does not publish 80/tcp"):
        assert_http(dying, port=80, timeout=600)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def exchange(**fields: Any) -> Exchange:
    return Exchange(method="GET", url="http://h/", **fields)


def test_retries_end_with_the_timeout() -> None:
    """The last answer is given, with the number of tries and the seconds."""
    clock = Clock()
    last = ask_until_up(lambda _: exchange(error="connection refused"), 5, clock=clock, sleep=clock.sleep)
    assert last.seconds == 5
    assert 5 < last.attempts < 50


def test_retries_end_with_the_container() -> None:
    """Nobody will answer any more."""
    clock = Clock()
    last = ask_until_up(lambda _: exchange(error="x"), 60, alive=lambda: clock.now < 1, clock=clock, sleep=clock.sleep)
    assert last.seconds < 3


def test_a_request_may_take_what_is_left() -> None:
    """Not more than ten seconds, not less than half a one."""
    clock = Clock()
    allowed: list[float] = []

    def send(seconds: float) -> Exchange:
        allowed.append(seconds)
        clock.sleep(seconds)
        return exchange(error="timed out")

    ask_until_up(send, 12, clock=clock, sleep=clock.sleep)
    assert allowed[0] == 10
    assert 0.5 <= allowed[1] < 2


def test_until_gives_the_first_good_answer_or_the_last() -> None:
    """And asks at least once."""
    clock = Clock()
    numbers = itertools.count()
    assert until(lambda: next(numbers), lambda n: n == 3, 60, clock=clock, sleep=clock.sleep) == 3
    assert until(lambda: "no", lambda _: False, 0, clock=clock, sleep=clock.sleep) == "no"
