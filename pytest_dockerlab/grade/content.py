"""What a folder holds, as entries and as a digest: no link is followed, and nothing is opened but plain files."""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["LARGE", "MOST", "Entry", "digest", "read", "walk"]

Kind = Literal["folder", "file", "link", "other", "unreadable", "more"]
# More than that no policy should allow; a sparse file of a terabyte must not be read to its end.
LARGE = 256 * 1024 * 1024
MOST = 20_000
_CHUNK = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a folder.

    Attributes:
        path: relative, with ``/``; bytes that are no UTF-8 as Python escapes them.
        kind: ``other`` is a FIFO, a socket or a device; ``unreadable`` could not be looked at; ``more`` stands for all
            that comes after the ``MOST`` first.
        mode: of ``other``: its type, as in ``st_mode``.
        executable: of a file; no other permission counts, as in git.
        size: of a file, in bytes.
        target: of a link.
    """

    path: str
    kind: Kind
    mode: int = 0
    executable: bool = False
    size: int = 0
    target: str = ""


def walk(folder: Path, *, skip: Callable[[Path], bool] = lambda path: False) -> Iterator[Entry]:
    """All that is in a folder, each folder before what is in it, by name.

    Args:
        folder: may itself be reached by a link.
        skip: what is left out, with all that is in it.
    """
    for number, entry in enumerate(_listed(folder, "", skip)):
        if number == MOST:
            yield Entry(path=entry.path, kind="more")
            return
        yield entry


def _listed(folder: Path, path: str, skip: Callable[[Path], bool]) -> Iterator[Entry]:
    try:
        yield from _inside(folder, path, skip)
    except (OSError, RecursionError):
        yield Entry(path=path, kind="unreadable")


def _inside(folder: Path, path: str, skip: Callable[[Path], bool]) -> Iterator[Entry]:
    for place in sorted(folder.iterdir()):
        if skip(place):
            continue
        own = f"{path}{place.name}"
        try:
            mode, size = (status := place.lstat()).st_mode, status.st_size
            target = str(place.readlink()) if stat.S_ISLNK(mode) else ""
        except OSError:
            yield Entry(path=own, kind="unreadable")
            continue
        if stat.S_ISDIR(mode):
            yield Entry(path=own, kind="folder")
            yield from _listed(place, f"{own}/", skip)
        elif stat.S_ISREG(mode):
            yield Entry(path=own, kind="file", executable=bool(mode & 0o111), size=size)
        elif target:
            yield Entry(path=own, kind="link", target=target)
        else:
            yield Entry(path=own, kind="other", mode=stat.S_IFMT(mode))


def read(folder: Path, entry: Entry) -> Iterator[bytes]:
    """A file's content, in pieces, as long as it was when it was looked at. Raises: OSError."""
    # What took its place meanwhile (a link, a FIFO) is neither followed nor waited for.
    own = os.open(folder / entry.path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(own, "rb") as file:
        left = entry.size
        while left and (data := file.read(min(_CHUNK, left))):
            left -= len(data)
            yield data


def digest(*folders: tuple[Path, Iterable[Entry]]) -> str:
    """Names, kinds, links, contents and what is executable, in one hexadecimal SHA-256; owners and times don't count.

    Of files larger than ``LARGE`` the size stands for the content.

    Args:
        folders: each with what counts in it.
    """
    whole = hashlib.sha256()
    for folder, entries in folders:
        _add(whole, b"in")
        for entry in entries:
            numbers = b"%o %d %d" % (entry.mode, entry.executable, entry.size)
            _add(whole, entry.kind.encode(), os.fsencode(entry.path), numbers, os.fsencode(entry.target))
            if entry.kind == "file" and entry.size <= LARGE:
                content = hashlib.sha256()
                try:
                    for data in read(folder, entry):
                        content.update(data)
                except OSError:
                    content.update(b"unreadable")
                _add(whole, content.digest())
    return whole.hexdigest()


def _add(whole: hashlib._Hash, *parts: bytes) -> None:
    for part in parts:
        # With its length: no two lists of parts look alike.
        whole.update(b"%d:" % len(part))
        whole.update(part)
