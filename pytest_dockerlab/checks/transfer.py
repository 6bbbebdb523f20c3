"""Which layers a pull or push moved, and which were there already."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from pytest_dockerlab.checks.words import expect_count, listing, plural
from pytest_dockerlab.findings import Checked, Finding

__all__ = ["Fared", "moved"]

# The words of Docker Engine for a pull and for a push; Podman says some of them.
_THERE = ("already exists", "layer already exists", "mounted from")
_MOVED = ("pull complete", "download complete", "pushed")


class Fared(Protocol):
    """How one layer fared."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...


F = TypeVar("F", bound=Fared)


def moved(layers: Sequence[F], count: int, *, kept: int | None = None) -> Checked[tuple[F, ...]]:
    """``count`` layers went over the wire, ``kept`` (if given) were there already. Evidence: those that moved."""
    expect_count(count, "layers")
    went = tuple(layer for layer in layers if layer.status.lower().startswith(_MOVED))
    stayed = tuple(layer for layer in layers if layer.status.lower().startswith(_THERE))
    as_asked = len(went) == count and (kept is None or len(stayed) == expect_count(kept, "layers"))
    if as_asked and len(went) + len(stayed) == len(layers):
        return Checked(evidence=went)
    asked = f"{plural(count, 'layer')} moved" + ("" if kept is None else f", {kept} there already")
    finding = Finding(
        what=f"{plural(len(went), 'layer')} moved, {len(stayed)} of {len(layers)} were there already",
        expected=asked,
        found=listing(f"{layer.id} {layer.status}" for layer in layers),
        why="a layer is moved once: whoever has it already, by its digest, does not get it again",
        hint="more moved: the other side lacks the base's layers (another base?); fewer: it has them from earlier",
    )
    return Checked(evidence=went, findings=(finding,))
