"""Assertions about layers."""

from __future__ import annotations

from pytest_dockerlab.assertions.things import HasImage, demanded, image_of
from pytest_dockerlab.checks import layers as check
from pytest_dockerlab.checks.layers import LayerInstruction
from pytest_dockerlab.checks.waste import Waste, wasted_bytes
from pytest_dockerlab.checks.words import Expected
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import demand
from pytest_dockerlab.image.model import Image

__all__ = [
    "assert_image_size",
    "assert_layer_count",
    "assert_layer_of",
    "assert_layers_added",
    "assert_no_layer_of",
    "assert_shares_layers",
    "assert_wasted_bytes",
]


def assert_layer_count(image: Image | HasImage, count: int) -> tuple[str, ...]:
    """The image has ``count`` layers, the base's own among them. Returns their diff ids, lowest first.

    Raises:
        CheckFailed: another number.
    """
    return demand(check.layer_count(image_of(image), count))


def assert_layers_added(
    image: Image | HasImage, *, over: Image | HasImage, count: int | None = None
) -> tuple[str, ...]:
    """The image's lowest layers are those of ``over``, digest by digest, and ``count`` more lie on top.

    Returns the diff ids of the added layers, lowest first. Builders differ in what makes a
    layer: WORKDIR does with BuildKit, and with the classic builder only where it makes the folder.

    Args:
        count: ``None`` proves the base only.

    Raises:
        CheckFailed: another base (the first layer that differs is named), or another number.
    """
    return demand(check.layers_added(image_of(image), over=image_of(over), count=count))


def assert_shares_layers(a: Image | HasImage, b: Image | HasImage, count: int | None = None) -> tuple[str, ...]:
    """The lowest ``count`` layers (at least one, if ``None``) of both are the same. Returns them.

    Raises:
        CheckFailed: they share another number of layers.
    """
    return demand(check.shares_layers(image_of(a), image_of(b), count))


def assert_layer_of(image: Image | HasImage, instruction: Expected) -> LayerInstruction:
    """The one instruction with this text (or that matches the pattern) made a layer. Returns it, with its layer.

    Raises:
        CheckFailed: no instruction matches, several do, or it made none.
        UsageError: the image's source does not tell which instructions made a layer.
    """
    return demanded(check.layer_of(image_of(image), instruction))


def assert_no_layer_of(image: Image | HasImage, instruction: Expected) -> tuple[LayerInstruction, ...]:
    """The instructions with this text (or that match the pattern) changed metadata only. Returns them.

    Raises:
        CheckFailed: no instruction matches, or one of them made a layer.
        UsageError: the image's source does not tell which instructions made a layer.
    """
    return demand(check.no_layer_of(image_of(image), instruction))


def assert_image_size(image: Image | HasImage, at_most: str | int) -> int:
    """The image takes no more than ``at_most`` (``"500m"``, or bytes) on the engine. Returns its size in bytes.

    Raises:
        CheckFailed: it is larger.
    """
    return demand(check.image_size(image_of(image), at_most))


def assert_wasted_bytes(
    image: Image | HasImage, at_most: str | int = 0, *, over: Image | HasImage | None = None
) -> Waste:
    """No more than ``at_most`` bytes of its layers are overwritten or deleted by later layers. Returns the waste.

    Args:
        over: count only what layers above this image hide, wherever it lies: the base's own waste is not yours.

    Raises:
        CheckFailed: more is wasted; the worst files are named.
        UsageError: the image's files can't be looked at.
    """
    model = image_of(image)
    if model.files is None:
        raise UsageError(f"image {model.name} has no files to look at", remedy="take it from an engine or an archive")
    first = 0
    if over is not None:
        first = len(model.layers) - len(assert_layers_added(model, over=over))
    return demand(wasted_bytes(model, model.files.layers(), at_most, first_layer=first))
