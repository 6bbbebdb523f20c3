"""Take a slot back to nothing but its data: after an ordinary end, and after a crash."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from pytest_dockerlab.engine.cgroups import remove_tree
from pytest_dockerlab.engine.private import network
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.engine.processes import descendants, end, engine_processes
from pytest_dockerlab.errors import EngineError

__all__ = ["clean", "mounts_under"]


def mounts_under(*folders: Path) -> tuple[str, ...]:
    """Mount points at or under ``folders``, the deepest first (proc(5), mountinfo)."""
    found = []
    for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
        # Blanks and the like stand there as octal escapes.
        point = line.split()[4].encode().decode("unicode_escape").encode("latin-1").decode(errors="surrogateescape")
        if any(point == str(folder) or point.startswith(f"{folder}/") for folder in folders):
            found.append(point)
    return tuple(sorted(found, key=len, reverse=True))


def clean(slot: Slot) -> tuple[str, ...]:
    """End the processes, unmount, remove rules, bridges and run-time files. The caller holds the slot's lock.

    Returns:
        What was there, in words; empty for a slot that was clean.

    Raises:
        EngineError: a process could not be ended.
    """
    state = slot.read()
    gone = []
    engines = engine_processes(slot.run)
    all_of_them = engines | descendants(engines)
    if all_of_them:
        # Twice: a shim that was being made while we looked.
        left = end(all_of_them) | end(engine_processes(slot.run))
        gone.append(f"{len(all_of_them)} processes")
        if left:
            raise EngineError(
                f"processes of private engine {slot.number} do not end: {', '.join(map(str, sorted(left)))}",
                remedy="they hang in the kernel; look at them with ps -l and try again",
            )
    if state and state.store:
        slot = replace(slot, elsewhere=Path(state.store))
    # A file system that was mounted for the engine, at that folder itself, is not the engine's.
    mounts = tuple(
        point for point in mounts_under(slot.run, slot.cache, slot.store) if point != str(slot.elsewhere or "")
    )
    for point in mounts:
        subprocess.run(["umount", "-l", point], check=False, capture_output=True, timeout=30)
    if mounts:
        gone.append(f"{len(mounts)} mounts")
    # runc had no chance to remove those of containers that were killed with their engine.
    remove_tree(slot.cgroup)
    if os.getuid() == 0:
        gone.extend(network.down(slot, state.pool if state else ""))
    if slot.run.exists():
        _remove(slot.run)
        gone.append(f"folder {slot.run}")
    return tuple(gone)


def _remove(folder: Path) -> None:
    """Remove a folder whose parts an engine may have closed to us. Raises: EngineError."""
    for inner, _, _ in os.walk(folder):
        with contextlib.suppress(OSError):  # another id's: see below
            Path(inner).chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists() and os.getuid() != 0:
        # Files of ids that are ours only inside a user namespace can only be removed there.
        for enter in (["podman", "unshare"], ["rootlesskit"]):
            if program := shutil.which(enter[0]):
                command = [program, *enter[1:], "rm", "-rf", str(folder)]
                subprocess.run(command, check=False, capture_output=True, timeout=60)
    if folder.exists():
        left = next((str(path) for path in folder.rglob("*")), str(folder))
        raise EngineError(f"{left} can't be removed", remedy=f"sudo rm -rf {folder}")
