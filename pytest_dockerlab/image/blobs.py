"""What an image archive is made of: JSON documents and layers, one after the other, as the archive has them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.layers import GZIP, is_layer, uncompressed
from pytest_dockerlab.image.model import Readable
from pytest_dockerlab.image.tarstream import BLOCK, Blocks, clean_path, entries, is_tar

__all__ = ["Alias", "Document", "Item", "Layer", "chunks_of", "folder_items", "path_items", "tar_items"]

CHUNK = 64 * 1024
_MOST_JSON = 16 * 1024**2
_MOST_DOCUMENTS = 128 * 1024**2
# gzip makes at most 1032 bytes of one; what is packed twice over to make more is meant to do harm.
_MOST_GROWTH = 2000
_FREE_GROWTH = 4 * 1024**3


@dataclass(frozen=True, slots=True)
class Document:
    """A file that holds JSON (or might)."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Alias:
    """A link to another of the archive's files: older engines save a layer once, and link its other uses to it."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's plain tar; its chunks are to be read before the next item is asked for."""

    name: str
    chunks: Iterator[bytes]


Item: TypeAlias = Document | Alias | Layer


def path_items(place: Path) -> Iterator[Item]:
    """The items of a file or a folder.

    Raises:
        FormatError: neither a tar nor a layout.
    """
    if place.is_dir():
        yield from folder_items(place)
        return
    with place.open("rb") as stream:
        yield from tar_items(stream, str(place))


def tar_items(stream: Readable, archive: str) -> Iterator[Item]:
    """The items of a tar, plain or gzipped.

    Raises:
        FormatError: not a tar, or a name in it leaves it.
    """
    growth = _Growth(archive)
    chunks = growth.packed(chunks_of(stream))
    head = next(chunks, b"")
    if not is_tar(head) and not head.startswith(GZIP):
        raise FormatError(f"{archive}: not an image archive", remedy="make one with `docker save -o image.tar NAME`")
    for member, content in entries(Blocks(uncompressed(chain([head], chunks), archive)), archive):
        name = clean_path(member.name, archive)[1:]
        if member.issym():
            target = posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
            yield Alias(name, clean_path(target, archive)[1:])
        elif member.islnk():
            yield Alias(name, clean_path(member.linkname, archive)[1:])
        elif content is not None:
            yield from growth.checked(_item(name, content, member.size, archive))


def folder_items(place: Path) -> Iterator[Item]:
    """The items of an OCI layout that lies open in a folder; links that lead out of it are refused."""
    root = place.resolve()
    for path in sorted(place.rglob("*")):
        if not path.is_file():
            continue
        if not path.resolve().is_relative_to(root):
            raise FormatError(f"{place}: {path.relative_to(place)} leads out of the folder", remedy="don't trust it")
        with path.open("rb") as stream:
            yield from _item(path.relative_to(place).as_posix(), stream, path.stat().st_size, str(place))


class _Growth:
    """Counts what is read and what it becomes: neither documents nor layers may outgrow what anybody means."""

    def __init__(self, archive: str) -> None:
        self._archive = archive
        self._packed = self._unpacked = self._documents = 0

    def packed(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._packed += len(chunk)
            yield chunk

    def checked(self, items: Iterable[Item]) -> Iterator[Item]:
        for item in items:
            if isinstance(item, Layer):
                yield Layer(item.name, self._counted(item.chunks))
                continue
            self._documents += len(item.data) if isinstance(item, Document) else 0
            if self._documents > _MOST_DOCUMENTS:
                raise FormatError(
                    f"{self._archive}: more than {_MOST_DOCUMENTS} bytes beside the layers",
                    remedy="an image archive has a few small documents there; make one with `docker save`",
                )
            yield item

    def _counted(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        for chunk in chunks:
            self._unpacked += len(chunk)
            if self._unpacked > max(_FREE_GROWTH, _MOST_GROWTH * self._packed):
                raise FormatError(
                    f"{self._archive}: {self._packed} bytes of it become more than {self._unpacked}",
                    remedy="don't trust this archive: it is packed to fill whatever unpacks it",
                )
            yield chunk


def _item(name: str, content: Readable, size: int, archive: str) -> Iterator[Item]:
    head = content.read(BLOCK)
    if is_layer(head):
        yield Layer(name, uncompressed(chain([head], chunks_of(content)), archive))
    elif size <= _MOST_JSON and head.lstrip()[:1] in (b"{", b"["):
        yield Document(name, head + content.read())


def chunks_of(stream: Readable) -> Iterator[bytes]:
    """A file's bytes, piece by piece."""
    while chunk := stream.read(CHUNK):
        yield chunk
