"""The way out of a fenced engine: hosts on the list, by requests and tunnels, and nothing else."""

from __future__ import annotations

import contextlib
import http.server
import socket
import threading
from collections.abc import Iterator

import pytest
import requests

from pytest_dockerlab.engine.private.proxy import Proxy


class _Index(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"{self.path} {sorted(name.lower() for name in self.headers)}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def index() -> Iterator[int]:
    """A server on loopback; its port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Index)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


@pytest.fixture
def proxy(index: int) -> Iterator[Proxy]:
    """A proxy that lets through that server, and a port where nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        made = Proxy("127.0.0.1", [f"localhost:{index}", f"localhost:{unused.getsockname()[1]}"], environ={})
        made.dead = unused.getsockname()[1]  # type: ignore[attr-defined]
        yield made
        made.close()


def asked(proxy: Proxy, text: str) -> bytes:
    """All that comes back for this."""
    with socket.create_connection(("127.0.0.1", proxy.port), 120) as connection:
        connection.sendall(text.encode())
        connection.shutdown(socket.SHUT_WR)
        data = b""
        while more := connection.recv(65536):
            data += more
    return data


def test_a_request_goes_through(proxy: Proxy, index: int) -> None:
    """With its path and body; what is said to the proxy stays with it."""
    through = {"http": proxy.url}
    answer = requests.get(f"http://localhost:{index}/a?b=c", proxies=through, timeout=120)
    assert answer.text.startswith("/a?b=c [")
    assert "proxy" not in answer.text
    sent = b"x" * 300_000
    assert requests.post(f"http://localhost:{index}/", sent, proxies=through, timeout=120).content == sent


def test_a_tunnel_goes_through(proxy: Proxy, index: int) -> None:
    """What is said in it is not looked at."""
    text = f"CONNECT localhost:{index} HTTP/1.1\r\n\r\nGET /in HTTP/1.0\r\n\r\n"
    data = asked(proxy, text)
    assert data.startswith(b"HTTP/1.1 200 ")
    assert b"\r\n\r\nHTTP/1.0 200 OK" in data
    assert b"/in " in data


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("GET http://127.0.0.1:{index}/ HTTP/1.1\r\nHost: localhost:{index}\r\n\r\n", 403),
        ("GET http://localhost:{index}@evil.example/ HTTP/1.1\r\n\r\n", 403),
        ("GET http://evil.example:{index}/ HTTP/1.1\r\n\r\n", 403),
        ("GET ftp://localhost:{index}/ HTTP/1.1\r\n\r\n", 400),
        ("GET / HTTP/1.1\r\nHost: localhost:{index}\r\n\r\n", 400),
        ("CONNECT localhost:22 HTTP/1.1\r\n\r\n", 403),
        ("CONNECT localhost HTTP/1.1\r\n\r\n", 403),
        ("CONNECT [::1]:{index} HTTP/1.1\r\n\r\n", 403),
        ("CONNECT localhost:99999 HTTP/1.1\r\n\r\n", 400),
        ("CONNECT http://localhost:{index}/ HTTP/1.1\r\n\r\n", 403),
        ("CONNECT localhost:{index} HTTP/1.1\r\nProxy-Authorization: Basic x\r\n\r\n", 200),
        ("CONNECT evil.example:443 HTTP/1.1\r\nProxy-Authorization: Basic ZG9ja2VybGFiOg==\r\n\r\n", 403),
        ("CONNECT localhost:{dead} HTTP/1.1\r\n\r\n", 502),
        ("\r\n\r\n", 400),
    ],
)
def test_only_the_hosts_of_the_list(proxy: Proxy, index: int, text: str, status: int) -> None:
    """What is asked for decides, not what the headers say; the reason stands in the first line."""
    dead = proxy.dead  # type: ignore[attr-defined]
    data = asked(proxy, text.format(index=index, dead=dead))
    first = data.partition(b"\r\n")[0].decode()
    assert first.split()[1] == str(status)
    assert status != 403 or "is not among the hosts that the policy lets builds reach" in first


def test_what_is_ours_reaches_all(proxy: Proxy, index: int) -> None:
    """By a password, which no submission's build gets."""
    url = f"http://127.0.0.1:{index}/"
    assert requests.get(url, proxies={"http": proxy.url}, timeout=120).status_code == 403
    assert requests.get(url, proxies={"http": proxy.open_url}, timeout=120).status_code == 200


@pytest.mark.parametrize("text", ["", "GET ", "x" * 100_000])
def test_what_is_no_request_ends_the_connection(proxy: Proxy, text: str) -> None:
    """And nothing else: the next one is served."""
    with contextlib.suppress(ConnectionError):  # it does not read to the end
        assert asked(proxy, text) == b""
    assert asked(proxy, "GET http://evil.example/ HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 403 ")


def test_this_machines_own_proxy_is_asked_in_turn(index: int) -> None:
    """Whose password is not the build's to know."""
    outer = Proxy("127.0.0.1", [], environ={})
    inner = Proxy(
        "127.0.0.1", [f"localhost:{index}"], environ={"http_proxy": outer.open_url, "https_proxy": outer.open_url}
    )
    try:
        answer = requests.get(f"http://localhost:{index}/x", proxies={"http": inner.url}, timeout=120)
        assert answer.text.startswith("/x [")
        assert asked(inner, f"CONNECT localhost:{index} HTTP/1.1\r\n\r\nGET / HTTP/1.0\r\n\r\n").startswith(
            b"HTTP/1.1 200"
        )
    finally:
        inner.close()
        outer.close()
