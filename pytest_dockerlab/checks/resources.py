"""Memory, CPU and process limits: as asked, as inspect shows them, as the kernel has them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pytest_dockerlab.checks.words import expect_count, tail
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.quantity import NANO, human_bytes, to_bytes, to_nano_cpus
from pytest_dockerlab.run.cgroups import KernelLimits
from pytest_dockerlab.run.spec import Limits
from pytest_dockerlab.run.state import ContainerState

__all__ = [
    "LimitViews",
    "Throttling",
    "cpu_limit",
    "memory_limit",
    "not_oom_killed",
    "oom_killed",
    "pids_limit",
    "throttled",
]

# The kernel keeps memory limits in whole pages; the largest pages in use are 64 KiB (arm64).
_PAGE = 65536
# A quota is a whole number of µs in a period of 100 ms: nothing finer than this many billionths of a CPU.
_QUOTUM = NANO // 100_000

_AnyLimits = Limits | KernelLimits


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitViews:
    """A container's limits, from three sides.

    Attributes:
        asked: what the run asked for; ``None`` for a container made by somebody else.
        inspect: what the engine says it set.
        kernel: what the control group in the container says; ``None`` if it can't be read.
        unreadable: why ``kernel`` is ``None``.
    """

    asked: Limits | None
    inspect: Limits
    kernel: KernelLimits | None
    unreadable: str = ""


def _judge(
    views: LimitViews,
    thing: str,
    expected: str,
    show: Callable[[_AnyLimits], str],
    fits: Callable[[_AnyLimits, bool], bool],
    of: str,
    hint: str,
) -> tuple[Finding, ...]:
    """A finding that shows all views, if one of them does not fit (told: the limits, and if they are the kernel's)."""
    rows, wrong = [], []
    for name, limits in (("asked", views.asked), ("inspect", views.inspect), ("kernel", views.kernel)):
        if limits is None:
            rows.append(f"{name + ':':<9}" + ("not known" if name == "asked" else f"not read ({views.unreadable})"))
            if name == "kernel":
                wrong.append(name)
            continue
        good = fits(limits, name == "kernel")
        rows.append(f"{name + ':':<9}{show(limits)}" + ("" if good else "   ← differs"))
        if not good:
            wrong.append(name)
    if not wrong:
        return ()
    if "asked" in wrong or (views.asked is None and "inspect" in wrong):
        why = "the container was not run with this limit"
    elif "inspect" in wrong:
        why = "the engine took another value than it was asked for (its warnings at create say so)"
    elif views.kernel is None:
        why = "without the kernel's word it is not known whether the limit holds"
    else:
        why = "the engine took the limit, but the kernel does not hold it (rootless engines may lack the controller)"
    return (
        Finding(
            what=f"{of} has another {thing}: {' and '.join(wrong)} {'differ' if len(wrong) > 1 else 'differs'}",
            expected=expected,
            found="\n".join(rows),
            why=why,
            hint=hint,
        ),
    )


def _memory(limits: _AnyLimits) -> str:
    text = "no limit" if limits.memory is None else human_bytes(limits.memory)
    if limits.memory_swap is not None and limits.memory is not None:
        text += ", with swap " + ("unlimited" if limits.memory_swap < 0 else human_bytes(limits.memory_swap))
    return text


def memory_limit(views: LimitViews, expected: str | int, *, of: str) -> Checked[LimitViews]:
    """Every view shows this memory limit; with swap it is what was asked for, or twice the memory.

    Engines without swap accounting say -1 for memory and swap together, which is let pass.
    """
    limit = to_bytes(expected)
    asked_swap = views.asked.memory_swap if views.asked else None

    def fits(limits: _AnyLimits, kernel: bool) -> bool:
        if kernel:
            return limits.memory is not None and limit - _PAGE < limits.memory <= limit
        if limits.memory != limit:
            return False
        if limits is not views.inspect or views.asked is None:
            return True
        return limits.memory_swap in (None, -1, asked_swap or 2 * limit)

    findings = _judge(
        views,
        "memory limit",
        f"{human_bytes(limit)} ({limit} bytes)",
        _memory,
        fits,
        of,
        f'lab.run(…, memory="{expected}"), docker run --memory {expected}',
    )
    return Checked(evidence=views, findings=findings)


def _cpus(limits: _AnyLimits) -> str:
    return "no limit" if limits.nano_cpus is None else f"{limits.nano_cpus / NANO:g} CPUs"


def cpu_limit(views: LimitViews, expected: str | float, *, of: str) -> Checked[LimitViews]:
    """Every view shows this number of CPUs."""
    nano = to_nano_cpus(expected)

    def fits(limits: _AnyLimits, kernel: bool) -> bool:
        if limits.nano_cpus is None:
            return False
        return abs(limits.nano_cpus - nano) <= _QUOTUM if kernel else limits.nano_cpus == nano

    findings = _judge(
        views,
        "CPU limit",
        f"{nano / NANO:g} CPUs",
        _cpus,
        fits,
        of,
        f"lab.run(…, cpus={expected}), docker run --cpus {expected}",
    )
    return Checked(evidence=views, findings=findings)


def _pids(limits: _AnyLimits) -> str:
    return "no limit" if limits.pids is None else f"{limits.pids} processes and threads"


def pids_limit(views: LimitViews, expected: int, *, of: str) -> Checked[LimitViews]:
    """Every view shows this number of processes and threads."""
    expect_count(expected, "processes")
    findings = _judge(
        views,
        "limit of processes",
        f"{expected} processes and threads",
        _pids,
        lambda limits, kernel: limits.pids == expected,
        of,
        f"lab.run(…, pids={expected}), docker run --pids-limit {expected}",
    )
    return Checked(evidence=views, findings=findings)


def oom_killed(
    state: ContainerState,
    *,
    of: str,
    limit: int | None = None,
    kills: int | None = None,
    log: str = "",
    main: bool = True,
) -> Checked[ContainerState]:
    """The kernel killed the main process for want of memory. Evidence: the state.

    Exit code 137 alone is any SIGKILL; OOMKilled alone is any process of the container.

    Args:
        limit: the container's memory limit in bytes, for the message.
        kills: ``oom_kill`` of the control group's memory.events, if it could be read.
        main: ``False``: any process of the container will do, and it may still run.
    """
    flagged = state.oom_killed or bool(kills)
    if flagged and (not main or (state.ended and state.exit_code == 137)):
        return Checked(evidence=state)
    if flagged:
        what, why = (
            f"a process of {of} was killed for want of memory, but not its main process",
            "the main process lived on",
        )
    elif state.ended:
        what, why = f"{of} was not killed for want of memory", "it ended by itself, or was killed by somebody else"
    else:
        what, why = f"{of} is alive: nothing was killed for want of memory", "its memory has been enough so far"
    cap = "no memory limit" if limit is None else f"memory limit {human_bytes(limit)}"
    finding = Finding(
        what=what,
        expected="killed by the kernel: OOM-killed" + (", exit code 137" if main else ""),
        found=f"{state}, {cap}\nthe last it printed:\n{tail(log)}",
        why=why,
        hint="give it a memory limit below what it needs (swap counts as well: memory_swap equal to memory)",
    )
    return Checked(evidence=state, findings=(finding,))


def not_oom_killed(
    state: ContainerState, *, of: str, limit: int | None = None, kills: int | None = None, log: str = ""
) -> Checked[ContainerState]:
    """No process of the container was killed for want of memory. Evidence: the state."""
    if not state.oom_killed and not kills:
        return Checked(evidence=state)
    cap = "no memory limit" if limit is None else f"memory limit {human_bytes(limit)}"
    finding = Finding(
        what=f"a process of {of} was killed for want of memory",
        expected="not OOM-killed",
        found=f"{state}, {cap}\nthe last it printed:\n{tail(log)}",
        why="the kernel kills a process when the container's processes together need more than its limit",
        hint="give it more memory, or let it use less",
    )
    return Checked(evidence=state, findings=(finding,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttling:
    """The kernel's count of periods in which a container was held back, before and after it was busy.

    Attributes:
        before, after: ``nr_throttled`` of the control group; ``None`` if it can't be read.
        limit: the CPU limit in billionths, ``None`` for none.
        threads: busy loops that ran between the two.
    """

    before: int | None
    after: int | None
    limit: int | None = None
    threads: int = 0


def throttled(seen: Throttling, *, of: str) -> Checked[Throttling]:
    """The count rose while the container was busy. Evidence: both counts."""
    if seen.before is not None and seen.after is not None and seen.after > seen.before:
        return Checked(evidence=seen)
    limit = "no CPU limit" if seen.limit is None else f"a limit of {seen.limit / NANO:g} CPUs"
    unread = seen.before is None or seen.after is None
    finding = Finding(
        what=f"{of} was not held back while busy" if not unread else f"{of} does not tell how often it was held back",
        expected="nr_throttled rises",
        found=f"{seen.before} before, {seen.after} after {seen.threads} busy loops, with {limit}",
        why="without a limit nothing is held back"
        if seen.limit is None
        else "fewer busy loops than CPUs allowed, or no limit in the kernel",
        hint="docker run --cpus 0.5, and look at assert_cpu_limit for what the kernel holds",
    )
    return Checked(evidence=seen, findings=(finding,))
