"""What ADD would unpack: the size of an archive's files, told without unpacking more than is allowed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.image.tarheader import BLOCK, next_header
from pytest_dockerlab.quantity import human_bytes

__all__ = ["judge_archives", "unpacked_size"]

_CHUNK = 64 * 1024
# Each file and folder takes a block of the disk at least.
_ENTRY = 4096
# As engines detect them (moby, pkg/archive); for zstd there is no reader here.
_OPENERS: tuple[tuple[bytes, Any], ...] = (
    (b"\x1f\x8b\x08", gzip.open),
    (b"BZh", bz2.open),
    (b"\xfd7zXZ\x00", lzma.open),
)
_ZSTD = b"\x28\xb5\x2f\xfd"
_BROKEN = (OSError, EOFError, zlib.error, lzma.LZMAError, FormatError)


def judge_archives(dockerfile: Dockerfile, context: Path, most: int) -> tuple[Refusal, ...]:
    """The archives of a build's context that would become more than ``most`` bytes.

    Without an ADD there are none: nothing else unpacks.
    """
    adds = [each for stage in dockerfile.stages for each in stage.instructions if each.keyword == "ADD"]
    if not adds:
        return ()
    where, left, refused = f"{dockerfile.path.rpartition('/')[2]}:{adds[0].line}", most, []
    for path in _files(context):
        size = unpacked_size(path, left)
        if size is None:
            refused.append(refuse("archive", where, path.relative_to(context), most=human_bytes(most)))
        else:
            left -= size
    return tuple(refused)


def _files(folder: Path) -> Iterator[Path]:
    yield from (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())


def unpacked_size(path: Path, most: int) -> int | None:
    """Bytes of all that is in an archive, 0 for a file that is none.

    Returns:
        ``None`` for more than ``most``, and for what can't be told.
    """
    with path.open("rb") as file:
        head = file.read(8)
        file.seek(0)
        if head.startswith(_ZSTD):
            return None
        opener = next((opener for magic, opener in _OPENERS if head.startswith(magic)), None)
        content: IO[bytes] = opener(file) if opener else file
        counted = _Counted(content, most)
        total = 0
        try:
            while (header := next_header(counted.read, path.name)) is not None:
                total += _ENTRY + header.info.size
                if total > most:
                    return None
                counted.skip(header.stored + -header.stored % BLOCK)
        except _Exceeded:
            return None
        except _BROKEN:
            return total  # no archive, or one that the engine gives up at the same place
        return total


class _Exceeded(Exception):
    """More has been unpacked than is allowed."""


class _Counted:
    """Reads at most so much and a little more, for headers."""

    def __init__(self, content: IO[bytes], most: int) -> None:
        self._content, self._left = content, most + (1 << 20)

    def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size and (more := self._content.read(min(_CHUNK, size - len(data)))):
            data += more
        self._left -= len(data)
        if self._left < 0:
            raise _Exceeded
        return data

    def skip(self, size: int) -> None:
        while size > 0:
            if not (more := self.read(min(_CHUNK, size))):
                return
            size -= len(more)
