"""B36: what does not fit on an engine's disk is an error that says so, and leaves nothing behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_dockerlab import Build, BuildFailed, Lab, image_fixture
from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private.cleaning import mounts_under
from tests.small_disk import (
    DISK,
    MEGABYTE,
    TOO_MUCH,
    WRITE,
    Left,
    Small,
    assert_does_not_fit,
    assert_nothing_left,
    disk_of,
    small_engine,
)

big = image_fixture(f"FROM alpine\nRUN {WRITE}\n", scope="run")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Small]:
    """An engine with 64 MB of disk."""
    with small_engine(DISK, tmp_path_factory.mktemp("disk"), request.config) as small:
        yield small


@pytest.fixture
def context(tmp_path: Path) -> Callable[[int], Path]:
    """Makes a build context with a file of so many megabytes."""

    def make(megabytes: int) -> Path:
        (tmp_path / "Dockerfile").write_text("FROM alpine\nCOPY big /big\n")
        (tmp_path / "big").write_bytes(bytes(megabytes * MEGABYTE))
        return tmp_path

    return make


def assert_it_still_builds(small: Small) -> None:
    """A build that fits works."""
    build = small.lab.build("FROM alpine\nRUN echo works > /small\n", no_cache=True)
    assert small.lab.run(build, ["cat", "/small"]).output == "works\n"


# --- the engine's store ----------------------------------------------------------------------


def test_a_store_of_ones_own_is_used_and_left_mounted(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """Images are kept in the folder that was named; a killed keeper's mounts below it go, the folder's own stays."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with disk_of(DISK, folder, request.config) as store:
        endpoint = private.start(os.getpid(), store=store)
        try:
            slot, state = next((slot, state) for slot, state in private.states() if state.url == endpoint.url)
            with Engine(endpoint) as engine:
                assert engine.info.root_dir == str(store / "data")
            keeper = os.pidfd_open(state.keeper)
            os.kill(state.keeper, signal.SIGKILL)
            select.select([keeper], [], [], 60)
            os.close(keeper)
            subprocess.run(["mount", "--bind", store, store / "data"], check=True)  # as containers have them
            assert "mounts" in " ".join(private.stop(slot.number))
            assert mounts_under(store) == (str(store),)
        finally:
            private.stop(endpoint)


# --- building --------------------------------------------------------------------------------


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
def test_a_run_that_writes_more_than_fits(small: Small, builder: BuilderName) -> None:
    """B36: the step that fills the disk is named with what its command said, and its half layer is gone."""
    before = small.left()
    with pytest.raises(BuildFailed, match=r"failed at \[2/2\] RUN dd .*(?s:.*)No space left on device") as caught:
        small.lab.build(f"FROM alpine\nRUN {WRITE}\n", builder=builder)
    assert caught.value.step == 2
    assert_nothing_left(before, small.left)
    assert_it_still_builds(small)


def test_a_copy_that_does_not_fit(small: Small, context: Callable[[int], Path]) -> None:
    """B36: a COPY for which there is no room is named, and neither its half layer nor the context stays."""
    before = small.left()
    # It is sent, and there is room for it, but not a second time.
    assert_does_not_fit(lambda: small.lab.build(context(36), builder="classic"), "at [2/2] COPY big /big")
    assert_nothing_left(before, small.left)
    assert_it_still_builds(small)


def test_a_builder_that_is_full_is_emptied(small: Small, context: Callable[[int], Path]) -> None:
    """B36: BuildKit keeps the half of a context that did not fit in its cache (20.10 does): it is taken out."""
    before = small.left()
    assert_does_not_fit(lambda: small.lab.build(context(TOO_MUCH), builder="buildkit"), "context")
    assert_nothing_left(before, small.left)
    assert_it_still_builds(small)


def test_a_copy_by_buildkit_that_does_not_fit(small: Small, context: Callable[[int], Path]) -> None:
    """B36: the COPY is named; the engine builds again, with no image of what failed."""
    before = small.left()
    # It is sent, unpacked and copied: three times.
    assert_does_not_fit(lambda: small.lab.build(context(24), builder="buildkit"), "at [2/2] COPY big /big")
    # Engine 20.10 now and then forgets the half layer without removing its folder: no verb reaches that.
    assert_nothing_left(_sure(before), lambda: _sure(small.left()))
    assert_it_still_builds(small)


def _sure(left: Left) -> Left:
    return replace(left, layers=frozenset(), megabytes=0)


# --- images ----------------------------------------------------------------------------------


def test_an_archive_that_does_not_fit(small: Small, lab: Lab, big: Build, tmp_path: Path) -> None:
    """B36: `docker load` of an image that is larger than the disk: nothing of it stays."""
    archive = lab.save(big, tmp_path / "big.tar")
    before = small.left()
    assert_does_not_fit(lambda: small.lab.load(archive), "load of an image archive")
    assert_nothing_left(before, small.left)
    assert_it_still_builds(small)


def test_a_pull_that_does_not_fit(small: Small, lab: Lab, big: Build) -> None:
    """B36: `docker pull` of an image whose layer is larger than the disk: nothing of it stays."""
    name = lab.registry().name("big:1")
    lab.tag(big, name)
    lab.push(name)
    before = small.left()
    assert_does_not_fit(lambda: small.engine.images.pull(name), f"pull of {name}")
    assert_nothing_left(before, small.left)
    assert_it_still_builds(small)


# --- containers ------------------------------------------------------------------------------


def test_a_container_that_fills_the_disk_hears_it_itself(small: Small) -> None:
    """B36: its command fails with "No space left on device"; with the container goes what it had written."""
    before = small.left()
    box = small.lab.run("alpine", ["sleep", "600"])
    done = box.exec(["sh", "-c", f"{WRITE} 2>&1"])
    assert done.exit_code == 1
    assert "No space left on device" in done.output
    assert_does_not_fit(lambda: small.lab.run("alpine", ["true"]), "container of alpine:latest")
    box.remove()
    assert_nothing_left(before, small.left)
    assert_it_still_builds(small)


# --- wrong on purpose ------------------------------------------------------------------------


def test_wrong_there_is_room(lab: Lab, context: Callable[[int], Path]) -> None:
    """B36: where there is room the same build succeeds, and the check says that it fits."""
    with pytest.raises(AssertionError, match="it fits: no DiskFull was raised"):
        assert_does_not_fit(lambda: lab.build(context(24)))


def test_wrong_something_is_left(small: Small) -> None:
    """B36: an image without a name and a container that were left are found and named."""
    before = small.left()
    build = small.lab.build("FROM alpine\nRUN dd if=/dev/zero of=/half bs=1M count=8\n", tag="", no_cache=True)
    box = small.lab.create(build, ["true"])
    with pytest.raises(AssertionError, match=f"(?s)images: {build.id}.*containers: {box.name}.*layers: .*MB in use"):
        assert_nothing_left(before, small.left, within=0)
    box.remove()
