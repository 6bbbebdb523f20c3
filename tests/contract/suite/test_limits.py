"""Limits: what inspect shows, what the kernel holds, and that it bites."""

from __future__ import annotations

import pytest

from pytest_dockerlab import (
    Lab,
    assert_cpu_limit,
    assert_memory_limit,
    assert_not_oom_killed,
    assert_oom_killed,
    assert_pids_limit,
    assert_throttled,
)

pytestmark = [pytest.mark.proves("limits"), pytest.mark.usefixtures("alpine")]

MIB = 1024**2
SLEEP = ["sleep", "600"]
# dd takes its block size as memory, whole.
EATS = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]


@pytest.mark.requires("memory_limit")
def test_memory(lab: Lab) -> None:
    """A cap on memory is shown, and the kernel holds it."""
    assert_memory_limit(lab.run("alpine", SLEEP, memory="64m"), "64m")


@pytest.mark.requires("memory_limit", "swap_limit")
def test_memory_and_swap(lab: Lab) -> None:
    """Memory and swap together are twice the memory unless told otherwise."""
    assert lab.run("alpine", SLEEP, memory="64m").limits.memory_swap == 128 * MIB
    box = lab.run("alpine", SLEEP, memory="64m", memory_swap="96m")
    assert box.limits.memory_swap == 96 * MIB
    assert box.kernel_limits.memory_swap == 96 * MIB


@pytest.mark.requires("cpu_limit")
def test_cpu(lab: Lab) -> None:
    """A cap on CPU time is shown, and the kernel holds it."""
    assert_cpu_limit(lab.run("alpine", SLEEP, cpus=0.5), 0.5)


@pytest.mark.requires("pids_limit")
def test_processes(lab: Lab) -> None:
    """A cap on processes is shown, the kernel holds it, and a process too many is refused."""
    box = lab.run("alpine", SLEEP, pids=20)
    assert_pids_limit(box, 20)
    flood = box.exec(["sh", "-c", "for i in $(seq 40); do sleep 5 & done"])
    assert "fork" in flood.stderr.lower() + flood.output.lower() or flood.exit_code != 0


@pytest.mark.requires("memory_limit", "oom_report")
def test_too_much_memory_kills(lab: Lab) -> None:
    """A process that asks for more memory than its cap is killed, and that is told apart from other ends."""
    box = lab.run("alpine", EATS, memory="32m")
    assert box.exit_code == 137
    assert_oom_killed(box)
    killed = lab.run("alpine", SLEEP)
    killed.kill()
    assert_not_oom_killed(killed)


@pytest.mark.requires("cpu_limit")
def test_too_much_cpu_is_throttled(lab: Lab) -> None:
    """A busy process under a cap on CPU time is held back by the kernel."""
    assert_throttled(lab.run("alpine", SLEEP, cpus=0.2))


def test_without_caps_there_are_none(lab: Lab) -> None:
    """A container without caps has none, and a wrong claim is refused with both amounts."""
    box = lab.run("alpine", EATS)
    assert (box.limits.memory, box.limits.nano_cpus) == (None, None)
    assert box.exit_code == 0
    with pytest.raises(AssertionError, match="64 MiB"):
        assert_memory_limit(lab.run("alpine", SLEEP), "64m")


def test_usage_is_counted(lab: Lab) -> None:
    """What a container has used is counted: CPU time, memory, processes."""
    box = lab.run("alpine", SLEEP)
    box.exec(["sh", "-c", "i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done"]).check()
    usage = box.usage()
    assert usage.cpu_seconds
    assert usage.memory
    assert usage.pids is None or usage.pids >= 1
