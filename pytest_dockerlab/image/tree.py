"""Layers put on top of each other: the tree of files that a container sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.image.model import FileKind, FileStat, LayerFiles

__all__ = ["Placed", "find", "merge"]

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
    """The final tree: whiteouts, opaque folders and replaced folders applied (OCI image specification, layer.md)."""
    tree: dict[str, Placed] = {"/": _implied("/", 0)}
    for index, layer in enumerate(layers):
        hidden = set(layer.deleted)
        for entry in layer.files:
            below = tree.get(entry.path)
            if below is not None and below.entry.kind is FileKind.DIRECTORY and entry.kind is not FileKind.DIRECTORY:
                hidden.add(entry.path)
        if hidden or layer.opaque:
            opaque = set(layer.opaque)
            for path in [path for path in tree if path != "/" and _is_hidden(path, hidden, opaque)]:
                del tree[path]
        for entry in layer.files:
            _place(tree, entry, index)
    return tree


def _is_hidden(path: str, hidden: set[str], opaque: set[str]) -> bool:
    if path in hidden:
        return True
    parent = path
    while parent != "/":
        parent = parent.rpartition("/")[0] or "/"
        if parent in hidden or parent in opaque:
            return True
    return False


def _place(tree: dict[str, Placed], entry: FileStat, index: int) -> None:
    parent = entry.path.rpartition("/")[0] or "/"
    missing = []
    while parent not in tree:
        missing.append(parent)
        parent = parent.rpartition("/")[0] or "/"
    for path in missing:
        tree[path] = _implied(path, index)
    if entry.kind is FileKind.FILE and entry.link:
        target = tree.get(entry.link)
        if target is not None:
            merged = replace(entry, link="", size=target.entry.size)
            tree[entry.path] = Placed(entry=merged, layer=target.layer, source=target.source)
            return
    tree[entry.path] = Placed(entry=entry, layer=index, source=entry.path)


def _implied(path: str, layer: int) -> Placed:
    """A folder that no layer has an entry for; engines make it so."""
    entry = FileStat(path=path, kind=FileKind.DIRECTORY, mode=0o755, uid=0, gid=0)
    return Placed(entry=entry, layer=layer, source=path)


def find(tree: Mapping[str, Placed], path: str, *, follow: bool = False) -> Placed:
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
                raise NotFound(f"symlinks lead in a circle: {path}")
            at = [] if here.entry.link.startswith("/") else at[:-1]
            todo.extend(name for name in reversed(here.entry.link.split("/")) if name not in ("", "."))
    return tree["/" + "/".join(at)]
