"""What a private engine throws away, in memory: the state of its containers and networks needs no disk.

Each part is a tmpfs of bounded size over the folder in which dockerd expects it. Images, layers, the build cache and
volumes stay on the disk. Memory is taken as it is written to, and comes back when the engine ends.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.quantity import human_bytes

__all__ = ["LEAST", "free_memory", "images_in_containerd", "keep_in_memory", "parts"]

_MEGABYTE = 1 << 20
#: With less free memory than this, in bytes, all stays on the disk.
LEAST = 2048 * _MEGABYTE
# Containers have most: their logs lie beside their state, 128 MB each at most (see THROWAWAY in dockerd.py).
_CONTAINERS = 2048 * _MEGABYTE
_FOLDERS = {"network": 16 * _MEGABYTE, "containerd": 64 * _MEGABYTE}
_EXEC_ROOT = 128 * _MEGABYTE

_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")


def free_memory(meminfo: str = "/proc/meminfo", limits: Iterable[str] = _LIMITS) -> int:
    """Bytes of memory that can still be had, or that our control group may have, where that is less."""
    found = re.search(r"^MemAvailable: +(\d+) kB", Path(meminfo).read_text(), re.MULTILINE)
    numbers = [int(found[1]) * 1024 if found else 0]
    for place in limits:
        with contextlib.suppress(OSError, ValueError):  # another version of cgroups, or "max"
            numbers.append(int(Path(place).read_text()))
    return min(numbers)


def images_in_containerd(data: Path, major: int) -> bool:
    """Whether containerd keeps an engine's images: then its state is not thrown away, nor are containers' roots ours.

    Args:
        data: the engine's data root.
        major: the engine's version; 0 where that is not known.
    """
    # The default of a fresh engine from 29 on; there may be some of such an engine where an older one starts. Its blobs
    # are no sign: older engines have those of manifests there, which they can do without.
    return not 0 < major < 29 or any((data / "containerd/daemon").glob("io.containerd.snapshotter.v1.*/snapshots/*"))


def parts(slot: Slot, free: int) -> dict[Path, int]:
    """Folder → most bytes that may be written there."""
    containers = {slot.data / "containers": min(_CONTAINERS, free // 8)}
    rest = {slot.data / name: size for name, size in _FOLDERS.items()}
    return {**containers, **rest, slot.run / "exec": _EXEC_ROOT}


def keep_in_memory(slot: Slot, *, major: int, free: int | None = None) -> str:
    """Put an engine's throw-away state in memory; the caller holds the slot's lock, and no engine runs in it.

    Args:
        major: the engine's version.
        free: bytes of free memory, if not what this machine has.

    Returns:
        Why it is on the disk after all, or ``""``.
    """
    free = free_memory() if free is None else free
    if free < LEAST:
        return f"{human_bytes(free)} of memory are free, and that takes {human_bytes(LEAST)}"
    if images_in_containerd(slot.data, major):
        return "containerd keeps its images"
    made: list[Path] = []
    try:
        # dockerd would bind its data root on itself, without what is mounted below: unless that is a mount already.
        _mount("--bind", str(slot.data), str(slot.data))
        made.append(slot.data)
        for folder, size in parts(slot, free).items():
            shutil.rmtree(folder, ignore_errors=True)  # of the engine before: nobody would see it, nor remove it
            folder.mkdir(parents=True)
            _mount("-t", "tmpfs", "-o", f"size={size},mode=710", "dockerlab", str(folder))
            made.append(folder)
    except (OSError, subprocess.SubprocessError) as error:
        for folder in reversed(made):
            subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True, timeout=30)
        said = error.stderr if isinstance(error, subprocess.CalledProcessError) else str(error)
        return said.strip() or "mount fails"
    return ""


def _mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True, capture_output=True, text=True, timeout=30)
