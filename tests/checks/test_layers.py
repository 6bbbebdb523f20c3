"""Layers, instructions and waste, on hand-made images."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_dockerlab.checks.layers import (
    describe_layer,
    image_size,
    instructions,
    layer_count,
    layer_of,
    layers_added,
    no_layer_of,
    shares_layers,
)
from pytest_dockerlab.checks.waste import measure_waste, wasted_bytes
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked
from pytest_dockerlab.image.model import FileKind, FileStat, HistoryEntry, Image, LayerFiles


def digest(letter: str) -> str:
    return "sha256:" + letter * 64


def image(layers: str, name: str = "shop:1", history: tuple[HistoryEntry, ...] = (), size: int = 0) -> Image:
    return Image(id=digest("f"), layers=tuple(map(digest, layers)), tags=(name,), history=history, size=size)


def line(text: str, *, empty: bool | None = False, size: int | None = None) -> HistoryEntry:
    return HistoryEntry(created_by=text, empty_layer=empty, size=size, comment="buildkit.dockerfile.v0")


def said(checked: Checked[Any]) -> str:
    """The text of the findings, of which there has to be one."""
    assert len(checked.findings) == 1
    return str(checked.findings[0])


HISTORY = (
    line("ADD rootfs.tar / # buildkit"),
    line("ENV A=1", empty=True),
    line("RUN /bin/sh -c apt-get install -y curl # buildkit"),
    line("COPY app /app # buildkit"),
    line('CMD ["python3"]', empty=True),
)


def test_layers_are_counted() -> None:
    """The evidence of a count are the diff ids."""
    assert layer_count(image("ab"), 2).evidence == (digest("a"), digest("b"))


def test_another_count_shows_the_layers_with_their_instructions() -> None:
    """A wrong count shows what made each layer, by short digests."""
    text = said(layer_count(image("abc", history=HISTORY), 2))
    assert text.startswith("image shop:1 has 3 layers\n  expected: 2 layers\n  found:    3 layers\n")
    assert "2. bbbbbbbbbbbb RUN apt-get install -y curl" in text
    assert digest("b") not in text


@pytest.mark.parametrize("count", [-1, True, "2"])
def test_a_count_is_a_whole_number(count: int) -> None:
    """Anything else is a mistake of the caller."""
    with pytest.raises(UsageError, match="not a number of layers"):
        layer_count(image("ab"), count)


def test_added_layers_are_those_above_the_base() -> None:
    """The base's layers are the lowest ones, digest by digest."""
    assert layers_added(image("abc"), over=image("a"), count=2).evidence == (digest("b"), digest("c"))
    assert layers_added(image("ab"), over=image("ab"), count=0).ok
    assert layers_added(image("abc"), over=image("a")).ok


def test_another_number_of_added_layers_is_shown() -> None:
    """Expected and found stand side by side, with the added layers' instructions."""
    text = said(layers_added(image("abc", history=HISTORY), over=image("a", "base:1"), count=1))
    assert "image shop:1 adds 2 layers to base:1" in text
    assert re.search(r"expected: 1 added layer\n  found:    2 added layers", text)
    assert "3. cccccccccccc COPY app /app" in text
    assert "0 added layers" in said(layers_added(image("a"), over=image("a"), count=1))


def test_the_first_layer_that_differs_is_named() -> None:
    """An image with another base says where the two part."""
    text = said(layers_added(image("axc"), over=image("abc", "base:1"), count=0))
    assert "is not built on base:1: layer 2 differs" in text
    assert "expected: bbbbbbbbbbbb" in text
    assert "found:    xxxxxxxxxxxx (1 layer below it is the same)" in text
    assert "no such layer" in said(layers_added(image("a"), over=image("ab")))


def test_shared_layers_are_the_common_lowest_ones() -> None:
    """The same digest further up, over another layer, is not shared storage of the same tree."""
    assert shares_layers(image("abc"), image("abd"), 2).evidence == (digest("a"), digest("b"))
    assert shares_layers(image("abc"), image("ab")).ok
    assert "share no layer" in said(shares_layers(image("ab", "one:1"), image("xb", "two:1")))
    text = said(shares_layers(image("abc", "one:1"), image("ab", "two:1"), 3))
    assert "images one:1 and two:1 share 2 layers" in text
    assert "layer 3: cccccccccccc in one:1, none in two:1" in text


def test_history_lines_are_matched_with_layers() -> None:
    """The lines that are not empty are the layers, in order."""
    table = instructions(image("abc", history=HISTORY))
    assert [row.index for row in table] == [0, None, 1, 2, None]
    assert describe_layer(image("abc", history=HISTORY), 1) == "layer 2 of 3 (RUN apt-get install -y curl)"
    assert describe_layer(image("abc"), 1) == "layer 2 of 3"


def test_a_history_that_fits_no_layers_is_not_guessed_at() -> None:
    """Which instruction made which layer is an error where the source doesn't say."""
    with pytest.raises(UsageError, match=r"does not tell which lines made its 2 layers"):
        instructions(image("ab", history=HISTORY))


def test_the_layer_of_an_instruction_is_found_by_text_and_pattern() -> None:
    """The evidence names its index and digest."""
    shop = image("abc", history=HISTORY)
    found = layer_of(shop, "apt-get install").evidence
    assert found is not None
    assert (found.index, found.diff_id) == (1, digest("b"))
    assert layer_of(shop, re.compile(r"^COPY \w+ /app$")).ok


def test_a_layer_of_no_or_several_or_empty_instructions_is_a_finding() -> None:
    """Each of the three says what is there instead."""
    shop = image("abc", history=HISTORY)
    assert "no instruction of image shop:1 matches" in (text := said(layer_of(shop, "wget")))
    assert "expected: an instruction with 'wget'" in text
    assert "COPY app /app" in text
    assert "2 instructions of image shop:1 match" in said(layer_of(shop, "app"[:2]))
    assert "ENV A=1 made no layer in image shop:1" in said(layer_of(shop, "ENV A=1"))


def test_metadata_makes_no_layer() -> None:
    """An instruction that made one is named with it; one that isn't there proves nothing."""
    shop = image("abc", history=HISTORY)
    assert [row.text for row in no_layer_of(shop, "ENV").evidence] == ["ENV A=1"]
    text = said(no_layer_of(shop, "COPY"))
    assert "COPY app /app made a layer" in text
    assert "layer 3 of 3" in text
    assert "no instruction" in said(no_layer_of(shop, "USER"))


def test_an_image_that_is_too_large_shows_its_largest_layers() -> None:
    """Sizes are given as people read them."""
    history = (line("RUN /bin/sh -c make # buildkit", size=600 << 20), line("COPY a b # buildkit", size=1 << 20))
    assert image_size(image("ab", size=500), "500").evidence == 500
    text = said(image_size(image("ab", size=601 << 20, history=history), "500m"))
    assert "image shop:1 is 601 MiB" in text
    assert "expected: at most 500 MiB" in text
    assert "600 MiB: RUN make" in text


def entry(path: str, size: int = 10, kind: FileKind = FileKind.FILE) -> FileStat:
    return FileStat(path=path, kind=kind, mode=0o644, size=size)


def layer(*files: FileStat, deleted: tuple[str, ...] = (), opaque: tuple[str, ...] = ()) -> LayerFiles:
    return LayerFiles(diff_id="", files=files, deleted=deleted, opaque=opaque)


@pytest.mark.parametrize(
    ("layers", "wasted"),
    [
        pytest.param([layer(entry("/a")), layer(entry("/b"))], {}, id="nothing"),
        pytest.param([layer(entry("/a")), layer(entry("/a", 5))], {"/a": 10}, id="overwritten"),
        pytest.param([layer(entry("/a")), layer(deleted=("/a",))], {"/a": 10}, id="deleted"),
        pytest.param([layer(entry("/d/a"), entry("/d2")), layer(deleted=("/d",))], {"/d/a": 10}, id="folder deleted"),
        pytest.param([layer(entry("/d/a")), layer(entry("/d/b"), opaque=("/d",))], {"/d/a": 10}, id="opaque"),
        pytest.param([layer(entry("/d/a")), layer(entry("/d", 1))], {"/d/a": 10}, id="folder became a file"),
        pytest.param(
            [layer(entry("/d/a")), layer(entry("/d", 0, FileKind.DIRECTORY))], {}, id="a folder again hides nothing"
        ),
        pytest.param([layer(entry("/a"), deleted=("/a",))], {}, id="a whiteout speaks of lower layers, not of its own"),
        pytest.param([layer(entry("/a", 0)), layer(deleted=("/a",))], {}, id="an empty file costs nothing"),
        pytest.param([layer(entry("/a", 1)), layer(entry("/a", 2)), layer(deleted=("/a",))], {"/a": 3}, id="twice"),
    ],
)
def test_waste_is_what_later_layers_hide(layers: list[LayerFiles], wasted: dict[str, int]) -> None:
    """By the rules of whiteouts and of overlaid trees."""
    found = measure_waste(layers)
    sums: dict[str, int] = {}
    for file in found.files:
        sums[file.path] = sums.get(file.path, 0) + file.size
    assert sums == wasted
    assert found.total == sum(wasted.values())


def test_waste_names_the_worst_files_and_where_they_lie() -> None:
    """With the layer that carries them, its instruction, and the layer that hides them."""
    shop = image("abc", history=HISTORY)
    layers = [layer(), layer(entry("/cache", 2048), entry("/x", 5)), layer(deleted=("/cache", "/x"))]
    text = said(wasted_bytes(shop, layers, "1k"))
    assert "2.0 KiB of image shop:1 are hidden by later layers" in text
    assert "where:    layer 2 of 3 (RUN apt-get install -y curl)" in text
    assert "2 KiB /cache (from layer 2, deleted in layer 3)" in text
    assert wasted_bytes(shop, layers, "3k").evidence.total == 2053
    assert wasted_bytes(shop, layers, 0, first_layer=3).ok
