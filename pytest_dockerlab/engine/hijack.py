"""A connection that has left HTTP behind: what attach and exec turn theirs into."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import CapabilityMissing, FormatError

if TYPE_CHECKING:
    from requests import Response

__all__ = ["STDERR", "STDOUT", "UPGRADE", "Duplex", "Frames"]

UPGRADE = {"Connection": "Upgrade", "Upgrade": "tcp"}
STDOUT, STDERR = 1, 2
_LAST_STREAM = 3  # the engine's own errors
_HEADER = struct.Struct(">B3sL")
_CHUNK = 64 * 1024
# Nothing came, or went, though the socket was ready: it may be ready for half a record of TLS.
_AGAIN = (BlockingIOError, InterruptedError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Frames:
    """Takes the engine's multiplexed stream apart, however it is cut into packets.

    A frame is one byte stream number, three unused, four length (big endian), then its
    content (Docker Engine API, "Attach to a container", stream format).
    """

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        """The frames that are complete by now, as (1 stdout | 2 stderr, content).

        Raises:
            FormatError: these are no frames (a terminal's output has none).
        """
        self._rest += data
        frames = []
        at = 0
        while len(self._rest) - at >= _HEADER.size:
            stream, unused, size = _HEADER.unpack_from(self._rest, at)
            if stream > _LAST_STREAM or unused != bytes(3):
                raise FormatError(
                    f"not a multiplexed stream: a frame begins with {bytes(self._rest[at : at + _HEADER.size])!r}",
                    remedy="see whether the container has a terminal (tty), whose output is not multiplexed",
                )
            end = at + _HEADER.size + size
            if len(self._rest) < end:
                break
            frames.append((stream, bytes(self._rest[at + _HEADER.size : end])))
            at = end
        del self._rest[:at]  # once, not for each frame: a log may have a million
        return frames


class Duplex:
    """Both directions of a hijacked connection, each with a deadline.

    docker-py hands out the bare socket and loses what came in one packet with the
    headers; this class takes that from the reader's buffer first.
    """

    def __init__(self, response: Response, about: str) -> None:
        self._response = response
        self._about = about
        # The way down from requests' response to the socket is nobody's public interface;
        # docker-py's attach_socket goes the same way (docker/api/client.py, _get_raw_response_socket).
        answer: Any = response.raw._fp
        reader = answer.fp
        self._socket: Any = reader.raw._sock
        self._fd: int = reader.fileno()
        self._socket.setblocking(False)
        self._early = b""
        with contextlib.suppress(*_AGAIN):  # a plain socket that has nothing yet peeks nothing
            self._early = reader.read1(len(reader.peek()))
        self._closed = False

    def receive(self, timeout: float | None) -> bytes:
        """The next bytes, ``b""`` at the end of the stream.

        Raises:
            TimeoutError: none came within ``timeout`` seconds.
        """
        early, self._early = self._early, b""
        if early:
            return early
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            if not self._pending():
                self._poll(select.POLLIN, deadline)
            try:
                return bytes(self._socket.recv(_CHUNK))
            except _AGAIN:
                continue
            except ConnectionError:
                return b""  # the other side is gone: that is the stream's end

    def send(self, data: bytes, timeout: float | None) -> None:
        """Send all of ``data``.

        Raises:
            TimeoutError: the other side did not take it within ``timeout`` seconds.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        view = memoryview(data)
        while view:
            self._poll(select.POLLOUT, deadline)
            view = view[self.send_some(view) :]

    def send_some(self, data: memoryview | bytes) -> int:
        """Send what fits now, and say how much that was."""
        try:
            return int(self._socket.send(data))
        except _AGAIN:
            return 0

    def ready(self, *, write: bool, timeout: float | None) -> tuple[bool, bool]:
        """Wait until there is something to receive, or (``write``) room to send; which of the two it is.

        Raises:
            TimeoutError: neither within ``timeout`` seconds.
        """
        if self._early or self._pending():
            return True, False
        deadline = None if timeout is None else time.monotonic() + timeout
        events = self._poll(select.POLLIN | (select.POLLOUT if write else 0), deadline)
        return bool(events & ~select.POLLOUT), bool(events & select.POLLOUT)

    def end_input(self) -> None:
        """Tell the process that no more input comes, and go on receiving.

        Raises:
            CapabilityMissing: over TLS, Python can't close one direction only.
        """
        if hasattr(self._socket, "pending"):
            raise CapabilityMissing(
                f"{self._about}: the end of standard input can't be sent over TLS",
                remedy="let the command read a known number of bytes or lines, or use a unix socket or ssh",
            )
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Hang up; a thread that waits in ``receive`` gets the stream's end."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(OSError):  # the engine hung up first
            self._socket.shutdown(socket.SHUT_RDWR)
        self._response.close()

    @staticmethod
    def cut(response: Response) -> None:
        """End the connection under a streamed response, so that a thread that reads it gets the end."""
        reader: Any = getattr(response.raw._fp, "fp", None)
        connection: Any = getattr(getattr(reader, "raw", None), "_sock", None)
        if connection is not None:
            with contextlib.suppress(OSError):  # the other side was faster
                connection.shutdown(socket.SHUT_RDWR)

    def _pending(self) -> bool:
        return bool(hasattr(self._socket, "pending") and self._socket.pending())

    def _poll(self, events: int, deadline: float | None) -> int:
        poller = select.poll()
        poller.register(self._fd, events)
        left = None if deadline is None else max(0.0, deadline - time.monotonic()) * 1000
        found = poller.poll(left)
        if not found:
            raise TimeoutError(f"{self._about}: no answer in time")
        return found[0][1]

    def __enter__(self) -> Duplex:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
