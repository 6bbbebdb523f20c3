"""Bytes that an image carries and nobody can see: what later layers overwrite or delete."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_dockerlab.checks.layers import describe_layer
from pytest_dockerlab.checks.words import listing, name_of
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.image.model import FileKind, Image, LayerFiles
from pytest_dockerlab.quantity import human_bytes, to_bytes

__all__ = ["Waste", "WastedFile", "measure_waste", "wasted_bytes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class WastedFile:
    """A file that is in a layer and not in the image's final tree (or there in a later version).

    Attributes:
        size: bytes.
        layer: index of the layer that carries it, 0 is the lowest.
        hidden_by: index of the layer that overwrites or deletes it.
        how: ``overwritten`` or ``deleted``.
    """

    path: str
    size: int
    layer: int
    hidden_by: int
    how: str

    def __str__(self) -> str:
        fate = f"{self.how} in layer {self.hidden_by + 1}"
        return f"{human_bytes(self.size)} {self.path} (from layer {self.layer + 1}, {fate})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Waste:
    """All wasted files, largest first, and their bytes together."""

    total: int
    files: tuple[WastedFile, ...]


def measure_waste(layers: Sequence[LayerFiles], *, first_layer: int = 0) -> Waste:
    """Which files of lower layers are hidden by higher ones (rules: OCI image spec, ``layer.md``)."""
    visible: dict[str, tuple[int, int]] = {}
    wasted: list[WastedFile] = []

    def hide(path: str, by: int, how: str) -> None:
        size, layer = visible.pop(path)
        if size and by >= first_layer:
            wasted.append(WastedFile(path=path, size=size, layer=layer, hidden_by=by, how=how))

    for index, layer in enumerate(layers):
        # Whiteouts speak of lower layers only, whatever their place in the tar.
        gone = {path.rstrip("/") for path in layer.deleted}
        emptied = {path.rstrip("/") for path in layer.opaque}
        # What is no directory any more takes everything below it along.
        replaced = {entry.path for entry in layer.files if entry.kind is not FileKind.DIRECTORY}
        for path in list(visible):
            above = _parents(path)
            if path in gone or any(up in gone or up in emptied or up in replaced for up in above):
                hide(path, index, "deleted")
        for entry in layer.files:
            if entry.path in visible:
                hide(entry.path, index, "overwritten")
            if entry.kind is FileKind.FILE:
                visible[entry.path] = (entry.size, index)
    files = tuple(sorted(wasted, key=lambda file: (-file.size, file.path, file.layer)))
    return Waste(total=sum(file.size for file in files), files=files)


def _parents(path: str) -> list[str]:
    """Every directory above a path, the root as ``""``."""
    parts = path.split("/")
    return ["/".join(parts[:n]) for n in range(1, len(parts))]


def wasted_bytes(
    image: Image, layers: Sequence[LayerFiles], at_most: str | int = 0, *, first_layer: int = 0
) -> Checked[Waste]:
    """At most so many bytes of the layers are hidden by later ones. Evidence: the ``Waste``.

    Args:
        first_layer: index; count what this layer and those above it hide.
    """
    limit = to_bytes(at_most)
    waste = measure_waste(layers, first_layer=first_layer)
    if waste.total <= limit:
        return Checked(evidence=waste)
    worst = waste.files[0]
    finding = Finding(
        what=f"{human_bytes(waste.total)} of {name_of(image)} are hidden by later layers",
        where=describe_layer(image, worst.layer),
        expected=f"at most {human_bytes(limit)}",
        found=listing(waste.files, 5),
        why="a layer never shrinks: what a later layer deletes or changes (chmod and chown too) is still downloaded",
        hint="delete in the RUN that made the files, and COPY with --chown and --chmod instead of changing them later",
    )
    return Checked(evidence=waste, findings=(finding,))
