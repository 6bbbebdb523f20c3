"""What the kernel enforces and counts, read from the text of cgroup files (v1 and v2).

Sources: the kernel's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/; how an engine
fills them: opencontainers/cgroups fs2/memory.go and utils.go.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_dockerlab.errors import FormatError

__all__ = ["FILES", "V1_FILES", "V2_FILES", "KernelLimits", "KernelUsage", "cgroup_paths", "limits_from", "usage_from"]

# Below /sys/fs/cgroup of the container.
V2_FILES = (
    "cpu.max",
    "memory.max",
    "memory.swap.max",
    "pids.max",
    "cpu.stat",
    "memory.current",
    "memory.events",
    "pids.current",
)
V1_FILES = (
    "cpu/cpu.cfs_quota_us",
    "cpu/cpu.cfs_period_us",
    "memory/memory.limit_in_bytes",
    "memory/memory.memsw.limit_in_bytes",
    "pids/pids.max",
    "cpu/cpu.stat",
    "cpuacct/cpuacct.usage",
    "memory/memory.usage_in_bytes",
    "memory/memory.oom_control",
    "pids/pids.current",
)
FILES = V2_FILES + V1_FILES

# v1 has no word for "no limit": it shows the largest multiple of a page, 2**63 less one page.
_NO_LIMIT = 1 << 60
_WHOLE = re.compile(r"-?\d{1,20}", re.ASCII)  # the kernel's numbers have 64 bits


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelLimits:
    """Caps that the kernel enforces on a container; ``None`` is no cap, or one that it does not account for.

    Attributes:
        version: of cgroups, 1 or 2.
        nano_cpus: billionths of a CPU: quota over period.
        memory: bytes.
        memory_swap: bytes of memory and swap together, as ``--memory-swap`` counts.
        pids: processes and threads.
    """

    version: int
    nano_cpus: int | None = None
    memory: int | None = None
    memory_swap: int | None = None
    pids: int | None = None

    @property
    def cpus(self) -> float | None:
        return None if self.nano_cpus is None else self.nano_cpus / 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelUsage:
    """What a container has used so far; ``None`` where the kernel (or the engine) does not count it.

    Attributes:
        cpu_seconds: of all CPUs together.
        memory: bytes now, page cache included.
        pids: processes and threads now.
        periods, throttled_periods: CPU periods with a cap, and those of them in which it was reached.
        throttled_seconds: that its threads were held back.
        oom_kills: processes killed for want of memory.
    """

    cpu_seconds: float | None = None
    memory: int | None = None
    pids: int | None = None
    periods: int | None = None
    throttled_periods: int | None = None
    throttled_seconds: float | None = None
    oom_kills: int | None = None


def limits_from(files: Mapping[str, str]) -> KernelLimits:
    """Read the caps.

    Args:
        files: text by path below ``/sys/fs/cgroup``; those that were not there are left out.

    Raises:
        FormatError: no file of either version, or one that holds something else.
    """
    if any(name in files for name in V2_FILES):
        quota, _, period = files.get("cpu.max", "max").strip().partition(" ")
        memory = _limit("memory.max", files)
        swap = _limit("memory.swap.max", files)
        return KernelLimits(
            version=2,
            nano_cpus=_ratio("cpu.max", quota, period or "100000"),
            memory=memory,
            # Two counters here, one sum at the engine.
            memory_swap=None if memory is None or swap is None else memory + swap,
            pids=_limit("pids.max", files),
        )
    if any(name in files for name in V1_FILES):
        quota = files.get("cpu/cpu.cfs_quota_us", "-1").strip()
        return KernelLimits(
            version=1,
            nano_cpus=_ratio("cpu/cpu.cfs_quota_us", quota, files.get("cpu/cpu.cfs_period_us", "100000").strip()),
            memory=_limit("memory/memory.limit_in_bytes", files),
            memory_swap=_limit("memory/memory.memsw.limit_in_bytes", files),
            pids=_limit("pids/pids.max", files),
        )
    raise FormatError(
        f"no cgroup files among {sorted(files) or 'nothing'}",
        remedy="look whether /sys/fs/cgroup is mounted in the container",
    )


def usage_from(files: Mapping[str, str]) -> KernelUsage:
    """Read the counters; the same files as for ``limits_from``.

    Raises:
        FormatError: a file holds something that is not a number.
    """
    if any(name in files for name in V2_FILES):
        cpu, events = _table("cpu.stat", files), _table("memory.events", files)
        return KernelUsage(
            cpu_seconds=_scaled(cpu.get("usage_usec"), 1e6),
            memory=_limit("memory.current", files),
            pids=_limit("pids.current", files),
            periods=cpu.get("nr_periods"),
            throttled_periods=cpu.get("nr_throttled"),
            throttled_seconds=_scaled(cpu.get("throttled_usec"), 1e6),
            oom_kills=events.get("oom_kill"),
        )
    cpu, oom = _table("cpu/cpu.stat", files), _table("memory/memory.oom_control", files)
    return KernelUsage(
        cpu_seconds=_scaled(_limit("cpuacct/cpuacct.usage", files), 1e9),
        memory=_limit("memory/memory.usage_in_bytes", files),
        pids=_limit("pids/pids.current", files),
        periods=cpu.get("nr_periods"),
        throttled_periods=cpu.get("nr_throttled"),
        throttled_seconds=_scaled(cpu.get("throttled_time"), 1e9),
        oom_kills=oom.get("oom_kill"),
    )


def cgroup_paths(text: str) -> Mapping[str, str]:
    """Where a process stands, from ``/proc/PID/cgroup``: controller → path; v2's controller is ``""``."""
    paths: dict[str, str] = {}
    for row in text.splitlines():
        _, _, rest = row.partition(":")
        controllers, colon, path = rest.partition(":")
        if colon:
            paths.update(dict.fromkeys(controllers.split(","), path))
    return paths


def _number(name: str, text: str) -> int:
    if not _WHOLE.fullmatch(text):
        raise FormatError(f"{name} holds {text[:80]!r}, not a number", remedy="look at it in the container")
    return int(text)


def _limit(name: str, files: Mapping[str, str]) -> int | None:
    text = files.get(name, "").strip()
    if text in ("", "max"):
        return None
    number = _number(name, text)
    return None if number < 0 or number >= _NO_LIMIT else number


def _ratio(name: str, quota: str, period: str) -> int | None:
    if quota in ("max", "-1", ""):
        return None
    number = _number(name, quota)
    return None if number < 0 else number * 1_000_000_000 // max(1, _number(name, period))


def _table(name: str, files: Mapping[str, str]) -> Mapping[str, int]:
    rows = (row.split() for row in files.get(name, "").splitlines())
    return {row[0]: _number(name, row[1]) for row in rows if len(row) == 2}


def _scaled(value: int | None, unit: float) -> float | None:
    return None if value is None else value / unit
