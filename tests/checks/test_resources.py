"""Limits from three sides, kills and throttling, on hand-made values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_dockerlab.checks.resources import (
    LimitViews,
    Throttling,
    cpu_limit,
    memory_limit,
    not_oom_killed,
    oom_killed,
    pids_limit,
    throttled,
)
from pytest_dockerlab.findings import Checked
from pytest_dockerlab.run.cgroups import KernelLimits
from pytest_dockerlab.run.spec import Limits
from pytest_dockerlab.run.state import ContainerState

GIB = 1 << 30
ASKED = Limits(nano_cpus=1_500_000_000, memory=2 * GIB, pids=100)
INSPECT = replace(ASKED, memory_swap=4 * GIB)
KERNEL = KernelLimits(version=2, nano_cpus=1_500_000_000, memory=2 * GIB, memory_swap=4 * GIB, pids=100)
VIEWS = LimitViews(asked=ASKED, inspect=INSPECT, kernel=KERNEL)
OF = "container x"


def said(checked: Checked[Any]) -> str:
    assert len(checked.findings) == 1
    return str(checked.findings[0])


def test_three_views_that_agree_are_the_evidence() -> None:
    """For memory, CPUs and processes."""
    assert memory_limit(VIEWS, "2g", of=OF).evidence is VIEWS
    assert cpu_limit(VIEWS, 1.5, of=OF).ok
    assert pids_limit(VIEWS, 100, of=OF).ok


def test_the_view_that_differs_is_marked() -> None:
    """A limit that the kernel does not hold is no limit."""
    loose = replace(VIEWS, kernel=KernelLimits(version=1))
    text = said(memory_limit(loose, "2g", of=OF))
    assert "container x has another memory limit: kernel differs" in text
    assert "asked:   2 GiB\n" in text
    assert "inspect: 2 GiB, with swap 4 GiB\n" in text
    assert "kernel:  no limit   ← differs" in text
    assert "the kernel does not hold it" in text
    assert "kernel:  no limit   ← differs" in said(cpu_limit(loose, 1.5, of=OF))
    assert "kernel:  no limit   ← differs" in said(pids_limit(loose, 100, of=OF))


def test_a_container_run_without_a_limit_is_told_so() -> None:
    """All views differ, and the run is at fault."""
    none = LimitViews(asked=Limits(), inspect=Limits(), kernel=KernelLimits(version=2))
    text = said(memory_limit(none, "2g", of=OF))
    assert "asked and inspect and kernel differ" in text
    assert "expected: 2 GiB (2147483648 bytes)" in text
    assert "the container was not run with this limit" in text


def test_a_kernel_that_can_not_be_read_is_no_proof() -> None:
    """Its reason is shown."""
    text = said(cpu_limit(replace(VIEWS, kernel=None, unreadable="it does not run"), 1.5, of=OF))
    assert "kernel:  not read (it does not run)" in text
    assert "without the kernel's word" in text


def test_an_adopted_container_has_two_views() -> None:
    """What was asked for is not known, and not held against it."""
    assert memory_limit(replace(VIEWS, asked=None), "2g", of=OF).ok


@pytest.mark.parametrize(
    ("swap", "good"), [(4 * GIB, True), (-1, True), (None, True), (3 * GIB, False), (2 * GIB, False)]
)
def test_swap_is_twice_the_memory_unless_asked_for(swap: int | None, good: bool) -> None:
    """Engines without swap accounting say -1."""
    assert memory_limit(replace(VIEWS, inspect=replace(INSPECT, memory_swap=swap)), "2g", of=OF).ok is good


def test_swap_as_asked_for() -> None:
    """Then that counts, and not twice the memory."""
    asked = replace(ASKED, memory_swap=2 * GIB)
    assert memory_limit(replace(VIEWS, asked=asked, inspect=asked), "2g", of=OF).ok
    assert not memory_limit(replace(VIEWS, asked=asked), "2g", of=OF).ok


def test_the_kernel_rounds() -> None:
    """Memory down to pages, CPUs to the quota's microseconds; no further."""
    views = replace(VIEWS, asked=None, inspect=Limits(nano_cpus=333_333_333, memory=10_000_001))
    near = replace(views, kernel=KernelLimits(version=2, nano_cpus=333_330_000, memory=9_998_336))
    assert memory_limit(near, 10_000_001, of=OF).ok
    assert cpu_limit(near, "0.333333333", of=OF).ok
    far = replace(views, kernel=KernelLimits(version=2, nano_cpus=320_000_000, memory=9_000_000))
    assert not memory_limit(far, 10_000_001, of=OF).ok
    assert not cpu_limit(far, "0.333333333", of=OF).ok


KILLED = ContainerState(status="exited", exit_code=137, oom_killed=True)


def test_an_oom_kill_needs_both_the_flag_and_137() -> None:
    """137 alone is any SIGKILL, the flag alone any process of the container."""
    assert oom_killed(KILLED, of=OF).evidence is KILLED
    assert oom_killed(replace(KILLED, oom_killed=False), of=OF, kills=1).ok
    text = said(oom_killed(replace(KILLED, oom_killed=False), of=OF, limit=32 << 20, log="bye\n"))
    assert "container x was not killed for want of memory" in text
    assert "found:    exited (137), memory limit 32 MiB" in text
    assert "bye" in text
    text = said(oom_killed(replace(KILLED, exit_code=1), of=OF))
    assert "a process of container x was killed for want of memory, but not its main process" in text


def test_a_child_that_was_killed_will_do_if_asked() -> None:
    """The main process may live on."""
    alive = ContainerState(status="running", oom_killed=True)
    assert oom_killed(alive, of=OF, main=False).ok
    assert not oom_killed(alive, of=OF).ok
    text = said(oom_killed(ContainerState(status="running"), of=OF, main=False))
    assert "container x is alive: nothing was killed" in text
    assert "no memory limit" in text


def test_not_oom_killed() -> None:
    """Neither by the flag nor by the kernel's count."""
    fine = ContainerState(status="exited")
    assert not_oom_killed(fine, of=OF, kills=0).evidence is fine
    assert "a process of container x was killed for want of memory" in said(not_oom_killed(KILLED, of=OF))
    assert not not_oom_killed(fine, of=OF, kills=1).ok


def test_throttling_is_a_count_that_rises() -> None:
    """A count that stands still, or can't be read, is no proof."""
    assert throttled(Throttling(before=1, after=3, limit=200_000_000, threads=1), of=OF).ok
    text = said(throttled(Throttling(before=3, after=3, limit=200_000_000, threads=1), of=OF))
    assert "container x was not held back while busy" in text
    assert "3 before, 3 after 1 busy loops, with a limit of 0.2 CPUs" in text
    text = said(throttled(Throttling(before=0, after=0), of=OF))
    assert "with no CPU limit" in text
    assert "without a limit nothing is held back" in text
    assert "does not tell" in said(throttled(Throttling(before=None, after=None), of=OF))
