"""How much of an output is read: a process may print without end, our memory is not without end."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_dockerlab.engine.hijack import STDERR
from pytest_dockerlab.engine.results import Output
from pytest_dockerlab.errors import ContainerFailed

__all__ = ["MOST", "Ends", "collect", "collect_ends", "too_much"]

#: Bytes of an output that are read whole; what is larger is an error that says how to read it.
MOST = 64 << 20
_END = 1 << 20
_GAP = b"\n[... the middle is left out ...]\n"


class Ends:
    """Keeps the first and the last ``size`` bytes of what it is fed."""

    def __init__(self, size: int = _END) -> None:
        self._size = size
        self._head, self._tail = bytearray(), bytearray()
        self._fed = 0

    def extend(self, data: bytes) -> None:
        """Take some more."""
        self._fed += len(data)
        room = self._size - len(self._head)
        self._head += data[:room]
        self._tail += data[room:]
        if len(self._tail) > 2 * self._size:
            del self._tail[: -self._size]

    def __bytes__(self) -> bytes:
        whole = self._fed <= 2 * self._size
        return bytes(self._head) + (bytes(self._tail) if whole else _GAP + bytes(self._tail[-self._size :]))


def collect(frames: Iterable[tuple[int, bytes]], about: str, most: int = MOST) -> Output:
    """All of an output.

    Raises:
        ContainerFailed: it is larger than ``most`` bytes.
    """
    out, err, both = bytearray(), bytearray(), bytearray()
    for stream, content in frames:
        if len(both) + len(content) > most:
            raise too_much(about, most)
        both += content
        (err if stream == STDERR else out).extend(content)
    return Output(stdout=bytes(out), stderr=bytes(err), both=bytes(both))


def collect_ends(frames: Iterable[tuple[int, bytes]]) -> Output:
    """The beginning and the end of an output, however large it is."""
    out, err, both = Ends(), Ends(), Ends()
    for stream, content in frames:
        both.extend(content)
        (err if stream == STDERR else out).extend(content)
    return Output(stdout=bytes(out), stderr=bytes(err), both=bytes(both))


def too_much(about: str, most: int = MOST) -> ContainerFailed:
    """The error for an output that is not read whole."""
    return ContainerFailed(
        f"{about}: more than {most >> 20} MB of output",
        remedy="read its last lines (logs(tail=1000)), follow it line by line (follow()), or have it print less",
    )
