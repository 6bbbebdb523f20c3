"""Images in files: ``docker save`` tars and OCI layouts (a folder, or a tar of one).

Everything is read as a stream: an archive of any size in bounded memory, nothing written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pytest_dockerlab.errors import FormatError, NotFound, UsageError
from pytest_dockerlab.foreign import mapping, texts
from pytest_dockerlab.image.blobs import Alias, Document, Item, Layer, path_items
from pytest_dockerlab.image.inspect import config_history, image_from_config
from pytest_dockerlab.image.layers import files_of, scan
from pytest_dockerlab.image.manifests import Described, described
from pytest_dockerlab.image.model import FileKind, FileStat, HistoryEntry, Image, LayerFiles
from pytest_dockerlab.image.tarstream import clean_path
from pytest_dockerlab.image.tree import Placed, find, merge

__all__ = ["ArchiveFiles", "open_image", "open_images"]

_SAMPLE = 1024**2


@dataclass(frozen=True, slots=True)
class _Index:
    """An archive's table of contents, and its layers' entries by the name of the layer's file."""

    images: tuple[Described, ...]
    layers: Mapping[str, LayerFiles]
    aliases: Mapping[str, str]

    def place(self, name: str) -> str:
        """The file that really holds a layer."""
        return self.aliases.get(name, name)


def _index(items: Iterator[Item], archive: str) -> _Index:
    documents: dict[str, bytes] = {}
    layers: dict[str, LayerFiles] = {}
    aliases: dict[str, str] = {}
    for item in items:
        before = documents.get(item.name) or aliases.get(item.name) or layers.get(item.name)
        now: bytes | str | LayerFiles
        if isinstance(item, Document):
            now = documents[item.name] = item.data
        elif isinstance(item, Alias):
            now = aliases[item.name] = item.target
        else:
            now = layers[item.name] = scan(item.chunks, f"{archive}: {item.name}")
        if before is not None and before != now:
            raise FormatError(
                f"{archive}: {item.name} is in it twice, and not the same",
                remedy="which of them counts can't be told: save it again",
            )
    index = _Index(described(documents, archive), layers, aliases)
    for image in index.images:
        _verify(image, index, archive)
    return index


def _verify(image: Described, index: _Index, archive: str) -> None:
    """An image is what its config says: each layer there, and with the digest that is promised."""
    promised = texts(mapping(image.config.get("rootfs"), f"{archive}: rootfs").get("diff_ids"), f"{archive}: diff_ids")
    if len(promised) != len(image.layers):
        raise FormatError(
            f"{archive}: {len(image.layers)} layers, but the config knows {len(promised)}",
            remedy="the archive is incomplete: save it again",
        )
    for name, diff_id in zip(image.layers, promised, strict=True):
        found = index.layers.get(index.place(name))
        if found is None:
            raise FormatError(f"{archive}: layer {name} is missing", remedy="the archive is incomplete: save it again")
        if found.diff_id != diff_id:
            raise FormatError(
                f"{archive}: layer {name} has the digest {found.diff_id}, the config promises {diff_id}",
                remedy="the archive was changed or damaged: save or download it again",
            )


def open_images(path: Path | str) -> tuple[Image, ...]:
    """Every image in an archive.

    Args:
        path: a ``docker save`` tar, an OCI layout's tar (either may be gzipped), or an OCI layout's folder.

    Raises:
        NotFound: no such file.
        FormatError: not an image archive, or a damaged one.
    """
    place, archive = Path(path), str(path)
    if not place.exists():
        raise NotFound(f"no such archive: {archive}", remedy="save one: `docker save -o image.tar NAME`")
    items = partial(path_items, place)
    index = _index(items(), archive)
    return tuple(
        image_from_config(
            found.config,
            id=found.id,
            tags=found.tags,
            size=sum(index.layers[index.place(name)].size for name in found.layers),
            files=ArchiveFiles(items, archive, found.id),
        )
        for found in index.images
    )


def open_image(path: Path | str, name: str = "") -> Image:
    """The only image of an archive, or the one of this name or id.

    Raises:
        UsageError: there are several (or none), and ``name`` does not say which.
        FormatError, NotFound: see ``open_images``.
    """
    images = open_images(path)
    chosen = [image for image in images if name in (*image.tags, image.id)] if name else list(images)
    if len(chosen) == 1:
        return chosen[0]
    have = ", ".join(image.name for image in images) or "none"
    raise UsageError(f"{path}: which image is meant by {name!r}? It holds {have}", remedy="give one of these names")


class ArchiveFiles:
    """``ImageFiles`` over an archive that can be read again and again.

    Args:
        items: gives the archive's items from the start.
        archive: what to call it in messages.
        image: id (of config or manifest) of the image in it; any where it holds only one.
    """

    def __init__(self, items: Callable[[], Iterator[Item]], archive: str, image: str = "") -> None:
        self._items = items
        self._archive = archive
        self._image = image
        self._lock = threading.Lock()
        self._index: _Index | None = None
        self._tree: Mapping[str, Placed] | None = None

    def stat(self, path: str) -> FileStat:
        """The entry at ``path``; a symlink is not followed. See ``ImageFiles``."""
        return replace(find(self._merged(), path).entry, path=clean_path(path, self._archive))

    def read(self, path: str) -> bytes:
        """The content of a regular file; a symlink is followed. See ``ImageFiles``."""
        placed = find(self._merged(), path, follow=True)
        name = self._places()[placed.layer]
        content = None
        if placed.entry.kind is FileKind.FILE:
            for layer in self._layers({name}):
                for entry, stream in files_of(layer.chunks, self._archive):
                    if entry.path == placed.source:
                        content = stream.read()  # of several entries of one name the last one counts
        if content is None:
            raise NotFound(f"{path} in {self._archive}: not a regular file", remedy="stat it to see what it is")
        return content

    def layers(self) -> tuple[LayerFiles, ...]:
        """Every layer's own entries. See ``ImageFiles``."""
        index = self._indexed()
        return tuple(index.layers[name] for name in self._places())

    def history(self) -> tuple[HistoryEntry, ...]:
        """The config's own history. See ``ImageFiles``."""
        return config_history(self._described().config)

    def contents(self) -> Iterator[tuple[int, FileStat, bytes]]:
        """Each regular file of each layer; layers come in the archive's order. See ``ImageFiles``."""
        places = self._places()
        for layer in self._layers(set(places)):
            numbers = [number for number, name in enumerate(places) if name == layer.name]
            for entry, stream in files_of(layer.chunks, self._archive):
                sample = stream.read(_SAMPLE)
                for number in numbers:
                    yield number, entry, sample

    def _layers(self, names: set[str]) -> Iterator[Layer]:
        left = set(names)
        for item in self._items():
            if isinstance(item, Layer) and item.name in left:
                left.remove(item.name)  # one that comes again is the same
                yield item

    @property
    def indexed(self) -> bool:
        """Whether the archive has been read through already, so that questions cost nothing more."""
        return self._index is not None

    def _indexed(self) -> _Index:
        with self._lock:
            if self._index is None:
                self._index = _index(self._items(), self._archive)
            return self._index

    def _described(self) -> Described:
        images = self._indexed().images
        for image in images:
            if self._image in (image.id, image.digest) or len(images) == 1:
                return image
        raise NotFound(f"{self._archive}: holds no image {self._image}", remedy="save it again")

    def _places(self) -> tuple[str, ...]:
        return tuple(self._indexed().place(name) for name in self._described().layers)

    def _merged(self) -> Mapping[str, Placed]:
        if self._tree is None:
            self._tree = merge(self.layers())
        return self._tree
