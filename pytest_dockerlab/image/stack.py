"""Layers put on top of each other and left as they are: a path is looked for from the highest down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pytest_dockerlab.image.layer_index import LayerIndex
from pytest_dockerlab.image.model import FileKind, FileStat
from pytest_dockerlab.image.tree import Placed, implied_folder, merge

__all__ = ["Stack"]

_MOST_LINKS = 40
_MOST_KEPT = 4096


class Stack:
    """The final tree, as ``merge`` makes it, but none is made: the search ends where a layer has the path or hides it.

    Layers that no engine writes (something in them lies below what a lower layer has as a link or
    file) are merged all the same: where their entries land can't be told from the path alone.

    Args:
        layers: lowest first.
    """

    def __init__(self, layers: Sequence[LayerIndex]) -> None:
        self._layers = layers
        self._known: dict[str, Placed | None] = {}
        self._merged: Mapping[str, Placed] | None = None
        if any(map(self._is_odd, range(len(layers)))):
            self._merged = merge([layer.in_order() for layer in layers])

    def get(self, path: str, /) -> Placed | None:
        """What is at an absolute, normalised path; no link in it is followed."""
        if self._merged is not None:
            return self._merged.get(path)
        if path not in self._known:
            if len(self._known) >= _MOST_KEPT:
                self._known.clear()
            self._known[path] = self._look(path, len(self._layers) - 1)
        return self._known[path]

    def _is_odd(self, index: int) -> bool:
        layer = self._layers[index]
        return layer.odd or any(
            entry is not None and entry.kind is not FileKind.DIRECTORY
            for below in self._layers[: index + 1]
            for entry in map(below.entry, layer.missing)
        )

    def _look(self, path: str, top: int, asked: Collection[str] = ()) -> Placed | None:
        found = implied_folder("/", 0) if path == "/" else None
        for index in range(top, -1, -1):
            layer = self._layers[index]
            if (entry := layer.entry(path)) is not None:
                return self._placed(entry, index, asked)
            if layer.has_below(path):
                found = implied_folder(path, index)
            if layer.hides(path):
                break
        return found

    def _placed(self, entry: FileStat, index: int, asked: Collection[str]) -> Placed:
        if entry.kind is FileKind.FILE and entry.link and entry.link not in asked and len(asked) < _MOST_LINKS:
            target = self._look(entry.link, index, {*asked, entry.path})
            if target is not None and target.entry.kind is not FileKind.DIRECTORY:
                return replace(target, entry=replace(target.entry, path=entry.path))
        return Placed(entry=entry, layer=index, source=entry.path)
