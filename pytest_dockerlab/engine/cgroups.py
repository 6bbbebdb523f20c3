"""A control group on this machine, by its path: limits set, counters read, its processes ended (v1 and v2).

Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/. Needs the right to write there.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

__all__ = ["ROOT", "ControlGroup", "Counted", "remove_tree", "writable"]

ROOT = Path("/sys/fs/cgroup")
_PERIOD = 100_000  # microseconds, as docker has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What the kernel has counted: bytes of memory, the most of them so far, processes and threads now; processes
    that it ended for want of memory, and those that were not begun for want of a number."""

    memory: int = 0
    peak: int = 0
    pids: int = 0
    oom_kills: int = 0
    refused: int = 0


class ControlGroup:
    """One control group, in all hierarchies that count.

    Args:
        path: from the root of a hierarchy, as in ``/proc/PID/cgroup``.
        version: 1 or 2, of the machine's cgroups.
    """

    def __init__(self, path: str, version: int, root: Path = ROOT) -> None:
        inner = path.lstrip("/")
        self._two = version == 2
        self._memory, self._cpu, self._pids = (
            root / inner if self._two else root / controller / inner for controller in ("memory", "cpu", "pids")
        )

    @property
    def exists(self) -> bool:
        return self._pids.is_dir()

    def limit(self, *, memory: int | None, nano_cpus: int | None, pids: int | None) -> bool:
        """Set limits, in a group that may not be there yet. There is no swap beside the memory.

        Returns:
            whether the kernel took them; it does not take less memory than is used already.
        """
        for folder in {self._memory, self._cpu, self._pids}:
            with contextlib.suppress(OSError):  # its parents are the engine's to make
                folder.mkdir()
        done = True
        if memory is not None:
            done &= _put(self._memory / ("memory.max" if self._two else "memory.limit_in_bytes"), memory)
            # Where swap is not counted there is no such file.
            _put(self._memory / ("memory.swap.max" if self._two else "memory.memsw.limit_in_bytes"),
                 0 if self._two else memory)  # fmt: skip
        if nano_cpus is not None:
            quota = max(1_000, nano_cpus * _PERIOD // 1_000_000_000)
            if self._two:
                done &= _put(self._cpu / "cpu.max", f"{quota} {_PERIOD}")
            else:
                done &= _put(self._cpu / "cpu.cfs_quota_us", quota)
        if pids is not None:
            done &= _put(self._pids / "pids.max", pids)
        return done

    def counted(self) -> Counted:
        """What the kernel has counted so far, zeros where it does not count, or no longer."""
        usage, peak = (
            ("memory.current", "memory.peak") if self._two else ("memory.usage_in_bytes", "memory.max_usage_in_bytes")
        )
        memory = _number(self._memory / usage)
        return Counted(
            memory=memory,
            peak=max(memory, _number(self._memory / peak)),
            pids=_number(self._pids / "pids.current"),
            oom_kills=_field(self._memory / ("memory.events" if self._two else "memory.oom_control"), "oom_kill"),
            refused=_field(self._pids / "pids.events", "max"),
        )

    def held(self) -> int:
        """Bytes of memory that can't be taken back from it: without the page cache."""
        names = ("anon", "shmem") if self._two else ("total_rss", "total_shmem")
        return sum(_field(self._memory / "memory.stat", name) for name in names)

    def processes(self) -> tuple[int, ...]:
        """Its processes, by the ids that they have here."""
        try:
            return tuple(int(line) for line in (self._pids / "cgroup.procs").read_text().split())
        except (OSError, ValueError):
            return ()

    def end(self, *, patience: float = 2.0) -> None:
        """End all of its processes, for which no new one can be begun; seconds."""
        _put(self._pids / "pids.max", 0)
        until = time.monotonic() + patience
        while (found := self.processes()) and time.monotonic() < until:
            for pid in found:
                self._end(pid)
            time.sleep(0.005)

    def _end(self, pid: int) -> None:
        if pid == 0:
            return  # of another namespace than ours
        with contextlib.suppress(OSError):
            handle = os.pidfd_open(pid)
            try:
                # The number may be another process's by now: the handle is of one, and that one has to be ours.
                if pid in self.processes():
                    signal.pidfd_send_signal(handle, signal.SIGKILL)
            finally:
                os.close(handle)

    def remove(self) -> None:
        """Remove it, if nothing is in it."""
        for folder in {self._memory, self._cpu, self._pids}:
            with contextlib.suppress(OSError):
                folder.rmdir()


def writable(version: int, root: Path = ROOT) -> str:
    """Why no limits can be set here, or ``""``."""
    for folder in {root} if version == 2 else {root / name for name in ("memory", "cpu", "pids")}:
        if not folder.is_dir():
            return f"there is no {folder}"
        if not os.access(folder, os.W_OK) or os.statvfs(folder).f_flag & os.ST_RDONLY:
            return f"{folder} can't be written"
    return ""


def remove_tree(name: str, root: Path = ROOT) -> None:
    """Remove a group and those below it, in every hierarchy, as far as nothing is in them."""
    for top in {*root.glob(f"*/{name}"), root / name}:
        for folder, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):  # somebody moved a process there: leave it
                Path(folder).rmdir()


def _put(file: Path, value: object) -> bool:
    try:
        file.write_text(str(value))
    except OSError:
        return False
    return True


def _number(file: Path) -> int:
    try:
        return int(file.read_text())
    except (OSError, ValueError):
        return 0


def _field(file: Path, name: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        for line in file.read_text().splitlines():
            key, _, value = line.partition(" ")
            if key == name:
                return int(value)
    return 0
