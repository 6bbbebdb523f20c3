"""Requests to the Engine API over docker-py's own session, with every failure made one of ours."""

from __future__ import annotations

import contextlib
import json as _json
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.hijack import Duplex
from pytest_dockerlab.engine.pulse import Heartbeat, Pulse
from pytest_dockerlab.engine.translate import TRANSPORT_ERRORS, error_of, is_timeout, unreachable
from pytest_dockerlab.errors import EngineError, EngineUnreachable, WaitTimedOut
from pytest_dockerlab.foreign import read_json

if TYPE_CHECKING:
    from docker import APIClient
    from requests import Response

__all__ = ["CHUNK", "PODMAN_API", "Api", "OnePool", "at_least"]

CHUNK = 64 * 1024
#: Where Podman's own API begins, beside the one that is compatible with Docker's; since Podman 4.
PODMAN_API = "/v4.0.0/libpod"
_CONNECT_SECONDS = 4.0

Params = Mapping[str, object]


def at_least(version: str, wanted: str) -> bool:
    """Whether an API version such as ``1.41`` is ``wanted`` or newer."""
    return _number(version) >= _number(wanted)


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


class _Connection(UnixHTTPConnection):
    """docker-py's, but one that can't be made leaves no open socket behind."""

    def connect(self) -> None:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.settimeout(self.timeout)
            connection.connect(self.unix_socket)
        except BaseException:
            connection.close()
            raise
        self.sock = connection


class _Pool(UnixHTTPConnectionPool):
    # Thread → the connection that it waits at, or has last waited at.
    taken: dict[int, Any]

    def _get_conn(self, timeout: float | None = None) -> Any:
        connection = super()._get_conn(timeout)
        self.taken[threading.get_ident()] = connection
        return connection

    def _new_conn(self) -> _Connection:  # type: ignore[override]  # urllib3's protocol names fewer arguments
        return _Connection(self.base_url, self.socket_path, _CONNECT_SECONDS)  # type: ignore[arg-type]  # takes floats


class OnePool(UnixHTTPAdapter):
    """docker-py's unix socket, with one pool for all paths: docker-py keeps one per URL and so rarely reuses any."""

    def get_connection(self, url: bytes | str, proxies: object = None) -> UnixHTTPConnectionPool:
        with self.pools.lock:
            pool: UnixHTTPConnectionPool | None = self.pools.get("all")
            if pool is None:
                pool = self.pools["all"] = _Pool(
                    "http+docker://localhost", self.socket_path, maxsize=self.max_pool_size
                )
                pool.taken = {}
            return pool

    def cut(self, thread: int) -> None:
        """End the connection that a thread waits at: it gets an error at once."""
        with self.pools.lock:
            pool: Any = self.pools.get("all")
        connection = getattr(pool.taken.get(thread) if pool is not None else None, "sock", None)
        if connection is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                connection.shutdown(socket.SHUT_RDWR)


class Api:
    """One engine's HTTP interface at one version. Threads may share it.

    Args:
        client: docker-py's client; its version is already negotiated.
        endpoint: for messages.
        timeout: seconds without a byte after which a request has failed.
    """

    def __init__(self, client: APIClient, endpoint: Endpoint, timeout: float) -> None:
        self.client = client
        self.endpoint = endpoint
        self.pulse = Pulse(endpoint, timeout)
        self.version = str(client.api_version)

    @property
    def timeout(self) -> float:
        return self.pulse.timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self.pulse.timeout = seconds

    def at_least(self, wanted: str) -> bool:
        return at_least(self.version, wanted)

    def send(
        self,
        method: str,
        path: str,
        *,
        about: str = "",
        params: Params | None = None,
        json: object = None,
        data: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        stream: bool = False,
        timeout: float | None = 0.0,
        versioned: bool = True,
    ) -> Response:
        """Send one request; answers of 400 and above are raised.

        Args:
            about: what it is about, for the error's message.
            timeout: seconds without a byte; 0 takes the default, ``None`` waits as long as the engine answers others.

        Raises:
            LabError: as ``translate.error_of`` decides; ``EngineUnreachable`` when nothing answers;
                ``WaitTimedOut`` when the answer takes longer than a ``timeout`` that was given.
        """
        prefix = f"/v{self.version}" if versioned else ""
        body: Any = data
        sent = dict(headers or {})
        if json is not None:
            body = _json.dumps(json)
            sent["Content-Type"] = "application/json"
        read = self.timeout if timeout == 0.0 else timeout
        self.pulse.refuse()
        try:
            with self._looked_after(read):
                response = self.client.request(
                    method,
                    f"{self.client.base_url}{prefix}{quote(path, safe='/:@')}",
                    params={key: _parameter(value) for key, value in (params or {}).items() if value is not None},
                    data=body,
                    headers=sent,
                    stream=stream,
                    timeout=(_CONNECT_SECONDS, read),
                )
        except TRANSPORT_ERRORS as error:
            raise self.failed(error, about, read if timeout != 0.0 else None) from error
        if response.status_code >= 400:
            raise error_of(response.status_code, _message(response), about)
        return response

    def _looked_after(self, limit: float | None) -> contextlib.AbstractContextManager[object]:
        """A request that may take longer than an engine may be silent is given up when the engine hangs."""
        if limit is not None and limit <= self.timeout:
            return contextlib.nullcontext()
        return Heartbeat(self.pulse, self.cutter())

    def cutter(self) -> Callable[[], None]:
        """What ends the connection that the calling thread will wait at; over TCP only a timeout does."""
        adapter, thread = self.client.get_adapter(self.client.base_url), threading.get_ident()
        return partial(adapter.cut, thread) if isinstance(adapter, OnePool) else lambda: None

    def json(self, method: str, path: str, **options: Any) -> Any:
        """Send a request and read its answer as JSON (``None`` where it is empty)."""
        response = self.send(method, path, **options)
        try:
            return read_json(response.content) if response.content else None
        except ValueError as error:
            about = options.get("about") or path
            raise EngineError(f"{about}: the answer is not JSON: {response.text[:200]!r}") from error

    def chunks(self, response: Response, about: str = "") -> Iterator[bytes]:
        """The body of a streamed answer; the connection is closed when the iterator is."""
        beat = Heartbeat(self.pulse, partial(Duplex.cut, response))
        try:
            with beat:
                yield from response.iter_content(CHUNK)
        except TRANSPORT_ERRORS as error:
            raise self.failed(error, about, None) from error
        finally:
            response.close()
        if beat.silent is not None:
            raise beat.silent  # an answer without a length ends where the connection does

    def events(self, response: Response, about: str = "") -> Iterator[dict[str, Any]]:
        """The JSON lines of a streamed answer."""
        rest = b""
        for chunk in self.chunks(response, about):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (_event(line, about) for line in lines if line.strip())
        if rest.strip():
            yield _event(rest, about)

    def failed(self, error: BaseException, about: str, limit: float | None) -> EngineError | WaitTimedOut:
        """The error for a request that got no answer; ``limit`` is the caller's own timeout, if it set one."""
        if self.pulse.silent:
            return self.pulse.error()
        if is_timeout(error):
            if limit is not None:
                return self.late(about, limit)
            self.pulse.suspect()
        return unreachable(error, self.endpoint.url, self.endpoint.name, self.endpoint.source, self.endpoint.tls)

    def late(self, about: str, limit: float, remedy: str = "give it a longer timeout") -> EngineError | WaitTimedOut:
        """The error for something that is not done after ``limit`` seconds: the engine's doing, if it does not answer.

        Time that ran out over an engine that hangs says nothing of what was waited for.
        """
        try:
            self.pulse.check()
        except EngineUnreachable as error:
            return error
        return WaitTimedOut(f"{about or 'request'}: not done after {limit:g} s", remedy=remedy)


def _parameter(value: object) -> str | list[str]:
    if isinstance(value, (list, tuple)):
        return [str(part) for part in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _message(response: Response) -> str:
    try:
        answer = read_json(response.content)
    except ValueError:
        return response.text.strip() or str(response.reason)
    finally:
        response.close()
    if isinstance(answer, dict):
        # Podman's own endpoints say "cause" and "message", both engines' docker API says "message".
        return str(answer.get("message") or answer.get("cause") or answer)
    return str(answer)


def _event(line: bytes, about: str) -> dict[str, Any]:
    try:
        event = read_json(line)
    except ValueError as error:
        raise EngineError(f"{about}: the engine sent a line that is not JSON: {line[:200]!r}") from error
    return event if isinstance(event, dict) else {"status": str(event)}
