"""From zero to AWS, where jupyter's image did not fit on the disk: row B36, on an engine with a small one.

What else may not fit (a build's context, a pull, a container's files) is in ``tests/engine/test_disk_full.py``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Build, BuildFailed, DiskFull, Lab, NotFound, assert_exit_code, assert_file
from tests.small_disk import DISK, WRITE, Small, assert_nothing_left, small_engine


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Small]:
    """An engine with 64 MB of disk, and alpine on it."""
    with small_engine(DISK, tmp_path_factory.mktemp("disk"), request.config) as small:
        yield small


@pytest.fixture
def large(lab: Lab) -> Build:
    """An image that the small disk can't hold, though the engine that builds it can."""
    return lab.build(f"FROM alpine\nRUN {WRITE}\n")


@pytest.mark.row("B36")
def test_b36_what_fits_is_built_and_runs(small: Small) -> None:
    """B36: the small disk is a disk like any other for an image that fits."""
    build = small.lab.build("FROM alpine\nRUN echo fits > /fits\n")
    assert_file(build, "/fits", "fits\n")
    assert_exit_code(small.lab.run(build, ["cat", "/fits"]), 0)


@pytest.mark.row("B36")
def test_wrong_b36_an_image_that_does_not_fit(lab: Lab, small: Small, large: Build, tmp_path: Path) -> None:
    """B36: an image larger than the disk is an error that says that the disk is full; nothing of it stays."""
    archive = lab.save(large, tmp_path / "large.tar")
    before = small.left()
    with pytest.raises(DiskFull, match=r"(?i)no space left|full"):
        small.lab.load(archive)
    with pytest.raises(NotFound):
        small.engine.images.get(large.id)
    assert_nothing_left(before, small.left)


@pytest.mark.row("B36")
def test_wrong_b36_a_layer_that_fails_half_way(small: Small) -> None:
    """B36: a RUN that fills the disk fails the build, with the step and the reason; its space is free again."""
    before = small.left()
    with pytest.raises((DiskFull, BuildFailed), match=r"(?is)RUN dd.*no space left"):
        small.lab.build(f"FROM alpine\nRUN {WRITE}\n")
    assert_nothing_left(before, small.left)
