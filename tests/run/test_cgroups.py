"""What the kernel's files say of limits and use."""

from __future__ import annotations

import pytest

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.run.cgroups import KernelLimits, KernelUsage, cgroup_paths, limits_from, usage_from

V2 = {
    "cpu.max": "150000 100000\n",
    "memory.max": "536870912\n",
    "memory.swap.max": "536870912\n",
    "pids.max": "100\n",
    "cpu.stat": "usage_usec 1500000\nuser_usec 1\nnr_periods 40\nnr_throttled 7\nthrottled_usec 250000\n",
    "memory.current": "4096\n",
    "memory.events": "low 0\nhigh 0\nmax 3\noom 1\noom_kill 2\n",
    "pids.current": "3\n",
}
V1 = {
    "cpu/cpu.cfs_quota_us": "150000\n",
    "cpu/cpu.cfs_period_us": "100000\n",
    "memory/memory.limit_in_bytes": "536870912\n",
    "memory/memory.memsw.limit_in_bytes": "1073741824\n",
    "pids/pids.max": "100\n",
    "cpu/cpu.stat": "nr_periods 40\nnr_throttled 7\nthrottled_time 250000000\n",
    "cpuacct/cpuacct.usage": "1500000000\n",
    "memory/memory.usage_in_bytes": "4096\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "pids/pids.current": "3\n",
}
CAPPED = {"nano_cpus": 1_500_000_000, "memory": 536870912, "memory_swap": 1073741824, "pids": 100}


@pytest.mark.parametrize(("version", "files"), [(2, V2), (1, V1)])
def test_both_versions_say_the_same(version: int, files: dict[str, str]) -> None:
    """The same caps and counters are read from cgroup v1 and v2, swap counted as the engine counts it."""
    assert limits_from(files) == KernelLimits(version=version, **CAPPED)
    assert limits_from(files).cpus == 1.5
    assert usage_from(files) == KernelUsage(
        cpu_seconds=1.5,
        memory=4096,
        pids=3,
        periods=40,
        throttled_periods=7,
        throttled_seconds=0.25,
        oom_kills=2,
    )


def test_no_limit_in_version_2() -> None:
    """ "max" is no cap, and a missing file is a controller that is not there."""
    assert limits_from({"cpu.max": "max 100000\n", "memory.max": "max\n"}) == KernelLimits(version=2)


def test_no_limit_in_version_1() -> None:
    """-1, and the largest number that pages can make, are no caps."""
    files = {
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.cfs_period_us": "100000\n",
        "memory/memory.limit_in_bytes": "9223372036854771712\n",
        "pids/pids.max": "max\n",
    }
    assert limits_from(files) == KernelLimits(version=1)
    assert limits_from(files).cpus is None


def test_swap_without_a_memory_cap_is_unknown() -> None:
    """The sum of memory and swap can't be told when one of them has no cap."""
    assert limits_from({"memory.max": "max", "memory.swap.max": "1024"}).memory_swap is None


def test_nothing_to_read_is_an_error() -> None:
    """Files of neither version are told, with what was there."""
    with pytest.raises(FormatError, match=r"no cgroup files among \['other'\]"):
        limits_from({"other": "1"})


def test_what_is_no_number_is_an_error() -> None:
    """A file with something else in it is named, with what it holds."""
    with pytest.raises(FormatError, match=r"memory.max holds 'lots', not a number"):
        limits_from({"memory.max": "lots\n"})


def test_where_a_process_stands() -> None:
    """/proc/PID/cgroup maps each controller of v1, and v2's nameless one, to a path."""
    text = "12:cpu,cpuacct:/docker/x\n3:memory:/docker/y\n0::/docker/z\n"
    assert cgroup_paths(text) == {"cpu": "/docker/x", "cpuacct": "/docker/x", "memory": "/docker/y", "": "/docker/z"}
