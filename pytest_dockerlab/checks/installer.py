"""Installers: made for which machine, and left behind in which layer."""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_dockerlab.checks.layers import describe_layer
from pytest_dockerlab.checks.words import listing, name_of
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.image.model import FileKind, Image
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import human_bytes

__all__ = ["LeftBehind", "fits_platform", "left_in_no_layer"]

_MARKED = 1024**2
# How the Anaconda and Miniconda installers are named: <product>-<version>-<system>-<machine>.sh
_NAME = re.compile(r"-(?P<system>Linux|MacOSX)-(?P<machine>[A-Za-z0-9_]+)\.(?:sh|pkg)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftBehind:
    """A copy of the installer in a layer.

    Attributes:
        layer: index of the layer, 0 is the lowest.
        size: bytes.
        deleted_in: index of the layer that deletes it, ``None`` if it is still to be seen.
    """

    path: str
    layer: int
    size: int
    deleted_in: int | None = None

    def __str__(self) -> str:
        fate = "" if self.deleted_in is None else f", deleted in layer {self.deleted_in + 1}"
        return f"{human_bytes(self.size)} {self.path} (in layer {self.layer + 1}{fate})"


def fits_platform(installer: str, platform: Platform) -> Checked[str]:
    """An installer of this name (or address) runs on the platform. Evidence: the machine that it is made for.

    Raises:
        UsageError: the name does not tell.
    """
    name = installer.rpartition("/")[2]
    found = _NAME.search(name)
    if found is None:
        raise UsageError(
            f"{name!r} does not tell what it is made for", remedy="a name like Product-1.0-Linux-x86_64.sh does"
        )
    system, machine = found["system"], found["machine"]
    made_for = Platform.parse(f"{'linux' if system == 'Linux' else 'darwin'}/{machine}")
    if (made_for.os, made_for.architecture) == (platform.os, platform.architecture):
        return Checked(evidence=machine)
    right = f"{name[: found.start()]}-Linux-{platform.machine}.sh"
    finding = Finding(
        what=f"{name} is made for {made_for}, and the image for {platform}",
        where=installer,
        expected=f"an installer for {platform.machine}",
        found=f"one for {machine}" if system == "Linux" else f"one for {machine} under {system}",
        why="what it brings are programs of another processor or system: they can't be executed there",
        hint=f"name another one, if there is one: --build-arg INSTALLER_URL=…/{right}",
    )
    return Checked(evidence=machine, findings=(finding,))


def left_in_no_layer(
    image: Image, name: str, *, size: int = 0, mark: bytes = b"", first_layer: int = 0
) -> Checked[int]:
    """The installer is in no layer, under its own name or another. Evidence: how many files were looked at.

    Args:
        name: its file name.
        size: its exact bytes: a file of this size is taken for it, whatever its name.
        mark: bytes in its first MiB that no other file has. Files are read for it, which takes as long again.
        first_layer: index; layers below are somebody else's.

    Raises:
        UsageError: the image's source can't show its files.
    """
    if image.files is None:
        raise UsageError(f"{name_of(image)} has no files to look at", remedy="take it from an engine or an archive")
    layers = image.files.layers()
    marked: set[tuple[int, str]] = set()
    if mark:
        contents = image.files.contents(first_layer)
        marked = {(index, entry.path) for index, entry, content in contents if mark in content.read(_MARKED)}
    count, copies = 0, []
    for index, layer in enumerate(layers[first_layer:], first_layer):
        for entry in layer.files:
            if entry.kind is not FileKind.FILE:
                continue
            count += 1
            named = entry.path.rpartition("/")[2] == name
            if named or (size and entry.size == size) or (index, entry.path) in marked:
                later = (n for n in range(index + 1, len(layers)) if _covers(layers[n].deleted, entry.path))
                copies.append(LeftBehind(path=entry.path, layer=index, size=entry.size, deleted_in=next(later, None)))
    if not copies:
        return Checked(evidence=count)
    finding = Finding(
        what=f"{name_of(image)} carries the installer {name}",
        where=describe_layer(image, copies[0].layer),
        expected="in no layer",
        found=listing(copies, 5),
        why="a layer keeps what a later one deletes: everybody who takes the image downloads it",
        hint="fetch, run and remove it in one RUN: RUN wget … && sh … && rm …",
    )
    return Checked(evidence=count, findings=(finding,))


def _covers(deleted: tuple[str, ...], path: str) -> bool:
    return any(path == gone or path.startswith(f"{gone.rstrip('/')}/") for gone in deleted)
