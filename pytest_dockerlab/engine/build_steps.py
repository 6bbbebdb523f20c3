"""The RUN steps that a dockerd on this machine carries out, as BuildKit's runc executor leaves them on its disk.

Each step has a folder below ``DATA-ROOT/buildkit/executor`` while it runs, with the configuration that runc gets
(buildkit: executor/runcexecutor/executor.go). No process of the step can see or change it, so that is where it is
told whose a step is: from the extra hosts of its build.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.engine.cgroups import ControlGroup

__all__ = ["RunningStep", "running_steps", "written"]

_BLOCK = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningStep:
    """One RUN step.

    Attributes:
        ident: the container's, BuildKit's own.
        hosts: names in its ``/etc/hosts``.
        group: that its processes are in.
        bundle: its folder, which goes when it has ended.
    """

    ident: str
    hosts: frozenset[str]
    group: ControlGroup
    bundle: Path

    @property
    def upper(self) -> Path | None:
        """The folder that takes what it writes to its root file system; ``None`` where that can't be told."""
        root = str(self.bundle / "rootfs")
        for place in ("self", *map(str, self.group.processes())):
            try:
                lines = Path(f"/proc/{place}/mountinfo").read_text(errors="replace").splitlines()
            except OSError:
                continue
            for line in lines:
                at, _, source = line.partition(" - ")
                point = at.split()[4]
                if point == root or (place != "self" and point == "/"):
                    options = source.rpartition(" ")[2].split(",")
                    return next(
                        (Path(each.removeprefix("upperdir=")) for each in options if each.startswith("upperdir=")), None
                    )
        return None


def running_steps(data_root: Path, version: int, known: frozenset[str] = frozenset()) -> Iterator[RunningStep]:
    """The steps that run now.

    Args:
        version: of the machine's cgroups.
        known: ids that need not be looked at again.
    """
    try:
        entries = list(os.scandir(data_root / "buildkit" / "executor"))
    except OSError:
        return  # not before its first RUN
    for entry in entries:
        if entry.name in known:
            continue
        try:
            config = json.loads(Path(entry.path, "config.json").read_text())
            path = config["linux"]["cgroupsPath"]
            hosts = next(mount["source"] for mount in config["mounts"] if mount["destination"] == "/etc/hosts")
            names = frozenset(Path(hosts).read_text().split())
        except (OSError, ValueError, TypeError, LookupError, StopIteration):
            continue  # a file, or a step of which not everything is there yet
        yield RunningStep(ident=entry.name, hosts=names, group=ControlGroup(path, version), bundle=Path(entry.path))


def written(folder: Path, most: int) -> int:
    """Bytes of all files in a folder, each file and folder at least a block; holes count, as layers have them.

    Args:
        most: it is not told by how much it is more than that.
    """
    total, pending = 0, [folder]
    while pending and total <= most:
        try:
            with os.scandir(pending.pop()) as entries:
                for entry in entries:
                    total += _BLOCK
                    if total > most:
                        break
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(Path(entry.path))
                    elif entry.is_file(follow_symlinks=False):
                        found = entry.stat(follow_symlinks=False)
                        total += max(found.st_size, found.st_blocks * 512)
        except OSError:
            continue  # it went while we looked
    return total
