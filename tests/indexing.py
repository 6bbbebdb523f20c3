"""Layers given as tars or entries, indexed as the package does it and read back."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_dockerlab.image.keep import InMemory
from pytest_dockerlab.image.layer_index import LayerIndex, LayerWriter
from pytest_dockerlab.image.layers import index_layer
from pytest_dockerlab.image.model import FileStat, LayerFiles

__all__ = ["indexed", "layer_of", "scan"]


def indexed(chunks: Iterable[bytes], archive: str = "layer") -> LayerIndex:
    """A layer's index."""
    diff_id, writer = index_layer(chunks, archive)
    return InMemory().add_layer(diff_id, writer)


def scan(chunks: Iterable[bytes], archive: str = "layer") -> LayerFiles:
    """Everything but the content of a layer, in the order of its tar."""
    return indexed(chunks, archive).in_order()


def layer_of(*files: FileStat, deleted: tuple[str, ...] = (), opaque: tuple[str, ...] = ()) -> LayerIndex:
    """A layer of these entries."""
    writer = LayerWriter()
    for file in files:
        writer.add(file)
    for path in deleted:
        writer.delete(path)
    for path in opaque:
        writer.hide(path)
    return InMemory().add_layer("sha256:0", writer)
