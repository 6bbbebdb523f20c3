"""What BuildKit reports while it solves: vertexes and their logs, in whichever encoding they came.

Two encodings, one shape: the Engine API's ``moby.buildkit.trace`` (base64 of a protobuf
``StatusResponse``, BuildKit ``api/services/control/control.proto``) and the JSON of
``docker buildx build --progress=rawjson`` (``client.SolveStatus``).
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pytest_dockerlab.build.wire import Value, fields, text, timestamp
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.foreign import read_json, said

__all__ = ["RawjsonLines", "SolveStatus", "Vertex", "VertexLog", "from_protobuf"]


_AGAIN = "see what damaged the builder's report, and build again"
_MOST_OPEN = 16 * 1024**2


@dataclass(frozen=True, slots=True, kw_only=True)
class Vertex:
    """One event of a vertex; times are seconds since the epoch."""

    digest: str = ""
    name: str = ""
    cached: bool = False
    started: float | None = None
    completed: float | None = None
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class VertexLog:
    """A piece of what a vertex printed."""

    vertex: str = ""
    data: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveStatus:
    """One message of the stream."""

    vertexes: tuple[Vertex, ...] = ()
    logs: tuple[VertexLog, ...] = ()
    warnings: tuple[str, ...] = ()


def from_protobuf(aux: str | bytes) -> SolveStatus:
    """Decode the ``aux`` of a ``moby.buildkit.trace`` message.

    Raises:
        FormatError: not base64 of a ``StatusResponse``.
    """
    try:
        data = base64.b64decode(aux, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"not a BuildKit trace: {error}: {aux[:60]!r}", remedy=_AGAIN) from None
    vertexes, logs, warnings = [], [], []
    for number, value in fields(data):
        if number == 1:
            vertexes.append(_vertex(_bytes(value)))
        elif number == 3:
            logs.append(_log(_bytes(value)))
        elif number == 4:
            warnings.append(_warning(_bytes(value)))
    return SolveStatus(vertexes=tuple(vertexes), logs=tuple(logs), warnings=tuple(warnings))


class RawjsonLines:
    """Puts the objects of rawjson together: one a line, or (buildx 0.13) indented over several lines."""

    def __init__(self) -> None:
        self._open: list[str] = []
        self._size = 0

    def feed(self, line: str) -> SolveStatus | str | None:
        """Take a line; returns a status, other text that buildx mixes in, or ``None`` within an object.

        Raises:
            FormatError: JSON of another shape.
        """
        row = line.rstrip("\r\n")
        if self._open or row.startswith("{"):
            self._open.append(row)
            self._size += len(row)
            if len(self._open) > 1 and row != "}" and self._size < _MOST_OPEN:
                return None
            whole = "\n".join(self._open)
            try:
                data = read_json(whole)
            except ValueError:
                if len(self._open) == 1 and row == "{":
                    return None
                self._clear()
                return f"{whole}\n"
            self._clear()
            if isinstance(data, dict):
                return _status(data)
        return line

    def _clear(self) -> None:
        self._open.clear()
        self._size = 0


def _status(data: Mapping[str, Any]) -> SolveStatus:
    try:
        return SolveStatus(
            vertexes=tuple(
                Vertex(
                    digest=said(each.get("digest")),
                    name=said(each.get("name")),
                    cached=each.get("cached") is True,
                    started=_iso(each.get("started")),
                    completed=_iso(each.get("completed")),
                    error=said(each.get("error") or ""),
                )
                for each in data.get("vertexes") or ()
            ),
            logs=tuple(
                VertexLog(vertex=said(each.get("vertex")), data=base64.b64decode(each.get("data") or ""))
                for each in data.get("logs") or ()
            ),
            warnings=tuple(
                base64.b64decode(each.get("short") or "").decode(errors="replace")
                for each in data.get("warnings") or ()
            ),
        )
    except (AttributeError, TypeError, ValueError, OverflowError) as error:
        raise FormatError(f"not a status of --progress=rawjson: {error}: {str(data)[:120]}", remedy=_AGAIN) from None


def _vertex(data: bytes) -> Vertex:
    digest = name = error = ""
    cached, started, completed = False, None, None
    for number, value in fields(data):
        if number == 1:
            digest = text(value)
        elif number == 3:
            name = text(value)
        elif number == 4:
            cached = bool(value)
        elif number == 5:
            started = timestamp(value)
        elif number == 6:
            completed = timestamp(value)
        elif number == 7:
            error = text(value)
    return Vertex(digest=digest, name=name, cached=cached, started=started, completed=completed, error=error)


def _log(data: bytes) -> VertexLog:
    found = dict(fields(data))
    return VertexLog(vertex=text(found.get(1, b"")), data=_bytes(found.get(4, b"")))


def _warning(data: bytes) -> str:
    found: Mapping[int, Value] = dict(fields(data))
    return text(found.get(3, b""))


def _bytes(value: Value) -> bytes:
    if isinstance(value, int):
        raise FormatError(f"not a BuildKit trace: the number {value} where a message belongs", remedy=_AGAIN)
    return value


def _iso(value: object) -> float | None:
    if not value:
        return None
    if not isinstance(value, str):
        raise TypeError(f"not a time: {value!r}")
    # Go prints nanoseconds; Python's parser takes microseconds, and Z only from 3.11.
    head, dot, fraction = value.replace("Z", "+00:00").partition(".")
    digits = "".join(_leading_digits(fraction))
    zone = fraction[len(digits) :]
    moment = datetime.fromisoformat(f"{head}{zone}" if dot else head)
    return moment.timestamp() + (float(f"0.{digits}") if digits else 0.0)


def _leading_digits(characters: str) -> Iterable[str]:
    for char in characters:
        if not char.isdigit():
            return
        yield char
