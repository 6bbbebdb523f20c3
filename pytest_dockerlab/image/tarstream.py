"""Tar archives read once, front to back, in bounded memory: nothing is ever extracted.

Names come from strangers: one that leaves its archive (``../``) is refused.
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterable, Iterator
from typing import Protocol

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.model import FileKind, FileStat

__all__ = ["Blocks", "Readable", "clean_path", "entries", "first_entry", "is_tar", "stat_of"]

BLOCK = 512
_DAMAGED = (tarfile.TarError, EOFError, zlib.error)
_KINDS = {
    tarfile.DIRTYPE: FileKind.DIRECTORY,
    tarfile.SYMTYPE: FileKind.SYMLINK,
    tarfile.CHRTYPE: FileKind.DEVICE,
    tarfile.BLKTYPE: FileKind.DEVICE,
    tarfile.FIFOTYPE: FileKind.FIFO,
}


class Readable(Protocol):
    """What a stream must offer: bytes, ``b""`` at its end."""

    def read(self, size: int = -1, /) -> bytes: ...


class Blocks:
    """An iterable of byte chunks, read as a file is."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Exactly ``size`` bytes but at the end, all that is left for a negative one."""
        parts = [self._buffer]
        have = len(self._buffer)
        while not self._ended and (size < 0 or have < size):
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
            else:
                parts.append(chunk)
                have += len(chunk)
        data = b"".join(parts)
        if size < 0:
            self._buffer = b""
            return data
        self._buffer = data[size:]
        return data[:size]


def is_tar(head: bytes) -> bool:
    """Whether a stream that starts with ``head`` is a tar: the ustar magic, or only zeros (an empty archive)."""
    if len(head) < BLOCK:
        return False
    return head[257:262] == b"ustar" or not any(head[:BLOCK])


def clean_path(name: str, archive: str) -> str:
    """An entry's name as an absolute, normalised path.

    Raises:
        FormatError: the name leaves its archive.
    """
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise FormatError(
            f"{archive}: an entry's name leaves the archive: {name!r}",
            remedy="don't trust this archive; save the image anew with `docker save`",
        )
    return "/" + "/".join(parts)


def stat_of(member: tarfile.TarInfo, path: str) -> FileStat:
    """A tar header as an entry at ``path``; a hard link is a file with ``link`` set."""
    kind = _KINDS.get(member.type, FileKind.FILE)
    return FileStat(
        path=path,
        kind=kind,
        mode=member.mode & 0o7777,
        uid=member.uid,
        gid=member.gid,
        size=member.size if member.isreg() else 0,
        mtime=float(member.mtime),
        link=member.linkname if kind is FileKind.SYMLINK or member.islnk() else "",
    )


def entries(stream: Readable, archive: str) -> Iterator[tuple[tarfile.TarInfo, Readable | None]]:
    """Each entry with its content (``None`` for what has none), which is to be read before the next one is asked for.

    Raises:
        FormatError: not a tar, or one that ends too early.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK * 128) as tar:  # type: ignore[call-overload]
            while (member := tar.next()) is not None:
                content = tar.extractfile(member) if member.isreg() else None
                yield member, content and _Content(content, archive)
                # tarfile keeps every header it has seen; a layer may have a hundred thousand.
                tar.members = []
    except _DAMAGED as error:
        raise _incomplete(archive, error) from error


class _Content:
    """An entry's bytes, with tarfile's complaints made ours wherever they are read."""

    def __init__(self, stream: Readable, archive: str) -> None:
        self._stream = stream
        self._archive = archive

    def read(self, size: int = -1, /) -> bytes:
        try:
            return self._stream.read(size)
        except _DAMAGED as error:
            raise _incomplete(self._archive, error) from error


def _incomplete(archive: str, error: Exception) -> FormatError:
    return FormatError(f"{archive}: not a complete tar archive: {error}", remedy="save or download it again")


def first_entry(stream: Readable, archive: str) -> tarfile.TarInfo:
    """The first header of an archive, reading no further than needed.

    Raises:
        FormatError: there is none.
    """
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=BLOCK) as tar:  # type: ignore[call-overload]
            member: tarfile.TarInfo | None = tar.next()
    except (tarfile.TarError, EOFError) as error:
        raise FormatError(f"{archive}: not a tar archive: {error}") from error
    if member is None:
        raise FormatError(f"{archive}: the archive is empty")
    return member
