"""What an image archive is made of: JSON documents and layers, one after the other, as the archive has them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TypeAlias

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.layers import GZIP, is_layer, uncompressed
from pytest_dockerlab.image.tarstream import BLOCK, Blocks, Readable, clean_path, entries, is_tar

__all__ = ["Alias", "Document", "Item", "Layer", "chunks_of", "folder_items", "path_items", "tar_items"]

CHUNK = 64 * 1024
_MOST_JSON = 16 * 1024**2


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
    chunks = chunks_of(stream)
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
            yield from _item(name, content, member.size, archive)


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


def _item(name: str, content: Readable, size: int, archive: str) -> Iterator[Item]:
    head = content.read(BLOCK)
    if is_layer(head):
        yield Layer(name, uncompressed(chain([head], chunks_of(content)), archive))
    elif size <= _MOST_JSON:
        yield Document(name, head + content.read())


def chunks_of(stream: Readable) -> Iterator[bytes]:
    """A file's bytes, piece by piece."""
    while chunk := stream.read(CHUNK):
        yield chunk
