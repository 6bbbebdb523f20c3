"""A disk that is soon full: an engine on a file system of 64 MB, and what it holds before and after."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_dockerlab import DiskFull, Lab
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.plugin.options import settings_of
from pytest_dockerlab.settings import Settings

__all__ = [
    "DISK",
    "MEGABYTE",
    "TOO_MUCH",
    "WRITE",
    "Left",
    "Small",
    "assert_does_not_fit",
    "assert_nothing_left",
    "disk_of",
    "small_engine",
]

MEGABYTE = 1 << 20
DISK = 64  # in MB; an engine with alpine takes about 2 of them
TOO_MUCH = 80
WRITE = f"dd if=/dev/zero of=/big bs=1M count={TOO_MUCH}"
# What an engine's own records may grow by, in MB; nothing of less than this is looked for.
_SLACK = 2
_KINDS = ("images", "containers", "volumes", "layers", "temporary")


@dataclass(frozen=True)
class Left:
    """What an engine holds: names by kind. Metadata and layers of less than a megabyte are not counted."""

    images: frozenset[str]
    containers: frozenset[str]
    volumes: frozenset[str]
    layers: frozenset[str]
    temporary: frozenset[str]
    megabytes: int


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
            megabytes=used(self.store) // MEGABYTE,
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


def assert_nothing_left(before: Left, look: Callable[[], Left], *, within: float = 30.0) -> None:
    """An engine holds what it held, and nothing more, sooner or later: it lets go of files after it has answered.

    Args:
        look: what it holds now.
        within: seconds; one look for 0.
    """
    deadline = time.monotonic() + within
    while rows := _more(before, look()):
        assert time.monotonic() < deadline, "left behind: " + "; ".join(rows)
        time.sleep(0.1)


def _more(before: Left, after: Left) -> list[str]:
    more = {kind: getattr(after, kind) - getattr(before, kind) for kind in _KINDS}
    rows = [f"{kind}: {', '.join(sorted(names))}" for kind, names in more.items() if names]
    if after.megabytes > before.megabytes + _SLACK:
        rows.append(f"{after.megabytes} MB in use, {before.megabytes} before")
    return rows


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
