"""Plain HTTP to an engine, for questions asked before docker-py is worth importing."""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import subprocess
from dataclasses import dataclass
from urllib.parse import urlsplit

from pytest_dockerlab.engine.endpoint import Endpoint, Tls
from pytest_dockerlab.engine.tls import context, explained, missing_file
from pytest_dockerlab.engine.tunnel import ssh_command

__all__ = ["NO_ANSWER", "Answer", "UnixConnection", "ask", "connection", "ping"]

#: How the reason of an engine begins that took the question, and said nothing.
NO_ANSWER = "no answer"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self.sock.settimeout(self.timeout)
            self.sock.connect(self._path)
        except BaseException:
            self.sock.close()
            self.sock = None
            raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Whether an engine answered, and what was in the way if it did not.

    Attributes:
        remedy: what to do, where that is known better than by whoever asked.
    """

    ok: bool
    reason: str
    remedy: str = ""


def ask(path: str, method: str, target: str, *, timeout: float = 5.0) -> tuple[int, bytes]:
    """One request over the unix socket ``path``: status and body. Raises: OSError, http.client.HTTPException."""
    with contextlib.closing(UnixConnection(path, timeout)) as connection:
        connection.request(method, target)
        response = connection.getresponse()
        return response.status, response.read()


def ping(endpoint: Endpoint, *, timeout: float = 3.0) -> Answer:
    """Ask ``GET /_ping``, and put into words why there is no answer. Never raises for an engine that is not there.

    Args:
        endpoint: its address; ssh is asked for whether a connection can be made at all.
        timeout: seconds.
    """
    parts = urlsplit(endpoint.url)
    if endpoint.tls is not None and (path := missing_file(endpoint.tls)):
        return _explained(path, endpoint)
    try:
        if parts.scheme == "unix":
            status, body = ask(endpoint.socket, "GET", "/_ping", timeout=timeout)
        elif parts.scheme == "ssh":
            return _ping_ssh(endpoint.url, timeout)
        elif parts.scheme in ("tcp", "http", "https"):
            status, body = _ping_tcp(endpoint, timeout)
        else:
            return Answer(ok=False, reason=f"not an address of an engine: {endpoint.url!r}")
    except FileNotFoundError:
        return Answer(ok=False, reason="no such socket")
    except PermissionError:
        return Answer(ok=False, reason="this user may not open the socket (is it in the group docker?)")
    except ConnectionRefusedError:
        return Answer(ok=False, reason="nobody listens there")
    except TimeoutError:
        return Answer(ok=False, reason=f"{NO_ANSWER} within {timeout:g} s")
    except ssl.SSLError as error:
        return _explained(str(error), endpoint, f"TLS: {error.reason or error}")
    except (OSError, ValueError, http.client.HTTPException) as error:
        return Answer(ok=False, reason=str(error) or type(error).__name__)
    if status == 200:
        return Answer(ok=True, reason="answers")
    said = body[:80].decode(errors="replace")
    return _explained(said, endpoint, f"answers {status}, which no engine does: {said!r}")


def connection(endpoint: Endpoint, timeout: float) -> http.client.HTTPConnection | None:
    """A plain connection to an engine, not opened yet; ``None`` for one behind ssh.

    Args:
        timeout: seconds.
    """
    parts = urlsplit(endpoint.url)
    if endpoint.socket:
        return UnixConnection(endpoint.socket, timeout)
    if parts.scheme not in ("tcp", "http", "https"):
        return None
    host = parts.hostname or "localhost"
    if endpoint.tls is not None or parts.scheme == "https":
        made = context(endpoint.tls or Tls())
        return http.client.HTTPSConnection(host, parts.port or 2376, timeout=timeout, context=made)
    return http.client.HTTPConnection(host, parts.port or 2375, timeout=timeout)


def _explained(said: str, endpoint: Endpoint, otherwise: str = "") -> Answer:
    reason, remedy = explained(said, endpoint.tls)
    return Answer(ok=False, reason=reason or otherwise, remedy=remedy)


def _ping_tcp(endpoint: Endpoint, timeout: float) -> tuple[int, bytes]:
    opened = connection(endpoint, timeout)
    assert opened is not None
    with contextlib.closing(opened):
        opened.connect()
        # One that refuses our certificate says so only now, and may have hung up by then.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            opened.request("GET", "/_ping")
        response = opened.getresponse()
        return response.status, response.read()


def _ping_ssh(url: str, timeout: float) -> Answer:
    request = b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n"
    try:
        done = subprocess.run(
            ssh_command(url, seconds=timeout), input=request, capture_output=True, timeout=timeout, check=False
        )
    except FileNotFoundError:
        return Answer(ok=False, reason="the ssh program is not installed")
    except subprocess.TimeoutExpired:
        return Answer(ok=False, reason=f"{NO_ANSWER} over ssh within {timeout:g} s")
    if b" 200 " in done.stdout.split(b"\r\n")[0]:
        return Answer(ok=True, reason="answers")
    last = done.stderr.decode(errors="replace").strip().splitlines()[-1:] or [f"ssh ended with {done.returncode}"]
    return Answer(ok=False, reason=last[0])
