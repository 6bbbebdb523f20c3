"""Two builds, or two images, side by side: what was reused, and where they part."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.image.model import HistoryEntry, Image

__all__ = ["ImageDifference", "Reuse", "StepDifference", "compare_images", "compare_steps", "reuse"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reuse:
    """What one build took from the cache (FROM apart, whose flag says nothing).

    Attributes:
        reused, rebuilt: in the Dockerfile's order.
        unknown: steps that the builder said nothing of.
    """

    reused: tuple[Step, ...]
    rebuilt: tuple[Step, ...]
    unknown: tuple[Step, ...] = ()

    @property
    def first_rebuilt(self) -> Step | None:
        """Where the cache ended; ``None`` if all was reused."""
        return self.rebuilt[0] if self.rebuilt else None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepDifference:
    """Where two builds' Dockerfiles part.

    Attributes:
        common: steps of the later build that stand in both, from the start of each stage.
        one, other: the first steps that differ; ``None`` where that build has no step left.
    """

    common: tuple[Step, ...]
    one: Step | None = None
    other: Step | None = None

    @property
    def same(self) -> bool:
        return self.one is None and self.other is None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageDifference:
    """Where two images part.

    Attributes:
        shared: number of layers, from the lowest, that are the same.
        one_only, other_only: the layers above, of each.
        one_from, other_from: the history entries that made the first of those, where history tells.
    """

    shared: int
    one_only: tuple[str, ...] = ()
    other_only: tuple[str, ...] = ()
    one_from: HistoryEntry | None = None
    other_from: HistoryEntry | None = None

    @property
    def same(self) -> bool:
        return not self.one_only and not self.other_only


def reuse(trace: BuildTrace) -> Reuse:
    """Sort a build's steps by what became of them."""
    known = [step for step in trace.work if step.reported or step.cached]
    return Reuse(
        reused=tuple(step for step in known if step.cached),
        rebuilt=tuple(step for step in known if not step.cached),
        unknown=tuple(step for step in trace.work if not step.reported and not step.cached),
    )


def compare_steps(one: BuildTrace, other: BuildTrace) -> StepDifference:
    """Compare the instructions of two builds, in order; says nothing of what COPY copied (layers do)."""
    common: list[Step] = []
    for before, after in zip(one.steps, other.steps, strict=False):
        if (before.stage, before.number, before.text) != (after.stage, after.number, after.text):
            return StepDifference(common=tuple(common), one=before, other=after)
        common.append(after)
    at = len(common)
    return StepDifference(
        common=tuple(common),
        one=one.steps[at] if at < len(one.steps) else None,
        other=other.steps[at] if at < len(other.steps) else None,
    )


def compare_images(one: Image, other: Image) -> ImageDifference:
    """Compare two images' layers from the lowest up."""
    pairs = zip(one.layers, other.layers, strict=False)
    shared = next((at for at, (a, b) in enumerate(pairs) if a != b), min(len(one.layers), len(other.layers)))
    return ImageDifference(
        shared=shared,
        one_only=one.layers[shared:],
        other_only=other.layers[shared:],
        one_from=_made(one, shared),
        other_from=_made(other, shared),
    )


def _made(image: Image, layer: int) -> HistoryEntry | None:
    """The history entry of a layer, if history (its own, or the config's) tells layers from metadata."""
    history = image.history
    if any(entry.empty_layer is None for entry in history):
        history = image.files.history() if image.files is not None else ()
    made = [entry for entry in history if entry.empty_layer is False]
    return made[layer] if len(made) == len(image.layers) and layer < len(made) else None
