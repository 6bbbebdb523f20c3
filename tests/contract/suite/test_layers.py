"""Layers: which instructions make one, and who shares them."""

from __future__ import annotations

import pytest

from pytest_dockerlab import (
    Image,
    Lab,
    assert_image_size,
    assert_layer_count,
    assert_layer_of,
    assert_layers_added,
    assert_no_layer_of,
    assert_shares_layers,
    assert_wasted_bytes,
)
from pytest_dockerlab.build.spec import BuilderName

pytestmark = pytest.mark.proves("layers")


def test_an_image_lies_over_its_base(lab: Lab, builder: BuilderName, alpine: Image) -> None:
    """An image has its base's layers, digest by digest, and one more for each RUN that changes something."""
    build = lab.build("FROM alpine\nRUN echo 1 > /one\nRUN echo 2 > /two\n", builder=builder)
    assert_layers_added(build, over=alpine, count=2)
    assert build.base.layers == alpine.layers


def test_metadata_makes_no_layer(lab: Lab, builder: BuilderName, alpine: Image) -> None:
    """ENV, LABEL, USER and CMD make no layer, and which instruction made which is known."""
    build = lab.build('FROM alpine\nENV A=1\nRUN echo 1 > /one\nLABEL who=us\nUSER 1111\nCMD ["sh"]\n', builder=builder)
    assert_layers_added(build, over=alpine, count=1)
    for text in ("ENV A=1", "LABEL who=us", "USER 1111", 'CMD ["sh"]'):
        assert_no_layer_of(build, text)
    assert assert_layer_of(build, "RUN echo 1 > /one").diff_id == build.image.layers[-1]


def test_a_run_that_changes_nothing(lab: Lab, builder: BuilderName, alpine: Image) -> None:
    """A RUN that changes nothing makes a layer with BuildKit and Buildah, and none with the classic builder."""
    # With times of folders in it, such as those that something was mounted in while it ran.
    build = lab.build("FROM alpine\nRUN echo 1 > /one\nRUN true\n", builder=builder)
    assert_layers_added(build, over=alpine, count=1 if builder == "classic" else 2)


def test_an_image_from_scratch_has_its_own_layers_only(lab: Lab, builder: BuilderName) -> None:
    """An image FROM scratch has the layers of its own COPYs only."""
    text = "FROM alpine AS made\nRUN echo 1 > /one && echo 2 > /two\nFROM scratch\n"
    build = lab.build(f"{text}COPY --from=made /one /one\nCOPY --from=made /two /two\n", builder=builder)
    assert_layer_count(build, 2)


def test_two_images_of_one_base_share_it(lab: Lab, builder: BuilderName, alpine: Image) -> None:
    """Two images share the layers of the base and of the steps that both begin with."""
    one = lab.build("FROM alpine\nRUN echo both > /both\nRUN echo 1 > /one\n", builder=builder)
    two = lab.build("FROM alpine\nRUN echo both > /both\nRUN echo 2 > /two\n", builder=builder)
    assert_shares_layers(one, two, count=len(alpine.layers) + 1)


def test_what_a_later_layer_deletes_is_still_there(lab: Lab, builder: BuilderName, alpine: Image) -> None:
    """A file that a later layer deletes still takes its bytes in the image."""
    text = "FROM alpine\nRUN dd if=/dev/zero of=/large bs=1024 count=512 2> /dev/null\nRUN rm /large\n"
    build = lab.build(text, builder=builder)
    with pytest.raises(AssertionError, match="/large"):
        assert_wasted_bytes(build, 0, over=alpine)
    (wasted,) = assert_wasted_bytes(build, "1m", over=alpine).files
    assert (wasted.path, wasted.size) == ("/large", 512 * 1024)


def test_the_size_covers_the_layers(lab: Lab, builder: BuilderName, alpine: Image) -> None:
    """An image's size is its base's and what its own layers add."""
    build = lab.build("FROM alpine\nRUN head -c 2097152 /dev/urandom > /large\n", builder=builder)
    assert build.image.size >= alpine.size + 2 * 1024**2
    assert_image_size(build, at_most=alpine.size + 8 * 1024**2)
