"""Tar archives read once, front to back, in bounded memory: nothing is ever extracted.

Names come from strangers: one that leaves its archive (``../``) is refused.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterable, Iterator

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.model import FileKind, FileStat, Readable
from pytest_dockerlab.image.tarheader import BLOCK, Header, next_header

__all__ = ["BLOCK", "Blocks", "clean_path", "entries", "first_entry", "is_tar", "stat_of"]

_SKIP = 64 * 1024
# Linux' PATH_MAX: no engine can unpack a longer one. The depth bounds what the folders above an entry cost.
_LONGEST_PATH = 4096
_DEEPEST_PATH = 256
_KINDS = {
    tarfile.DIRTYPE: FileKind.DIRECTORY,
    tarfile.SYMTYPE: FileKind.SYMLINK,
    tarfile.CHRTYPE: FileKind.DEVICE,
    tarfile.BLKTYPE: FileKind.DEVICE,
    tarfile.FIFOTYPE: FileKind.FIFO,
}


class Blocks:
    """An iterable of byte chunks, read as a file is."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._buffer = b""
        self._at = 0
        self._ended = False

    def read(self, size: int = -1, /) -> bytes:
        """Exactly ``size`` bytes but at the end, all that is left for a negative one."""
        if 0 <= size <= len(self._buffer) - self._at:
            self._at += size
            return self._buffer[self._at - size : self._at]
        parts = [self._buffer[self._at :]]
        self._buffer, self._at = b"", 0
        missing = size - len(parts[0])
        while not self._ended and (size < 0 or missing > 0):
            chunk = next(self._chunks, None)
            if chunk is None:
                self._ended = True
            elif size >= 0 and missing < len(chunk):
                parts.append(chunk[:missing])
                self._buffer, self._at = chunk, missing
                break
            else:
                parts.append(chunk)
                missing -= len(chunk)
        return b"".join(parts)


def is_tar(head: bytes) -> bool:
    """Whether a stream that starts with ``head`` is a tar: the ustar magic, or only zeros (an empty archive)."""
    if len(head) < BLOCK:
        return False
    return head[257:262] == b"ustar" or not any(head[:BLOCK])


def clean_path(name: str, archive: str) -> str:
    """An entry's name as an absolute, normalised path.

    Raises:
        FormatError: the name leaves its archive, or is longer or deeper than any engine could unpack.
    """
    if len(name) > _LONGEST_PATH:
        raise FormatError(
            f"{archive}: an entry's name has {len(name)} characters: {name[:80]!r}…",
            remedy="don't trust this archive; no engine can unpack it",
        )
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if len(parts) > _DEEPEST_PATH:
        raise FormatError(
            f"{archive}: an entry lies {len(parts)} folders deep: {name[:80]!r}…",
            remedy=f"don't trust this archive; {_DEEPEST_PATH} are the most",
        )
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
    while (header := next_header(stream.read, archive)) is not None:
        content = _Content(stream, header, archive)
        yield header.info, content if header.info.isreg() else None
        content.skip()


class _Content:
    """An entry's bytes."""

    def __init__(self, stream: Readable, header: Header, archive: str) -> None:
        self._stream = stream
        self._left = header.stored
        self._padding = -header.stored % BLOCK
        self._name = header.info.name
        self._sparse = header.sparse
        self._archive = archive

    def read(self, size: int = -1, /) -> bytes:
        if self._sparse:
            # Holes cost nothing in an archive, and all that they claim to be when filled.
            raise FormatError(
                f"{self._archive}: {self._name!r} is stored with holes, which are not filled here",
                remedy="load the archive into an engine and save it again: `docker load`, `docker save`",
            )
        return self._take(self._left if size < 0 else min(size, self._left))

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        self._left -= len(data)
        if len(data) < size:
            raise FormatError(
                f"{self._archive}: not a complete tar archive: it ends within {self._name!r}",
                remedy="save or download it again",
            )
        return data

    def skip(self) -> None:
        while self._left:
            self._take(min(self._left, _SKIP))
        self._stream.read(self._padding)  # may be missing behind the last entry


def first_entry(stream: Readable, archive: str) -> tarfile.TarInfo:
    """The first header of an archive, reading no further than needed.

    Raises:
        FormatError: there is none.
    """
    header = next_header(stream.read, archive)
    if header is None:
        raise FormatError(f"{archive}: the archive is empty", remedy="ask for it again")
    return header.info
