"""A conversation with a container's main process, on a terminal or on plain pipes."""

from __future__ import annotations

import re
import time
from types import TracebackType
from typing import TYPE_CHECKING

from pytest_dockerlab.engine.bounded import MOST, too_much
from pytest_dockerlab.engine.hijack import UPGRADE, Duplex, Frames
from pytest_dockerlab.errors import ContainerFailed, EngineError, LabError, WaitTimedOut

if TYPE_CHECKING:
    from pytest_dockerlab.engine.api import Api

__all__ = ["DETACH_KEYS", "Terminal", "attach"]

#: Ctrl-P Ctrl-Q: the engine detaches a client that sends them on a terminal, unless told of other keys.
DETACH_KEYS = b"\x10\x11"
_TAIL = 2000


def attach(
    api: Api,
    container: str,
    *,
    tty: bool,
    stdin: bool = True,
    stdout: bool = True,
    stderr: bool = True,
    logs: bool = False,
    detach_keys: str = "",
) -> Terminal:
    """Open the connection; see ``Containers.attach``."""
    about = f"terminal of container {container[:12]}"
    response = api.send(
        "POST",
        f"/containers/{container}/attach",
        params={
            "stream": True,
            "stdin": stdin,
            "stdout": stdout,
            "stderr": stderr,
            "logs": logs,
            "detachKeys": detach_keys or None,
        },
        headers=UPGRADE,
        stream=True,
        about=about,
    )
    return Terminal(api, container, Duplex(response, about), tty=tty)


class Terminal:
    """What is typed and what is shown.

    On a terminal the engine sends one raw stream, in which lines end in CR LF and
    input is echoed; on pipes both output streams come merged in order.

    Attributes:
        transcript: everything received so far.
        tty: whether the container has a terminal.
    """

    def __init__(self, api: Api, container: str, pipe: Duplex, *, tty: bool) -> None:
        self._api = api
        self._container = container
        self._pipe = pipe
        self._frames = None if tty else Frames()
        self._read = 0
        self._ended = False
        self.transcript = b""
        self.tty = tty

    def send(self, data: bytes | str, timeout: float = 10.0) -> None:
        """Type ``data``; nothing is added to it, a line wants its ``\\n``.

        Raises:
            WaitTimedOut: the process did not take it.
        """
        try:
            self._pipe.send(data.encode() if isinstance(data, str) else data, timeout)
        except TimeoutError as error:
            raise self._late(f"input of {len(data)} bytes was not taken", timeout) from error
        except OSError as error:
            what = f"{self}: input could not be sent: {error}"
            raise ContainerFailed(what, remedy="look whether the process is still there") from error

    def read_until(self, pattern: bytes | str | re.Pattern[bytes], timeout: float = 10.0) -> bytes:
        """What came since the last read, up to and with ``pattern`` (bytes or text as they stand, or a compiled regex).

        Raises:
            WaitTimedOut: it did not come in ``timeout`` seconds.
            ContainerFailed: the stream ended without it.
        """
        if isinstance(pattern, str):
            pattern = pattern.encode()
        compiled = re.compile(re.escape(pattern)) if isinstance(pattern, bytes) else pattern
        deadline = time.monotonic() + timeout
        received = False
        while True:
            if match := compiled.search(self.transcript, self._read):
                return self._take(match.end())
            if self._ended:
                raise ContainerFailed(
                    f"{self}: the stream ended without {compiled.pattern!r}; it held {self._unread()!r}",
                    remedy="look at the container's state and log",
                )
            try:
                # Where something always comes the time runs out, too.
                self._receive(deadline - time.monotonic(), more=received)
                received = True
            except TimeoutError as error:
                raise self._late(f"no {compiled.pattern!r}", timeout) from error

    def read_all(self, timeout: float = 10.0) -> bytes:
        """What comes from the last read to the stream's end: the process has ended, or one has been detached.

        Raises:
            WaitTimedOut: the stream did not end in ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        received = False
        while not self._ended:
            try:
                self._receive(deadline - time.monotonic(), more=received)
                received = True
            except TimeoutError as error:
                raise self._late("the stream did not end", timeout) from error
        return self._take(len(self.transcript))

    def end_input(self) -> None:
        """Close standard input (pipes), or type Ctrl-D (terminal)."""
        if self.tty:
            self.send(b"\x04")
        else:
            self._pipe.end_input()

    def detach(self, timeout: float = 10.0) -> None:
        """Leave the process running: type Ctrl-P Ctrl-Q, and wait for the engine to hang up. Needs a terminal."""
        self.send(DETACH_KEYS)
        rest = self._read
        self.read_all(timeout)
        self._read = rest

    def resize(self, rows: int, columns: int) -> None:
        """Change the terminal's size. The process must be running."""
        self._api.send(
            "POST", f"/containers/{self._container}/resize", params={"h": rows, "w": columns}, about=str(self)
        )

    def close(self) -> None:
        """Hang up. The process stays, but loses its input if that was opened once only."""
        self._pipe.close()

    def _receive(self, left: float, *, more: bool) -> None:
        if more and left <= 0:
            raise TimeoutError(f"{self}: something came, and not the end of it")
        if len(self.transcript) > MOST:
            raise too_much(str(self))
        data = self._pipe.receive(max(0.0, left))
        if not data:
            self._ended = True
        elif self._frames is None:
            self.transcript += data
        else:
            self.transcript += b"".join(content for _, content in self._frames.feed(data))

    def _take(self, end: int) -> bytes:
        start, self._read = self._read, end
        return self.transcript[start:end]

    def _unread(self) -> bytes:
        return self.transcript[self._read :][-_TAIL:]

    def _late(self, what: str, timeout: float) -> LabError:
        if isinstance(error := self._api.late(str(self), timeout), EngineError):
            return error
        return WaitTimedOut(
            f"{self}: {what} after {timeout:g} s; unread: {self._unread()!r}",
            remedy="check what the process waits for, or give it more time",
        )

    def __str__(self) -> str:
        return f"terminal of container {self._container[:12]}"

    def __enter__(self) -> Terminal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
