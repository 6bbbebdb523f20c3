"""Images in files: ``docker save`` tars and OCI layouts (a folder, or a tar of one).

Everything is read as a stream: an archive of any size in bounded memory, nothing written.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from pytest_dockerlab.errors import FormatError, NotFound, UsageError
from pytest_dockerlab.image.blobs import Alias, Document, Item, Layer, path_items
from pytest_dockerlab.image.inspect import config_history, image_from_config
from pytest_dockerlab.image.keep import InMemory, Keep, Known
from pytest_dockerlab.image.layer_index import LayerIndex
from pytest_dockerlab.image.layers import digest_of, files_of, index_layer
from pytest_dockerlab.image.manifests import Described, described
from pytest_dockerlab.image.model import FileKind, FileStat, HistoryEntry, Image, LayerFiles, Readable
from pytest_dockerlab.image.stack import Stack
from pytest_dockerlab.image.tarstream import clean_path
from pytest_dockerlab.image.tree import find

__all__ = ["ArchiveFiles", "open_image", "open_images"]

_DAMAGED = "the archive was changed or damaged: save or download it again"


@dataclass(frozen=True, slots=True)
class _Contents:
    """An archive's table of contents, and the index of each of its layers' files."""

    images: tuple[Described, ...]
    layers: Mapping[str, LayerIndex]
    aliases: Mapping[str, str]

    def known(self, image: Described) -> Known:
        """An image of it, with the names of the files that really hold its layers."""
        return Known(config=image.config, names=tuple(self.aliases.get(name, name) for name in image.layers))


def _read(items: Iterator[Item], archive: str, keep: Keep) -> _Contents:
    """Read an archive through; indexes of layers that are not kept yet are."""
    documents: dict[str, bytes] = {}
    layers: dict[str, LayerIndex] = {}
    aliases: dict[str, str] = {}
    before: dict[str, bytes | str] = {}
    for item in items:
        now: bytes | str
        if isinstance(item, Document):
            now = documents[item.name] = item.data
        elif isinstance(item, Alias):
            now = aliases[item.name] = item.target
        else:
            layers[item.name] = _layer(item, f"{archive}: {item.name}", keep)
            now = layers[item.name].diff_id
        if before.setdefault(item.name, now) != now:
            raise FormatError(
                f"{archive}: {item.name} is in it twice, and not the same",
                remedy="which of them counts can't be told: save it again",
            )
    contents = _Contents(described(documents, archive), layers, aliases)
    for image in contents.images:
        _verify(image, contents, archive)
    return contents


def _layer(item: Layer, about: str, keep: Keep) -> LayerIndex:
    # A blob that is not compressed has the layer's digest for a name: one that is known needs no second look.
    folder, _, name = item.name.rpartition("/")
    if folder == "blobs/sha256" and (known := keep.layer(f"sha256:{name}")) is not None:
        found = digest_of(item.chunks)
        if found != known.diff_id:
            raise FormatError(f"{about}: has the digest {found}", remedy=_DAMAGED)
        return known
    diff_id, writer = index_layer(item.chunks, about)
    return keep.layer(diff_id) or keep.add_layer(diff_id, writer)


def _verify(image: Described, contents: _Contents, archive: str) -> None:
    """An image is what its config says: each layer there, and with the digest that is promised."""
    known = contents.known(image)
    if len(known.diff_ids) != len(image.layers):
        raise FormatError(
            f"{archive}: {len(image.layers)} layers, but the config knows {len(known.diff_ids)}",
            remedy="the archive is incomplete: save it again",
        )
    for name, place, diff_id in zip(image.layers, known.names, known.diff_ids, strict=True):
        found = contents.layers.get(place)
        if found is None:
            raise FormatError(f"{archive}: layer {name} is missing", remedy="the archive is incomplete: save it again")
        if found.diff_id != diff_id:
            raise FormatError(
                f"{archive}: layer {name} has the digest {found.diff_id}, the config promises {diff_id}",
                remedy=_DAMAGED,
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
    keep = InMemory()
    contents = _read(items(), archive, keep)
    images = []
    for found in contents.images:
        keep.add_image(found.id, contents.known(found))
        files = ArchiveFiles(items, archive, found.id, keep=keep)
        size = sum(layer.size for layer in files.layers())
        images.append(image_from_config(found.config, id=found.id, tags=found.tags, size=size, files=files))
    return tuple(images)


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
        layers: the image's diff ids, where they are known without the archive.
        keep: where what was found out is kept, maybe by an earlier reader.
    """

    def __init__(
        self,
        items: Callable[[], Iterator[Item]],
        archive: str,
        image: str = "",
        *,
        layers: tuple[str, ...] = (),
        keep: Keep | None = None,
    ) -> None:
        self._items = items
        self._archive = archive
        self._image = image
        self._promised = layers
        self._keep = keep or InMemory()
        self._lock = threading.Lock()
        self._found: tuple[LayerIndex, ...] | None = None
        self._tree: Stack | None = None

    def stat(self, path: str) -> FileStat:
        """The entry at ``path``; a symlink is not followed. See ``ImageFiles``."""
        return replace(find(self._merged(), path).entry, path=clean_path(path, self._archive))

    def read(self, path: str) -> bytes:
        """The content of a regular file; a symlink is followed. See ``ImageFiles``."""
        placed = find(self._merged(), path, follow=True)
        content = None
        if placed.entry.kind is FileKind.FILE:
            for _, entry, stream in self._contents(lambda index: index == placed.layer):
                if entry.path == placed.source:
                    content = stream.read()  # of several entries of one name the last one counts
        if content is None:
            raise NotFound(f"{path} in {self._archive}: not a regular file", remedy="stat it to see what it is")
        return content

    def layers(self) -> tuple[LayerFiles, ...]:
        """Every layer's own entries. See ``ImageFiles``."""
        return tuple(index.files for index in self._indexes())

    def history(self) -> tuple[HistoryEntry, ...]:
        """The config's own history. See ``ImageFiles``."""
        return config_history(self._known().config)

    def contents(self, first_layer: int = 0) -> Iterator[tuple[int, FileStat, Readable]]:
        """Each regular file of each layer; layers come in the archive's order. See ``ImageFiles``."""
        return self._contents(lambda index: index >= first_layer)

    def _contents(self, wanted: Callable[[int], bool]) -> Iterator[tuple[int, FileStat, Readable]]:
        known = self._known()
        if not (yield from self._walk(known, wanted)):
            # Another engine's save names an image's layers otherwise.
            with self._lock:
                known = self._read_through(anew=True)
            if not (yield from self._walk(known, wanted)):
                raise FormatError(f"{self._archive}: its layers are missing", remedy="save it again")

    def _walk(
        self, known: Known, wanted: Callable[[int], bool]
    ) -> Generator[tuple[int, FileStat, Readable], None, bool]:
        """The wanted layers' files; returns whether the archive has layers of these names."""
        numbers = {name: index for index, name in reversed(tuple(enumerate(known.names)))}
        pending = {index for index in numbers.values() if wanted(index)}
        met = not numbers
        for item in self._items():
            if not isinstance(item, Layer) or item.name not in numbers:
                continue
            met, index = True, numbers[item.name]
            if index in pending:
                pending.remove(index)
                for entry, stream in files_of(item.chunks, self._archive):
                    yield index, entry, stream
        if met and pending:
            raise FormatError(f"{self._archive}: layer {min(pending) + 1} is missing", remedy="save it again")
        return met

    @property
    def indexed(self) -> bool:
        """Whether all layers' indexes are kept, so that questions read nothing of the archive."""
        return self._found is not None or self._have(self._promised) or self._have(self._recorded())

    def _recorded(self) -> tuple[str, ...]:
        known = self._keep.image(self._image) if self._image and not self._promised else None
        return known.diff_ids if known is not None else ()

    def _have(self, diff_ids: tuple[str, ...]) -> bool:
        found = [self._keep.layer(diff_id) for diff_id in diff_ids]
        indexes = tuple(index for index in found if index is not None)
        if not diff_ids or len(indexes) < len(diff_ids):
            return False
        self._found = indexes
        return True

    def _indexes(self) -> tuple[LayerIndex, ...]:
        with self._lock:
            if not self.indexed:
                self._read_through()
            assert self._found is not None  # either of the two has set it
            return self._found

    def _known(self) -> Known:
        with self._lock:
            known = self._keep.image(self._image)
            return known if known is not None else self._read_through()

    def _read_through(self, *, anew: bool = False) -> Known:
        with self._keep.making(self._image):
            # Somebody else may have been at it.
            known = None if anew else self._keep.image(self._image)
            if known is not None and self._have(known.diff_ids):
                return known
            contents = _read(self._items(), self._archive, self._keep)
            for image in contents.images:
                if self._image in (image.id, image.digest) or len(contents.images) == 1:
                    known = contents.known(image)
                    self._found = tuple(contents.layers[name] for name in known.names)
                    self._keep.add_image(self._image, known)
                    return known
        raise NotFound(f"{self._archive}: holds no image {self._image}", remedy="save it again")

    def _merged(self) -> Stack:
        if self._tree is None:
            self._tree = Stack(self._indexes())
        return self._tree
