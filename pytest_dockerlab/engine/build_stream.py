"""One ``POST /build``: the archive goes out, messages come in, and a build that takes too long is cancelled."""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import IO, TYPE_CHECKING, Any, Protocol

from pytest_dockerlab.engine.api import CHUNK
from pytest_dockerlab.engine.pulse import Heartbeat
from pytest_dockerlab.engine.translate import TRANSPORT_ERRORS, error_of
from pytest_dockerlab.errors import LabError
from pytest_dockerlab.foreign import read_json

if TYPE_CHECKING:
    from requests import Response

    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Outcome", "Reader", "read_messages", "send_build"]

_MARGIN_SECONDS = 20.0


class Reader(Protocol):
    """What takes a builder's messages."""

    def feed(self, message: Mapping[str, object]) -> tuple[str, ...]:
        """Take a message; returns progress lines."""


class Outcome:
    """How the request ended: ``timed_out``, or ``lost`` with the reason when the connection broke."""

    def __init__(self) -> None:
        self.timed_out = False
        self.lost = ""


class _Deadline:
    """Cancels a build on the engine when its time is up, from a thread of its own."""

    def __init__(self, engine: Engine, build_id: str, seconds: float, outcome: Outcome) -> None:
        self._engine, self._build_id, self._outcome = engine, build_id, outcome
        self._response: Response | None = None
        self._cut_request = engine.api.cutter()
        self._timer = threading.Timer(seconds, self._expired)
        self._timer.daemon = True
        self._hang_up: threading.Timer | None = None

    def __enter__(self) -> _Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._hang_up is not None:
            self._hang_up.cancel()

    def watch(self, response: Response) -> None:
        self._response = response

    def _expired(self) -> None:
        self._outcome.timed_out = True
        self.cancel()

    def cancel(self) -> None:
        """End the build on the engine, whatever it is at."""
        if self._build_id:
            with contextlib.suppress(*TRANSPORT_ERRORS):
                api: Any = self._engine.docker.api
                api._post(api._url("/build/cancel"), params={"id": self._build_id}, timeout=_MARGIN_SECONDS).close()
            # BuildKit then ends the stream itself, with what it knows; if it doesn't, hang up.
            self._hang_up = threading.Timer(_MARGIN_SECONDS / 4, self._cut)
            self._hang_up.daemon = True
            self._hang_up.start()
        else:
            self._cut()

    def hang_up(self) -> None:
        """End the connection, however far it got."""
        if self._response is None:
            self._cut_request()
        else:
            self._cut()

    def _cut(self) -> None:
        if self._response is None:
            return
        # Closing alone does not wake a thread that is reading; shutting the socket down does, and tells the engine.
        with contextlib.suppress(*TRANSPORT_ERRORS, AttributeError):
            api: Any = self._engine.docker.api
            connection = api._get_raw_response_socket(self._response)
            (connection if isinstance(connection, socket.socket) else connection._sock).shutdown(socket.SHUT_RDWR)


def send_build(
    engine: Engine,
    body: IO[bytes],
    params: Mapping[str, object],
    reader: Reader,
    *,
    timeout: float,
    cancellable: bool,
    on_progress: Callable[[str], None] | None,
    watch: Callable[[Callable[[], None]], AbstractContextManager[object]] | None = None,
) -> Outcome:
    """Send the build and read it to its end.

    Args:
        params: of the request; repeated ones as lists.
        timeout: seconds for all of it.
        cancellable: the builder knows ``/build/cancel``; others are cancelled by hanging up.
        watch: given what cancels the build; what it makes is entered around it.

    Raises:
        LabError: the engine refused the request, or does not answer (any more).
        FormatError: its messages can't be read.
    """
    outcome = Outcome()
    build_id = secrets.token_hex(16) if cancellable else ""
    api: Any = engine.docker.api
    sent = {**params, **({"buildid": build_id} if build_id else {})}
    engine.api.pulse.refuse()
    with (
        _Deadline(engine, build_id, timeout, outcome) as deadline,
        Heartbeat(engine.api.pulse, deadline.hang_up) as beat,
        watch(deadline.cancel) if watch else contextlib.nullcontext(),
    ):
        try:
            response = api._post(
                api._url("/build"),
                data=body,
                params=sent,
                headers={"Content-Type": "application/x-tar"},
                stream=True,
                timeout=timeout + _MARGIN_SECONDS,
            )
        except TRANSPORT_ERRORS as error:
            if outcome.timed_out:
                return outcome
            raise engine.api.failed(error, "build", None) from error
        deadline.watch(response)
        try:
            if response.status_code >= 400:
                raise _refused(response)
            read_messages(response, reader, on_progress)
        except TRANSPORT_ERRORS as error:
            outcome.lost = str(error)
        finally:
            # Whatever ends the reading (Ctrl+C, too) ends the build: an engine cancels one whose client has gone.
            response.close()
    if beat.silent is not None:
        raise beat.silent
    if outcome.timed_out:
        engine.api.pulse.check()  # an engine that hangs builds nothing, whatever the Dockerfile says
    return outcome


def read_messages(response: Response, reader: Reader, on_progress: Callable[[str], None] | None) -> None:
    """Give a reader each of the messages, one a line, of an answer that comes in pieces."""
    rest: list[bytes] = []
    for chunk in response.iter_content(CHUNK):
        first, *lines = chunk.split(b"\n")
        rest.append(first)
        for line in lines:
            _take(b"".join(rest), reader, on_progress)
            rest = [line]
    _take(b"".join(rest), reader, on_progress)


def _take(line: bytes, reader: Reader, on_progress: Callable[[str], None] | None) -> None:
    if not line.strip():
        return
    try:
        message = read_json(line)
    except ValueError:
        message = {"error": f"the engine sent a line that is not JSON: {line[:200]!r}"}
    if isinstance(message, dict):
        for row in reader.feed(message):
            if on_progress is not None:
                on_progress(row)


def _refused(response: Response) -> LabError:
    try:
        answer = response.json()
        # Podman's handlers put the reason into "cause" and may leave only the status' name in "message".
        message = ": ".join(dict.fromkeys(str(answer[key]) for key in ("message", "cause") if answer.get(key)))
    except (ValueError, AttributeError):
        message = response.text.strip()
    return error_of(response.status_code, message or str(response.reason), "build")
