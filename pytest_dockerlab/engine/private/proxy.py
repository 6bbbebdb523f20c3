"""The one way out of a fenced engine: an HTTP proxy on its bridge that lets through the hosts on a list.

For ``http://`` it forwards a request, for everything else it opens a tunnel (CONNECT, RFC 9110 9.3.6). What is said
in a tunnel it does not see: who may speak to a host of a large content network may speak to all that is there.
Where this machine has a proxy of its own, that is asked in turn.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import os
import re
import secrets
import select
import socket
import socketserver
import threading
from collections.abc import Iterable, Mapping
from urllib.parse import unquote, urlsplit

from pytest_dockerlab.hosts import HostList

__all__ = ["Proxy"]

_USER = "dockerlab"
_LONGEST_HEAD = 32 * 1024
_CHUNK = 64 * 1024
_CONNECT_SECONDS = 20.0
_IDLE_SECONDS = 120.0
# More than any build needs; each has a thread.
_MOST = 200
_DROPPED = re.compile(r"(?:proxy-[\w-]+|connection|keep-alive):", re.IGNORECASE | re.ASCII)


class Proxy:
    """Serves on ``(address, port)`` in threads, until closed.

    Attributes:
        url: lets through the hosts of the list.
        open_url: lets through all; for what is not a submission's: it has a password in it.
    """

    def __init__(
        self, address: str, hosts: Iterable[str], *, port: int = 0, environ: Mapping[str, str] = os.environ
    ) -> None:
        self._server = _Server((address, port), _Connection)
        self._server.allowed = HostList(hosts)
        self._server.upstream = {
            scheme: value
            for scheme in ("http", "https")
            if (value := environ.get(f"{scheme}_proxy") or environ.get(f"{scheme.upper()}_PROXY"))
        }
        self.port: int = self._server.server_address[1]
        password = secrets.token_hex(16)
        self._server.password = base64.b64encode(f"{_USER}:{password}".encode()).decode()
        self.url = f"http://{address}:{self.port}"
        self.open_url = f"http://{_USER}:{password}@{address}:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True, name="proxy").start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    allowed: HostList
    upstream: Mapping[str, str]
    password: str

    def __init__(self, *arguments: object) -> None:
        super().__init__(*arguments)  # type: ignore[arg-type]  # those of the base
        self.places = threading.BoundedSemaphore(_MOST)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that is gone, or talks nonsense, is nothing to tell."""


class _Connection(socketserver.BaseRequestHandler):
    request: socket.socket
    server: _Server

    def handle(self) -> None:
        if not self.server.places.acquire(blocking=False):
            self._refuse(503, "too many connections at a time")
            return
        try:
            self._serve()
        finally:
            self.server.places.release()

    def _serve(self) -> None:
        self.request.settimeout(_CONNECT_SECONDS)
        head, rest = self._head()
        method, _, line = head.partition(" ")
        target = line.partition("\r\n")[0].rpartition(" ")[0]
        tunnel = method == "CONNECT"
        try:
            parts = urlsplit(f"//{target}" if tunnel else target)
            host, port = parts.hostname or "", parts.port or (443 if tunnel else 80)
        except ValueError:
            host = ""
        if not host or not (tunnel or parts.scheme == "http"):
            self._refuse(400, "not a request to a proxy")
            return
        if (host, port) not in self.server.allowed and not self._is_ours(head):
            self._refuse(403, f"{host}:{port} is not among the hosts that the policy lets builds reach")
            return
        try:
            upstream, through = self._connect(host, port, "https" if tunnel else "http")
        except OSError as error:
            self._refuse(502, f"{host}:{port} does not answer: {error.strerror or type(error).__name__}")
            return
        with upstream:
            if tunnel and not through:
                self.request.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            else:
                asked = target if through else parts._replace(scheme="", netloc="").geturl() or "/"
                rows = [row for row in head.split("\r\n")[1:] if not _DROPPED.match(row)]
                more = [f"Proxy-Authorization: Basic {through}"] if through.strip() else []
                first = f"{method} {asked} HTTP/1.1"
                whole = "\r\n".join([first, *rows, *more, *([] if tunnel else ["Connection: close"]), "", ""])
                upstream.sendall(whole.encode("latin-1"))
            upstream.sendall(rest)
            _pump(self.request, upstream)

    def _head(self) -> tuple[str, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            more = self.request.recv(_CHUNK)
            if not more or len(data) > _LONGEST_HEAD:
                raise ConnectionError("no request")
            data += more
        head, _, rest = data.partition(b"\r\n\r\n")
        return head.decode("latin-1"), rest

    def _is_ours(self, head: str) -> bool:
        given = (row.partition(":") for row in head.split("\r\n"))
        said = (value.strip() for name, _, value in given if name.lower() == "proxy-authorization")
        return any(hmac.compare_digest(each.encode(), f"Basic {self.server.password}".encode()) for each in said)

    def _connect(self, host: str, port: int, scheme: str) -> tuple[socket.socket, str]:
        """A connection, and what to tell this machine's own proxy, if it is to that (a blank for nothing)."""
        proxy = self.server.upstream.get(scheme, "")
        if not proxy:
            return socket.create_connection((host, port), _CONNECT_SECONDS), ""
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        secret = f"{unquote(parts.username or '')}:{unquote(parts.password or '')}".encode()
        upstream = socket.create_connection((parts.hostname or "", parts.port or 80), _CONNECT_SECONDS)
        return upstream, base64.b64encode(secret).decode() if parts.username else " "

    def _refuse(self, status: int, why: str) -> None:
        # In the first line, too: it is all that pip and curl show of a refused tunnel.
        body = f"{why}\n".encode()
        head = f"HTTP/1.1 {status} {why}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\n"
        with contextlib.suppress(OSError):
            self.request.sendall(f"{head}Connection: close\r\n\r\n".encode("latin-1", "replace") + body)


def _pump(one: socket.socket, other: socket.socket) -> None:
    """Pass on what each says to the other, until both have ended, or neither says anything for long."""
    to = {one: other, other: one}
    for each in to:
        each.settimeout(_IDLE_SECONDS)
    while to:
        ready, _, _ = select.select(list(to), [], [], _IDLE_SECONDS)
        if not ready:
            return
        for each in ready:
            data = each.recv(_CHUNK)
            if data:
                to[each].sendall(data)
            else:
                with contextlib.suppress(OSError):
                    to[each].shutdown(socket.SHUT_WR)
                del to[each]
