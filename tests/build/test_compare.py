"""Comparing two builds or two images."""

from __future__ import annotations

from pytest_dockerlab.build.compare import compare_images, compare_steps, reuse
from pytest_dockerlab.build.context import ignore_file_names, ignore_patterns
from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.image.model import HistoryEntry, Image


def trace(*texts: str, cached: int = 0) -> BuildTrace:
    steps = [
        Step(number=at, total=len(texts), instruction=text.split()[0], text=text, cached=1 < at <= cached)
        for at, text in enumerate(texts, 1)
    ]
    return BuildTrace(builder="buildkit", steps=tuple(steps))


def test_reuse_tells_where_the_cache_ended() -> None:
    """FROM is left out, the first rebuilt step is named."""
    found = reuse(trace("FROM a", "RUN b", "RUN c", "RUN d", cached=2))
    assert [step.number for step in found.reused] == [2]
    assert [step.number for step in found.rebuilt] == [3, 4]
    assert found.first_rebuilt is found.rebuilt[0]
    assert reuse(trace("FROM a", "RUN b", cached=2)).first_rebuilt is None


def test_dockerfiles_part_at_their_first_different_step() -> None:
    """Also where one is longer."""
    found = compare_steps(trace("FROM a", "RUN b", "RUN c"), trace("FROM a", "RUN x"))
    assert len(found.common) == 1
    assert (found.one and found.one.text, found.other and found.other.text) == ("RUN b", "RUN x")
    longer = compare_steps(trace("FROM a"), trace("FROM a", "RUN x"))
    assert (longer.one, longer.other and longer.other.text, longer.same) == (None, "RUN x", False)
    assert compare_steps(trace("FROM a"), trace("FROM a")).same


def test_images_part_at_their_first_different_layer() -> None:
    """And history names the instruction of each, metadata skipped."""

    def image(*layers: str) -> Image:
        history = [HistoryEntry(created_by="ENV", empty_layer=True)]
        history += [HistoryEntry(created_by=f"RUN {layer}", empty_layer=False) for layer in layers]
        return Image(id="sha256:" + "".join(layers), layers=layers, history=tuple(history))

    found = compare_images(image("a", "b", "c"), image("a", "x"))
    assert (found.shared, found.one_only, found.other_only, found.same) == (1, ("b", "c"), ("x",), False)
    assert (found.one_from and found.one_from.created_by, found.other_from and found.other_from.created_by) == (
        "RUN b",
        "RUN x",
    )
    more = compare_images(image("a"), image("a", "b"))
    assert (more.shared, more.one_from, more.other_only) == (1, None, ("b",))
    assert compare_images(image("a"), image("a")).same


def test_ignore_patterns_are_the_lines_that_mean_something() -> None:
    """Comments and empty lines go, order stays; the file beside the Dockerfile wins."""
    assert ignore_patterns("\ufeff# c\n\n *.log \n!keep.log\r\n") == ("*.log", "!keep.log")
    assert ignore_file_names("Dockerfile.dev") == ("Dockerfile.dev.dockerignore", ".dockerignore")
