"""Where indexes of layers are kept, so that a layer is read once."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_dockerlab.foreign import mapping, texts
from pytest_dockerlab.image.layer_index import LayerIndex, LayerWriter
from pytest_dockerlab.image.table import Table

__all__ = ["InMemory", "Keep", "Known", "index_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What an archive says of an image, beside its layers' content.

    Attributes:
        config: its config file.
        names: of the layers' files in the archive, lowest first. They tell layers apart before the
            archive's table of contents comes, which is at its end.
    """

    config: Mapping[str, Any]
    names: tuple[str, ...]

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Digests of its layers' plain tars, lowest first.

        Raises:
            FormatError: the config has something else in their place.
        """
        return texts(mapping(self.config.get("rootfs"), "rootfs").get("diff_ids"), "rootfs.diff_ids")


class Keep(Protocol):
    """A place for indexes. What is not there any more, or damaged, is ``None``: it is then made anew."""

    def layer(self, diff_id: str) -> LayerIndex | None:
        """The index of a layer."""

    def add_layer(self, diff_id: str, writer: LayerWriter) -> LayerIndex:
        """Keep a layer's index."""

    def image(self, id: str) -> Known | None:
        """What is known of an image."""

    def add_image(self, id: str, known: Known) -> None:
        """Keep what is known of an image."""

    def making(self, id: str) -> AbstractContextManager[object]:
        """One at a time for one image: who comes second finds what the first has made."""


class InMemory:
    """Keeps indexes as long as it lives; a layer takes some sixty bytes for each of its files."""

    def __init__(self) -> None:
        self._layers: dict[str, LayerIndex] = {}
        self._images: dict[str, Known] = {}

    def layer(self, diff_id: str) -> LayerIndex | None:
        """See ``Keep``."""
        return self._layers.get(diff_id)

    def add_layer(self, diff_id: str, writer: LayerWriter) -> LayerIndex:
        """See ``Keep``."""
        return self._layers.setdefault(diff_id, index_of(b"".join(writer.file(diff_id)), diff_id))

    def image(self, id: str) -> Known | None:
        """See ``Keep``."""
        return self._images.get(id)

    def add_image(self, id: str, known: Known) -> None:
        """See ``Keep``."""
        self._images[id] = known

    def making(self, id: str) -> AbstractContextManager[object]:
        """See ``Keep``."""
        return nullcontext()


def index_of(file: bytes, name: str) -> LayerIndex:
    """An index in memory, as ``LayerWriter.file`` gives it.

    Raises:
        FormatError: damaged, or of another version.
    """
    return LayerIndex(Table(lambda place, length: file[place : place + length], len(file), name))
