"""Rows sorted by path in a file of compressed blocks: made in bounded memory, searched without reading the whole.

What is in a file: a first line that names the format, the blocks (zlib over a JSON list of rows, in the order of
their keys), a table of contents (each block's first key, place, length and checksum, and what the maker wants to
remember), and 24 bytes that say where the table of contents is. Each part is checked before it is believed.
"""

from __future__ import annotations

import heapq
import json
import struct
import threading
import zlib
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from pytest_dockerlab.errors import FormatError

__all__ = ["Row", "SortedRows", "Table"]

Row: TypeAlias = list[Any]

_FIRST_LINE = b"dockerlab rows 1\n"
_END = struct.Struct("<QII8s")
_END_MARK = b"rows-end"
_BLOCK = 128
_RUN = 8192
_BLOCKS_KEPT = 16


def _key(row: Row) -> str:
    key: str = row[0]
    return key


def _packed(rows: Iterable[Row]) -> bytes:
    return zlib.compress(json.dumps(list(rows), separators=(",", ":")).encode(), 1)


def _unpacked(data: bytes) -> Any:
    return json.loads(zlib.decompress(data))


class SortedRows:
    """Takes rows in any order, and gives the file's bytes. Of several rows with one key the last one counts.

    What waits to be written is kept compressed, some sixty bytes a row.
    """

    def __init__(self) -> None:
        self._fresh: list[Row] = []
        self._runs: list[list[bytes]] = []

    def add(self, row: Row) -> None:
        """Take one more row; its first field is the key."""
        self._fresh.append(row)
        if len(self._fresh) >= _RUN:
            self._fresh.sort(key=_key)
            self._runs.append([_packed(part) for part in _parts(self._fresh, _BLOCK)])
            self._fresh = []

    def file(self, remember: Mapping[str, Any]) -> Iterator[bytes]:
        """The finished file, piece by piece.

        Args:
            remember: is given back by ``Table.remembered``.
        """
        yield _FIRST_LINE
        place = len(_FIRST_LINE)
        blocks: list[tuple[str, int, int, int]] = []
        count = 0
        for rows in _parts(self._sorted(), _BLOCK):
            data = _packed(rows)
            blocks.append((_key(rows[0]), place, len(data), zlib.crc32(data)))
            yield data
            place += len(data)
            count += len(rows)
        contents = zlib.compress(json.dumps({**remember, "blocks": blocks, "rows": count}).encode(), 1)
        yield contents
        yield _END.pack(place, len(contents), zlib.crc32(contents), _END_MARK)

    def _sorted(self) -> Iterator[Row]:
        self._fresh.sort(key=_key)  # stable: of equal keys the later row stays behind
        runs = [(row for part in run for row in _unpacked(part)) for run in self._runs]
        previous: Row | None = None
        for row in heapq.merge(*runs, self._fresh, key=_key):
            if previous is not None and previous[0] != row[0]:
                yield previous
            previous = row
        if previous is not None:
            yield previous


def _parts(rows: Iterable[Row], size: int) -> Iterator[list[Row]]:
    part: list[Row] = []
    for row in rows:
        part.append(row)
        if len(part) >= size:
            yield part
            part = []
    if part:
        yield part


class Table:
    """A finished file of rows. Threads may share it.

    Args:
        read: gives so many bytes from a place of the file.
        size: of the file, in bytes.
        name: what to call it in messages.

    Raises:
        FormatError: damaged, or of another format. Looking at its rows may raise the same.
    """

    def __init__(self, read: Callable[[int, int], bytes], size: int, name: str) -> None:
        self._read = read
        self._name = name
        self._lock = threading.Lock()
        self._kept: dict[int, list[Row]] = {}
        if size < len(_FIRST_LINE) + _END.size or read(0, len(_FIRST_LINE)) != _FIRST_LINE:
            raise self._damaged("not a file of this format")
        place, length, checksum, mark = _END.unpack(read(size - _END.size, _END.size))
        if mark != _END_MARK or place + length + _END.size != size:
            raise self._damaged("cut off")
        #: What its maker wanted to remember, and ``rows``, how many there are.
        self.remembered: Mapping[str, Any] = self._checked(place, length, checksum)
        self._blocks: list[list[Any]] = self.remembered["blocks"]
        self._firsts = [block[0] for block in self._blocks]

    def __len__(self) -> int:
        count: int = self.remembered["rows"]
        return count

    def verify(self) -> None:
        """Read everything once, to be sure that it is whole.

        Raises:
            FormatError: it is damaged.
        """
        for _, place, length, checksum in self._blocks:
            self._bytes(place, length, checksum)

    def get(self, key: str) -> Row | None:
        """The row with this key."""
        for row in self.since(key):
            return row if row[0] == key else None
        return None

    def since(self, key: str) -> Iterator[Row]:
        """The rows from this key on, in order."""
        start = max(0, bisect_right(self._firsts, key) - 1)
        for number in range(start, len(self._blocks)):
            rows = self._block(number)
            yield from rows[_place_of(rows, key) :] if number == start else rows

    def __iter__(self) -> Iterator[Row]:
        for number in range(len(self._blocks)):
            yield from self._block(number, keep=False)

    def _block(self, number: int, *, keep: bool = True) -> list[Row]:
        with self._lock:
            if (kept := self._kept.get(number)) is not None:
                return kept
            _, place, length, checksum = self._blocks[number]
            rows: list[Row] = self._checked(place, length, checksum)
            if keep:
                if len(self._kept) >= _BLOCKS_KEPT:
                    del self._kept[next(iter(self._kept))]
                self._kept[number] = rows
            return rows

    def _checked(self, place: int, length: int, checksum: int) -> Any:
        return _unpacked(self._bytes(place, length, checksum))

    def _bytes(self, place: int, length: int, checksum: int) -> bytes:
        data = self._read(place, length)
        if len(data) != length or zlib.crc32(data) != checksum:
            raise self._damaged("its checksum is wrong")
        return data

    def _damaged(self, why: str) -> FormatError:
        return FormatError(f"{self._name}: {why}", remedy="delete it: it is made anew when it is needed")


def _place_of(rows: list[Row], key: str) -> int:
    low, high = 0, len(rows)
    while low < high:
        middle = (low + high) // 2
        if rows[middle][0] < key:
            low = middle + 1
        else:
            high = middle
    return low
