"""A private engine is tuned: what it throws away is in memory, what it keeps is on the disk; nothing else differs."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_dockerlab import DiskFull, Lab, assert_reused
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private.cleaning import mounts_under
from pytest_dockerlab.engine.private.dockerd import Dockerd
from pytest_dockerlab.engine.private.in_memory import LEAST, free_memory, images_in_containerd, keep_in_memory, parts
from pytest_dockerlab.engine.private.orphans import remove_orphans
from pytest_dockerlab.engine.private.slots import Slot, State
from pytest_dockerlab.settings import Settings

MEGABYTE = 1 << 20
DOCKERFILE = "FROM alpine\nRUN echo once > /built\n"

on_an_engine = [
    pytest.mark.skipif(os.getuid() != 0, reason="dockerd is started as root"),
    pytest.mark.usefixtures("private_engines"),
]


@dataclass(frozen=True)
class Started:
    """A private engine of the test's own, and a lab on it."""

    lab: Lab
    slot: Slot
    state: State

    @property
    def data(self) -> Path:
        return self.slot.data

    def layers(self) -> frozenset[str]:
        """Folders of layers on the disk, and the short names that dockerd gives them."""
        return frozenset(str(path) for home in ("overlay2", "overlay2/l") for path in (self.data / home).iterdir())

    def end(self) -> None:
        private.stop(self.lab.engine.endpoint)

    def kill(self) -> None:
        """Kill the keeper, and then what it would have taken down: as when the machine stops."""
        keeper = os.pidfd_open(self.state.keeper)
        os.kill(self.state.keeper, signal.SIGKILL)
        assert select.select([keeper], [], [], 60)[0]
        os.close(keeper)


Start = Callable[..., Started]


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config) -> Iterator[Start]:
    """Starts engines that all have the same data, one after the other. Their sockets' paths have to be short."""
    place = Path(tempfile.mkdtemp(prefix="dl-"))
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(place / "r"))
    with ExitStack() as stack:

        def begin(*, tuned: bool = True) -> Started:
            endpoint = private.start(os.getpid(), Settings(tuned=tuned), store=place / "store")
            slot, state = next((slot, state) for slot, state in private.states() if state.url == endpoint.url)
            engine = stack.enter_context(Engine(endpoint))
            bases = Bases(engine, Settings())
            stack.callback(bases.close)
            return Started(Lab(engine, bases), replace(slot, elsewhere=place / "store"), state)

        yield begin
        for endpoint in private.running():
            private.stop(endpoint)
    private.sweep()
    assert not mounts_under(place)
    shutil.rmtree(place)


def kind_of(folder: Path) -> str:
    """The type of the file system that holds a folder."""
    return subprocess.run(
        ["stat", "--file-system", "--format=%T", str(folder)], check=True, capture_output=True, text=True
    ).stdout.strip()


class TestEngine:
    """On a real engine."""

    pytestmark = on_an_engine

    def test_containers_state_is_in_memory_and_images_are_where_the_data_are(self, start: Start) -> None:
        """Containers, networks, containerd and exec root on a tmpfs of bounded size; layers beside the data."""
        one = start()
        folders = parts(one.slot, free_memory())
        assert {kind_of(folder) for folder in folders} == {"tmpfs"}
        assert all(
            os.statvfs(folder).f_blocks * os.statvfs(folder).f_frsize <= most for folder, most in folders.items()
        )
        store = one.slot.store.stat().st_dev
        assert {(one.data / name).stat().st_dev for name in ("image", "overlay2", "buildkit", "volumes")} == {store}
        one.end()
        assert mounts_under(one.slot.store, one.slot.run) == ()
        assert {path.name for path in (one.data / "containers").iterdir()} == set()

    def test_images_and_the_build_cache_are_there_for_the_next_engine(self, start: Start) -> None:
        """After an ordinary end and after kill -9: each step is reused; killed containers' layers are gone."""
        one = start()
        one.lab.build(DOCKERFILE)
        one.end()
        two = start()
        assert_reused(two.lab.build(DOCKERFILE), step=2)
        before = two.layers()
        two.lab.run("alpine", ["sh", "-c", "echo x > /x; sleep 600"])
        two.lab.create("alpine", ["true"])
        assert len(two.layers()) == len(before) + 8  # a root and what is under it, with a short name each
        two.kill()
        three = start()
        assert three.layers() == before
        build = three.lab.build(DOCKERFILE)
        assert_reused(build, step=2)
        assert three.lab.run(build, ["cat", "/built"]).output == "once\n"
        assert three.lab.engine.containers.list() == three.lab.engine.containers.list(three.lab.ownership.labels)

    def test_untuned_data_serve_a_tuned_engine_and_the_other_way_round(self, start: Start) -> None:
        """What the other one left when it was killed does not stay on the disk."""
        before = frozenset[str]()
        for tuned in (False, True):
            one = start(tuned=tuned)
            said = one.slot.log("keeper").read_text()
            assert (kind_of(one.data / "containers") == "tmpfs") == tuned, said
            if before:
                assert one.layers() == before
                assert_reused(one.lab.build(DOCKERFILE), step=2)
            else:
                one.lab.build(DOCKERFILE)
            before = one.layers()
            one.lab.run("alpine", ["sleep", "600"])
            one.kill()

    def test_what_runs_in_a_container_or_a_build_sees_nothing_of_it(self, start: Start) -> None:
        """The engine's own environment is not theirs."""
        one = start()
        build = one.lab.build("FROM alpine\nRUN env > /seen\n")
        box = one.lab.run(build, ["sleep", "600"])
        seen = box.exec(["sh", "-c", "cat /seen /proc/1/environ; env"]).output
        assert "PATH=" in seen
        assert not any(name in seen for name in ("GOGC", "GOMEMLIMIT"))

    def test_a_log_is_whole_as_long_as_it_is_ordinary_and_bounded_when_it_is_not(self, start: Start) -> None:
        """Of 20 MB nothing is missing; of 160 MB at most 128 are kept, the last line among them."""
        one = start()
        written = 20 * MEGABYTE // 512
        box = one.lab.run("alpine", ["sh", "-c", f"yes {'x' * 511} | head -n {written}; echo end"], timeout=600)
        assert box.exit_code == 0
        whole = box.output == f"{'x' * 511}\n" * written + "end\n"  # not in an assert: a diff of 20 MB takes hours
        assert whole
        box.remove()
        flood = one.lab.run("alpine", ["sh", "-c", f"yes {'y' * 8191} | head -n 20000; echo end"], timeout=600)
        assert flood.exit_code == 0
        kept = sum(path.stat().st_size for path in (one.data / "containers" / flood.id).glob("*.log*"))
        assert kept < 130 * MEGABYTE
        assert flood.logs(tail=1).stdout == b"end\n"
        flood.remove()
        assert list((one.data / "containers").iterdir()) == []

    def test_memory_that_is_full_is_an_error_that_says_so(self, start: Start) -> None:
        """A container for whose state there is no room is refused, and the remedy names what takes it."""
        one = start()
        one.lab.image("alpine")
        place = one.data / "containers"
        with (place / "filler").open("wb") as file:
            numbers = os.statvfs(place)
            os.posix_fallocate(file.fileno(), 0, numbers.f_bavail * numbers.f_frsize)
        with pytest.raises(DiskFull, match="no space left on device") as caught:
            one.lab.run("alpine", ["true"])
        assert "DOCKERLAB_TUNED=0" in caught.value.remedy
        (place / "filler").unlink()
        assert one.lab.run("alpine", ["true"]).exit_code == 0


# --- without an engine -----------------------------------------------------------------------


@pytest.fixture
def slot(tmp_path: Path) -> Slot:
    return Slot(0, tmp_path / "run", tmp_path / "cache")


def test_where_memory_is_short_all_stays_on_the_disk(slot: Slot) -> None:
    """Nothing is mounted, and the reason has both numbers."""
    said = keep_in_memory(slot, major=20, free=LEAST - MEGABYTE)
    assert said == "2.0 GiB of memory are free, and that takes 2 GiB"
    assert mounts_under(slot.data, slot.run) == ()


@pytest.mark.parametrize(
    ("major", "snapshots", "there"),
    [(20, False, False), (28, False, False), (20, True, True), (29, False, True), (0, False, True)],
)
def test_images_that_containerd_keeps_are_never_put_in_memory(
    slot: Slot, major: int, snapshots: bool, there: bool
) -> None:
    """From version 29 on, in an unknown one, and where such an engine was here before."""
    daemon = slot.data / "containerd/daemon"
    (daemon / "io.containerd.content.v1.content/blobs/sha256/0a").mkdir(parents=True)  # as of a manifest
    if snapshots:
        (daemon / "io.containerd.snapshotter.v1.overlayfs/snapshots/1").mkdir(parents=True)
    assert images_in_containerd(slot.data, major) is there
    if there:
        assert keep_in_memory(slot, major=major, free=LEAST) == "containerd keeps its images"


def test_a_mount_that_is_refused_leaves_nothing_half_done(slot: Slot, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where this process may not mount, the reason is mount's own, and what was mounted by then is not any more."""
    fake = slot.run_root / "bin"
    fake.mkdir(parents=True)
    log = fake / "log"
    script = (
        '#!/bin/sh\necho $0 $* >> "${0%/*}/log"\ncase $* in *containerd) echo permission denied >&2; exit 1; esac\n'
    )
    for name in ("mount", "umount"):
        (fake / name).write_text(script)
        (fake / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    slot.data.mkdir(parents=True)
    assert keep_in_memory(slot, major=20, free=LEAST) == "permission denied"
    undone = [line.split()[-1] for line in log.read_text().splitlines() if line.startswith(f"{fake}/umount")]
    assert undone == [str(slot.data / "network"), str(slot.data / "containers"), str(slot.data)]


def test_free_memory_is_what_the_machine_and_the_control_group_have(tmp_path: Path) -> None:
    """The smaller one of both; "max" is no limit, and so is a file that is not there."""
    meminfo, limit = tmp_path / "meminfo", tmp_path / "memory.max"
    meminfo.write_text("MemTotal:       9000 kB\nMemAvailable:   8000 kB\n")
    places = [str(limit), str(tmp_path / "absent")]
    assert free_memory(str(meminfo), places) == 8000 * 1024
    limit.write_text("max\n")
    assert free_memory(str(meminfo), places) == 8000 * 1024
    limit.write_text("4096\n")
    assert free_memory(str(meminfo), places) == 4096


def test_only_layers_of_containers_that_are_gone_are_removed(tmp_path: Path) -> None:
    """A container that is known keeps its layer, an image's has no record among the mounts; names are not paths."""
    home, mounts = tmp_path / "overlay2", tmp_path / "image/overlay2/layerdb/mounts"
    for name in ("image", "known", "lost", "lost-init"):
        (home / name / "diff").mkdir(parents=True)
        (home / name / "link").write_text(name.upper())
        (home / "l").mkdir(exist_ok=True)
        (home / "l" / name.upper()).symlink_to(f"../{name}/diff")
    (tmp_path / "containers/c1").mkdir(parents=True)
    for record, layer in (("c1", "known"), ("c2", "lost"), ("c3", "../containers")):
        (mounts / record).mkdir(parents=True)
        (mounts / record / "mount-id").write_text(layer)
        (mounts / record / "init-id").write_text(f"{layer}-init")
    assert remove_orphans(tmp_path) == 2
    assert {path.name for path in home.iterdir()} == {"image", "known", "l"}
    assert {path.name for path in (home / "l").iterdir()} == {"IMAGE", "KNOWN"}
    assert {path.name for path in mounts.iterdir()} == {"c1"}
    assert (tmp_path / "containers/c1").is_dir()
    assert remove_orphans(tmp_path) == 0


def test_untuned_is_an_ordinary_dockerd(slot: Slot) -> None:
    """Nothing is noted, nothing is mounted: it is the engine to compare with."""
    assert Dockerd(slot, tuned=False).notes == ()
    assert Dockerd(slot, tuned=False)._tuning.environ == {}
