"""Layers put on top of each other: the tree of files that a container sees."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.image.model import FileKind, FileStat, LayerFiles

__all__ = ["Looked", "Placed", "find", "implied_folder", "merge"]

_MOST_LINKS = 40  # as the kernel's own limit, MAXSYMLINKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An entry of the final tree.

    Attributes:
        layer: index of the layer whose tar has it.
        source: path in that layer that holds the content (another one for a hard link).
    """

    entry: FileStat
    layer: int
    source: str


def merge(layers: Sequence[LayerFiles]) -> Mapping[str, Placed]:
    """The final tree: whiteouts, opaque folders and replaced folders applied (OCI image specification, layer.md).

    Whatever the layers claim, each path of it lies in a folder of it.
    """
    tree: dict[str, Placed] = {"/": implied_folder("/", 0)}
    for index, layer in enumerate(layers):
        hidden = {_real(tree, path) for path in layer.deleted}
        for entry in layer.files:
            if entry.path == "/":
                continue
            below = tree.get(entry.path)
            if below is not None and below.entry.kind is FileKind.DIRECTORY and entry.kind is not FileKind.DIRECTORY:
                hidden.add(entry.path)
        if hidden or layer.opaque:
            opaque = {_real(tree, path) for path in layer.opaque}
            for path in [path for path in tree if path != "/" and _is_hidden(path, hidden, opaque)]:
                del tree[path]
        replaced = False
        for entry in layer.files:
            replaced = _place(tree, entry, index) or replaced
        if replaced:
            _drop_orphans(tree)
    return tree


def _real(tree: Mapping[str, Placed], path: str) -> str:
    """Where a path leads, if there are symlinks among its parents."""
    if path not in tree:
        with contextlib.suppress(NotFound):
            return find(tree, path).entry.path
    return path


def _drop_orphans(tree: dict[str, Placed]) -> None:
    """Take out what lay in a folder that became something else within one layer."""
    others = {path for path, placed in tree.items() if placed.entry.kind is not FileKind.DIRECTORY}
    for path in [path for path in tree if _is_hidden(path.rpartition("/")[0] or "/", others, set())]:
        del tree[path]


def _is_hidden(path: str, hidden: set[str], opaque: set[str]) -> bool:
    if path in hidden:
        return True
    parent = path
    while parent != "/":
        parent = parent.rpartition("/")[0] or "/"
        if parent in hidden or parent in opaque:
            return True
    return False


def _place(tree: dict[str, Placed], entry: FileStat, index: int) -> bool:
    """Put an entry into the tree; whether it took the place of a folder."""
    path = entry.path if entry.path == "/" else _landing(tree, entry.path, index)
    below = tree.get(path)
    placed = Placed(entry=entry if path == entry.path else replace(entry, path=path), layer=index, source=entry.path)
    if entry.kind is FileKind.FILE and entry.link:
        with contextlib.suppress(NotFound):
            target = tree.get(entry.link) or find(tree, entry.link)
            if target.entry.kind is not FileKind.DIRECTORY:  # no file system links to folders
                placed = replace(target, entry=replace(target.entry, path=path))
    tree[path] = implied_folder("/", index) if path == "/" and entry.kind is not FileKind.DIRECTORY else placed
    return below is not None and below.entry.kind is FileKind.DIRECTORY and entry.kind is not FileKind.DIRECTORY


def _landing(tree: dict[str, Placed], path: str, index: int) -> str:
    """Where an entry is put: into the folder that its parents lead to; what is no folder there becomes one."""
    parent, _, name = path.rpartition("/")
    at = tree.get(parent or "/")
    if at is not None and at.entry.kind is FileKind.DIRECTORY:
        return path  # nearly always
    folder = ""
    for part in parent.split("/")[1:]:
        here = f"{folder}/{part}"
        found = tree.get(here)
        if found is not None and found.entry.kind is FileKind.SYMLINK:
            with contextlib.suppress(NotFound):
                found = find(tree, here, follow=True)
                here = found.entry.path if found.entry.kind is FileKind.DIRECTORY else here
        if found is None or found.entry.kind is not FileKind.DIRECTORY:
            tree[here] = implied_folder(here, index)
        folder = "" if here == "/" else here
    return f"{folder}/{name}"


def implied_folder(path: str, layer: int) -> Placed:
    """A folder that no layer has an entry for; engines make it so."""
    entry = FileStat(path=path, kind=FileKind.DIRECTORY, mode=0o755, uid=0, gid=0)
    return Placed(entry=entry, layer=layer, source=path)


class Looked(Protocol):
    """A tree in which paths are looked up: merged, or a ``Stack``."""

    def get(self, path: str, /) -> Placed | None: ...


def find(tree: Looked, path: str, *, follow: bool = False) -> Placed:
    """The entry at ``path``; symlinks among its parents are followed, itself only if asked.

    Raises:
        NotFound: no such path, or a circle of symlinks.
    """
    todo = [part for part in path.split("/") if part not in ("", ".")][::-1]
    at: list[str] = []
    followed = 0
    while todo:
        part = todo.pop()
        if part == "..":
            del at[-1:]
            continue
        here = tree.get("/" + "/".join([*at, part]))
        if here is None:
            remedy = "check the spelling, and the instruction that makes it"
            raise NotFound(f"no such path in the image: {path}", remedy=remedy)
        at.append(part)
        if here.entry.kind is FileKind.SYMLINK and (todo or follow):
            followed += 1
            if followed > _MOST_LINKS:
                raise NotFound(f"symlinks lead in a circle: {path}", remedy="mend one of them, or name their target")
            at = [] if here.entry.link.startswith("/") else at[:-1]
            todo.extend(name for name in reversed(here.entry.link.split("/")) if name not in ("", "."))
    end = tree.get("/" + "/".join(at))
    assert end is not None  # each part of it was found above, and every tree has a root
    return end
