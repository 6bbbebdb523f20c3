"""From zero to AWS, where jupyter's image did not fit on the disk: row B36, on an engine with a small one."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Build, BuildFailed, DiskFull, Image, Lab, NotFound, assert_exit_code, assert_file
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.settings import Settings

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk"),
]

MIB = 1024**2
DISK = 96 * MIB
# More than the disk holds; the file can't be made smaller on its way.
TOO_LARGE = "RUN dd if=/dev/zero of=/large bs=1M count=200"


@pytest.fixture(scope="module")
def small_disk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A file system with room for a small image, and not for a large one."""
    place = tmp_path_factory.mktemp("small")
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", place], check=True)


@pytest.fixture(scope="module")
def small_engine(small_disk: Path) -> Iterator[Engine]:
    """An engine that keeps its images on the small disk."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKERLAB_CACHE", str(small_disk))
        endpoint = private.start(os.getpid())
        try:
            engine = Engine(endpoint)
            yield engine
            engine.close()
        finally:
            private.stop(endpoint)


@pytest.fixture
def small(lab: Lab, small_engine: Engine, tmp_path: Path) -> Iterator[Lab]:
    """A lab on that engine, which has alpine."""
    archive = lab.save(lab.image("alpine"), tmp_path / "alpine.tar")
    with Lab(small_engine, Bases(small_engine, Settings(dockerfiles=Path("dockerfiles").absolute()))) as own:
        own.tag(own.load(archive), "alpine:latest")
        yield own


def freed(folder: Path) -> bool:
    """Whether the disk has room again; the engine lets go of a failed step's files a moment after it has told."""
    deadline = time.monotonic() + 20
    while free(folder) < DISK // 2 and time.monotonic() < deadline:
        time.sleep(0.1)
    return free(folder) > DISK // 2


def free(folder: Path) -> int:
    state = os.statvfs(folder)
    return state.f_bavail * state.f_frsize


@pytest.fixture
def large(lab: Lab) -> Build:
    """An image that the small disk can't hold."""
    return lab.build("FROM alpine\nRUN dd if=/dev/zero of=/large bs=1M count=150\n")


@pytest.mark.row("B36")
def test_b36_what_fits_is_built_and_runs(small: Lab) -> None:
    """B36: the small disk is a disk like any other for an image that fits."""
    build = small.build("FROM alpine\nRUN echo fits > /fits\n")
    assert_file(build, "/fits", "fits\n")
    assert_exit_code(small.run(build, ["cat", "/fits"]), 0)


@pytest.mark.row("B36")
def test_wrong_b36_an_image_that_does_not_fit(lab: Lab, small: Lab, large: Build, tmp_path: Path) -> None:
    """B36: an image that is larger than the disk is an error that says that the disk is full."""
    archive = lab.save(large, tmp_path / "large.tar")
    with pytest.raises(DiskFull, match=r"(?i)no space left|full"):
        small.load(archive)


@pytest.mark.row("B36")
def test_wrong_b36_a_layer_that_fails_half_way(small: Lab) -> None:
    """B36: a RUN that fills the disk fails the build, with the step and the reason."""
    with pytest.raises((DiskFull, BuildFailed), match=r"(?is)RUN dd.*no space left"):
        small.build(f"FROM alpine\n{TOO_LARGE}\n")


@pytest.mark.row("B36")
def test_b36_nothing_is_left_of_it(small: Lab, small_disk: Path) -> None:
    """B36: after a build that filled the disk, its space is free again, and there is no image of it."""
    before: set[str] = {image.id for image in small.engine.images.list()}
    with pytest.raises((DiskFull, BuildFailed)):
        small.build(f"FROM alpine\n{TOO_LARGE}\n")
    after: tuple[Image, ...] = small.engine.images.list()
    assert {image.id for image in after} == before
    assert freed(small_disk)


@pytest.mark.row("B36")
def test_b36_nothing_is_left_of_an_image_that_did_not_fit(
    lab: Lab, small: Lab, small_disk: Path, large: Build, tmp_path: Path
) -> None:
    """B36: after an image that did not fit, its space is free again, and its id is unknown."""
    archive = lab.save(large, tmp_path / "large.tar")
    with pytest.raises(DiskFull):
        small.load(archive)
    assert freed(small_disk)
    with pytest.raises(NotFound):
        small.engine.images.get(large.id)
