"""B36: what does not fit on an engine's disk is an error that says so, and leaves nothing behind.

A private engine keeps its data on a file system of 64 MB that is made for these tests.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, fields, replace
from pathlib import Path

import pytest

from pytest_dockerlab import Build, BuildFailed, DiskFull, Lab, image_fixture
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private.cleaning import mounts_under
from pytest_dockerlab.plugin.options import settings_of
from pytest_dockerlab.settings import Settings

MEGABYTE = 1 << 20
DISK = 64  # in MB; an engine with alpine takes about 2 of them
TOO_MUCH = 80
WRITE = f"dd if=/dev/zero of=/big bs=1M count={TOO_MUCH}"

big = image_fixture(f"FROM alpine\nRUN {WRITE}\n", scope="run")


# --- the small disk --------------------------------------------------------------------------


@dataclass(frozen=True)
class Left:
    """What an engine holds: names by kind. Metadata and layers of less than a megabyte are not counted."""

    images: frozenset[str]
    containers: frozenset[str]
    volumes: frozenset[str]
    layers: frozenset[str]
    temporary: frozenset[str]
    megabytes: frozenset[str]


@dataclass(frozen=True)
class Small:
    """An engine on a small disk, and a lab on it."""

    lab: Lab
    store: Path

    @property
    def engine(self) -> Engine:
        return self.lab.engine

    def left(self) -> Left:
        data = self.store / "data"
        return Left(
            images=frozenset(image.id for image in self.engine.images.list(all=True)),
            containers=frozenset(container.name for container in self.engine.containers.list()),
            volumes=frozenset(volume.name for volume in self.engine.volumes.list()),
            layers=frozenset(layer.name for layer in layers_in(data) if size(layer) >= MEGABYTE),
            temporary=frozenset(str(path) for path in (data / "tmp").rglob("*")),
            megabytes=frozenset({f"{used(self.store) // MEGABYTE} MB in use"}),
        )


def layers_in(data: Path) -> Iterator[Path]:
    """Folders of layers, done or half-way, in whichever store the engine has chosen."""
    for pattern in ("overlay2/*", "vfs/dir/*", "containerd/daemon/*/snapshots/*"):
        yield from data.glob(pattern)


def size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*"))


def used(disk: Path) -> int:
    numbers = os.statvfs(disk)
    return (numbers.f_blocks - numbers.f_bfree) * numbers.f_frsize


def assert_nothing_left(before: Left, after: Left) -> None:
    """An engine holds what it held, and nothing more."""
    more = {each.name: getattr(after, each.name) - getattr(before, each.name) for each in fields(Left)}
    rows = [f"{kind}: {', '.join(sorted(names))}" for kind, names in more.items() if names]
    assert not rows, "left behind: " + "; ".join(rows)


def assert_does_not_fit(action: Callable[[], object], *said: str) -> None:
    """The action is refused for want of space, and the message says all of that."""
    refused: DiskFull | None = None
    try:
        action()
    except DiskFull as error:
        refused = error
    assert refused is not None, "it fits: no DiskFull was raised"
    missing = [text for text in (*said, "no space left on device", "docker system df") if text not in str(refused)]
    assert not missing, f"the error does not say {missing}: {refused}"


def cannot(config: pytest.Config, reason: str) -> None:
    """Skip, or fail where nothing may be skipped."""
    (pytest.fail if settings_of(config).strict else pytest.skip)(f"a small disk for an engine: {reason}")


@contextmanager
def disk_of(megabytes: int, folder: Path, config: pytest.Config) -> Iterator[Path]:
    """A file system of this size at ``folder``, which is gone with it."""
    if os.getuid() != 0:
        cannot(config, "only root may mount one")
    if reason := private.missing():
        cannot(config, reason)
    options = ["-t", "tmpfs", "-o", f"size={megabytes}m,mode=700"]
    done = subprocess.run(["mount", *options, "dockerlab-small", str(folder)], capture_output=True, text=True)
    if done.returncode:
        cannot(config, done.stderr.strip())
    try:
        yield folder
    finally:
        # Not lazily: whoever still uses it would have been left behind.
        subprocess.run(["umount", str(folder)], check=True)
        folder.rmdir()


@contextmanager
def small_engine(megabytes: int, folder: Path, config: pytest.Config) -> Iterator[Small]:
    """A private engine whose images and containers have that much room, and a lab on it with alpine."""
    with ExitStack() as stack:
        store = stack.enter_context(disk_of(megabytes, folder, config))
        endpoint = private.start(os.getpid(), store=store)
        stack.callback(private.stop, endpoint)
        engine = stack.enter_context(Engine(endpoint))
        bases = Bases(engine, Settings())
        stack.callback(bases.close)
        lab = stack.enter_context(Lab(engine, bases))
        lab.image("alpine")
        yield Small(lab, store)


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
    assert_nothing_left(before, small.left())
    assert_it_still_builds(small)


def test_a_copy_that_does_not_fit(small: Small, context: Callable[[int], Path]) -> None:
    """B36: a COPY for which there is no room is named, and neither its half layer nor the context stays."""
    before = small.left()
    # It is sent, and there is room for it, but not a second time.
    assert_does_not_fit(lambda: small.lab.build(context(36), builder="classic"), "at [2/2] COPY big /big")
    assert_nothing_left(before, small.left())
    assert_it_still_builds(small)


def test_a_builder_that_is_full_is_emptied(small: Small, context: Callable[[int], Path]) -> None:
    """B36: BuildKit keeps the half of a context that did not fit in its cache (20.10 does): it is taken out."""
    before = small.left()
    assert_does_not_fit(lambda: small.lab.build(context(TOO_MUCH), builder="buildkit"), "context")
    assert_nothing_left(before, small.left())
    assert_it_still_builds(small)


def test_a_copy_by_buildkit_that_does_not_fit(small: Small, context: Callable[[int], Path]) -> None:
    """B36: the COPY is named; the engine builds again, with no image of what failed."""
    before = small.left()
    # It is sent, unpacked and copied: three times.
    assert_does_not_fit(lambda: small.lab.build(context(24), builder="buildkit"), "at [2/2] COPY big /big")
    # Engine 20.10 now and then forgets the half layer without removing its folder: no verb reaches that.
    unsure = {"layers": frozenset[str](), "megabytes": frozenset[str]()}
    assert_nothing_left(replace(before, **unsure), replace(small.left(), **unsure))
    assert_it_still_builds(small)


# --- images ----------------------------------------------------------------------------------


def test_an_archive_that_does_not_fit(small: Small, lab: Lab, big: Build, tmp_path: Path) -> None:
    """B36: `docker load` of an image that is larger than the disk: nothing of it stays."""
    archive = lab.save(big, tmp_path / "big.tar")
    before = small.left()
    assert_does_not_fit(lambda: small.lab.load(archive), "load of an image archive")
    assert_nothing_left(before, small.left())
    assert_it_still_builds(small)


def test_a_pull_that_does_not_fit(small: Small, lab: Lab, big: Build) -> None:
    """B36: `docker pull` of an image whose layer is larger than the disk: nothing of it stays."""
    name = lab.registry().name("big:1")
    lab.tag(big, name)
    lab.push(name)
    before = small.left()
    assert_does_not_fit(lambda: small.engine.images.pull(name), f"pull of {name}")
    assert_nothing_left(before, small.left())
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
    assert_nothing_left(before, small.left())
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
        assert_nothing_left(before, small.left())
    box.remove()
