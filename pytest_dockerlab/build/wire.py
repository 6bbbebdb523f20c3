"""Protocol Buffers' wire format, read without a protobuf package (protobuf.dev/programming-guides/encoding)."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_dockerlab.errors import FormatError

__all__ = ["Value", "fields", "text", "timestamp"]

Value = int | bytes

_VARINT, _I64, _LEN, _I32 = 0, 1, 2, 5


def fields(data: bytes) -> Iterator[tuple[int, Value]]:
    """Each field of a message: its number, and an int or (strings, messages) bytes.

    Raises:
        FormatError: not a message.
    """
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise _damaged(f"field number 0 at byte {at}")
        if kind == _VARINT:
            value, at = _varint(data, at)
            yield number, value
            continue
        if kind == _LEN:
            size, at = _varint(data, at)
        elif kind in (_I64, _I32):
            size = 8 if kind == _I64 else 4
        else:
            raise _damaged(f"wire type {kind} at byte {at}")
        if at + size > len(data):
            raise _damaged(f"field {number} is cut off at byte {at} (of {size} bytes)")
        chunk = data[at : at + size]
        yield number, chunk if kind == _LEN else int.from_bytes(chunk, "little")
        at += size


def _damaged(what: str) -> FormatError:
    return FormatError(
        f"not a protobuf message: {what}", remedy="see what cut the engine's stream off, and build again"
    )


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 70:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if not byte & 0x80:
            return value & (1 << 64) - 1, at
    raise _damaged(f"a number is cut off at byte {at}")


def text(value: Value) -> str:
    """A string field; bytes that are no UTF-8 are replaced."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


def timestamp(value: Value) -> float:
    """Seconds since the epoch of a ``google.protobuf.Timestamp``.

    Raises:
        FormatError: not one.
    """
    seconds = nanos = 0
    for number, each in fields(_message(value)):
        if number == 1 and isinstance(each, int):
            seconds = each - (1 << 64) if each >> 63 else each  # int64
        elif number == 2 and isinstance(each, int):
            nanos = each
    return seconds + nanos / 1e9


def _message(value: Value) -> bytes:
    if isinstance(value, int):
        raise _damaged(f"the number {value}")
    return value
