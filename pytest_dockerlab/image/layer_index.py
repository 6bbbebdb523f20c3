"""The index of a layer: all but the content of its files, looked up by path without being read as a whole."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cached_property

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.model import FileKind, FileStat, LayerFiles
from pytest_dockerlab.image.table import Row, SortedRows, Table

__all__ = ["FORMAT", "LayerIndex", "LayerWriter"]

#: Changes with the meaning of a row: an index of another number is made anew.
FORMAT = 2
_MOST_MISSING = 1000
_LETTERS = {
    FileKind.FILE: "f",
    FileKind.DIRECTORY: "d",
    FileKind.SYMLINK: "l",
    FileKind.DEVICE: "c",
    FileKind.FIFO: "p",
    FileKind.SOCKET: "s",
}
_KINDS = {letter: kind for kind, letter in _LETTERS.items()}


class LayerWriter:
    """Takes what a layer holds, entry by entry, and makes its index.

    Engines write each path once, behind an entry for each folder above it. Where a layer is made otherwise,
    what it puts where depends on the layers below: which folders those are is remembered.
    """

    def __init__(self) -> None:
        self._rows = SortedRows()
        self._deleted: list[str] = []
        self._opaque: list[str] = []
        self._size = self._count = 0
        self._folders = {"/"}
        self._missing: set[str] = set()
        self._odd = False

    def add(self, entry: FileStat) -> None:
        """One entry; a later one of the same path takes its place."""
        self._size += entry.size if entry.kind is FileKind.FILE else 0
        self._count += 1
        self._needs(entry.path.rpartition("/")[0] or "/")
        if entry.kind is FileKind.DIRECTORY:
            self._folders.add(entry.path)
        elif entry.path in self._folders or entry.path in self._missing:
            self._odd = True
        self._rows.add(
            [
                entry.path,
                _LETTERS[entry.kind],
                entry.mode,
                entry.uid,
                entry.gid,
                entry.size,
                entry.mtime,
                entry.link,
                entry.digest.removeprefix("sha256:"),
                self._count,
            ]
        )

    def _needs(self, folder: str) -> None:
        while folder not in self._folders and folder not in self._missing:
            if len(self._missing) >= _MOST_MISSING:
                self._odd = True
                return
            self._missing.add(folder)
            folder = folder.rpartition("/")[0] or "/"

    def delete(self, path: str) -> None:
        """The layer removes this path from the layers below."""
        self._needs(path.rpartition("/")[0] or "/")
        self._deleted.append(path)

    def hide(self, folder: str) -> None:
        """The layer hides what the layers below have in this folder."""
        self._needs(folder)
        self._opaque.append(folder)

    def file(self, diff_id: str) -> Iterator[bytes]:
        """The index as a file, piece by piece."""
        return self._rows.file(
            {
                "format": FORMAT,
                "diff_id": diff_id,
                "size": self._size,
                "deleted": self._deleted,
                "opaque": self._opaque,
                "missing": sorted(self._missing),
                "odd": self._odd,
            }
        )


class LayerIndex:
    """What one layer writes and deletes, read only as far as one looks.

    Attributes:
        diff_id: digest of the layer's plain tar.
        deleted: paths that it removes from the layers below.
        opaque: folders of which it hides what the layers below have in them.
        size: bytes of its regular files.
        missing: folders that something of it lies in, and that came later or not at all.
        odd: it has something below what is no folder in it.

    Args:
        table: made by ``LayerWriter``.

    Raises:
        FormatError: of another version of this package.
    """

    def __init__(self, table: Table) -> None:
        if table.remembered.get("format") != FORMAT:
            raise FormatError(f"a layer's index of format {table.remembered.get('format')}, not {FORMAT}")
        self._table = table
        self.diff_id = str(table.remembered.get("diff_id"))
        self.size = int(table.remembered.get("size") or 0)
        self.deleted: tuple[str, ...] = tuple(table.remembered.get("deleted") or ())
        self.opaque: tuple[str, ...] = tuple(table.remembered.get("opaque") or ())
        self.missing: tuple[str, ...] = tuple(table.remembered.get("missing") or ())
        self.odd = bool(table.remembered.get("odd"))

    def entry(self, path: str) -> FileStat | None:
        """What the layer has at a path."""
        row = self._table.get(path)
        return None if row is None else _entry(row)

    def has_below(self, folder: str) -> bool:
        """Whether it has anything in a folder."""
        start = folder.rstrip("/") + "/"
        for row in self._table.since(start):
            if row[0] != start:  # the root's own entry starts like all others
                return bool(row[0].startswith(start))
        return False

    def hides(self, path: str) -> bool:
        """Whether what the layers below have at a path is not to be seen through this layer."""
        if path in self._deleted:
            return True
        parent = path
        while parent != "/":
            parent = parent.rpartition("/")[0] or "/"
            if parent in self._deleted or parent in self._opaque:
                return True
            row = self._table.get(parent)
            if row is not None and row[1] != "d":
                return True  # no folder any more: it took its content along
        return False

    def in_order(self) -> LayerFiles:
        """All of it in memory, in the order of the layer's tar."""
        rows = sorted(self._table, key=lambda row: row[-1])
        return replace(self.files, files=tuple(map(_entry, rows)))

    @cached_property
    def _deleted(self) -> frozenset[str]:
        return frozenset(self.deleted)

    @cached_property
    def _opaque(self) -> frozenset[str]:
        return frozenset(self.opaque)

    @cached_property
    def files(self) -> LayerFiles:
        """All of it, its entries by path."""
        return LayerFiles(
            diff_id=self.diff_id,
            files=_Entries(self._table),
            deleted=self.deleted,
            opaque=self.opaque,
            size=self.size,
        )


class _Entries(Collection[FileStat]):
    """A layer's entries, made one by one whenever they are gone through."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __iter__(self) -> Iterator[FileStat]:
        return map(_entry, self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, entry: object) -> bool:
        row = self._table.get(entry.path) if isinstance(entry, FileStat) else None
        return row is not None and _entry(row) == entry


def _entry(row: Row) -> FileStat:
    path, letter, mode, uid, gid, size, mtime, link, digest, _ = row
    return FileStat(
        path=path,
        kind=_KINDS[letter],
        mode=mode,
        uid=uid,
        gid=gid,
        size=size,
        mtime=mtime,
        link=link,
        digest=f"sha256:{digest}" if digest else "",
    )
