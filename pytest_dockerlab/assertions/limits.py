"""Assertions about a container's memory, CPU and process limits, and that they bite."""

from __future__ import annotations

from contextlib import suppress

from pytest_dockerlab.assertions.poll import until
from pytest_dockerlab.assertions.things import HasLimits, container, insist_on_running, name_of
from pytest_dockerlab.checks import resources as check
from pytest_dockerlab.checks.resources import LimitViews, Throttling
from pytest_dockerlab.errors import ContainerFailed, ExecFailed, FormatError, UsageError, WaitTimedOut
from pytest_dockerlab.findings import demand
from pytest_dockerlab.quantity import NANO
from pytest_dockerlab.run.state import ContainerState

__all__ = [
    "assert_cpu_limit",
    "assert_memory_limit",
    "assert_not_oom_killed",
    "assert_oom_killed",
    "assert_pids_limit",
    "assert_throttled",
]


def _views(box: HasLimits) -> LimitViews:
    spec = getattr(box, "spec", None)
    asked = None if spec is None else spec.limits
    try:
        return LimitViews(asked=asked, inspect=box.limits, kernel=box.kernel_limits)
    except (ContainerFailed, FormatError) as error:
        return LimitViews(asked=asked, inspect=box.limits, kernel=None, unreadable=error.what)


def assert_memory_limit(box: HasLimits, limit: str | int) -> LimitViews:
    """The container has this memory limit: as asked for, as inspect shows it, as the kernel has it.

    With swap it is what was asked for, or twice the memory (what engines make of ``--memory`` alone).

    Args:
        limit: ``"2g"``, or bytes.

    Returns:
        The three views.

    Raises:
        CheckFailed: one of the views differs, or the kernel's can't be read (it has to run); says which.
    """
    container(box, "assert_memory_limit")
    return demand(check.memory_limit(_views(box), limit, of=name_of(box)))


def assert_cpu_limit(box: HasLimits, cpus: str | float) -> LimitViews:
    """The container may use so many CPUs: as asked for, as inspect shows it, as the kernel has it. Returns the views.

    Raises:
        CheckFailed: one of the views differs, or the kernel's can't be read (it has to run); says which.
    """
    container(box, "assert_cpu_limit")
    return demand(check.cpu_limit(_views(box), cpus, of=name_of(box)))


def assert_pids_limit(box: HasLimits, count: int) -> LimitViews:
    """The container may have so many processes and threads: as asked, as inspect and the kernel say. Returns the views.

    Raises:
        CheckFailed: one of the views differs, or the kernel's can't be read (it has to run); says which.
    """
    container(box, "assert_pids_limit")
    return demand(check.pids_limit(_views(box), count, of=name_of(box)))


def _kills(box: HasLimits, state: ContainerState) -> int | None:
    """How many processes the kernel has killed in it; the control group is gone with the container's end."""
    if not state.running:
        return None
    try:
        return box.usage().oom_kills
    except (ContainerFailed, FormatError):
        return None  # Inspect's flag decides alone.


def assert_oom_killed(box: HasLimits, *, timeout: float = 30.0, main: bool = True) -> ContainerState:
    """The kernel killed the main process for want of memory: exit code 137 and OOM-killed. Returns the state.

    Args:
        timeout: seconds to wait for it.
        main: ``False``: any process of the container will do, and the main one may live on.

    Raises:
        CheckFailed: it lives, ended by itself, or was killed by somebody else.
    """
    container(box, "assert_oom_killed")
    if main and box.state.running:
        # If it does not end, the check says so with its state.
        with suppress(WaitTimedOut):
            box.wait(timeout)

    def ask() -> tuple[ContainerState, int | None]:
        state = box.state
        return state, _kills(box, state)

    # Engines learn of the kill from an event that may come after the end of the process.
    patience = 2.0 if main else timeout
    state, kills = until(ask, lambda seen: seen[0].oom_killed or bool(seen[1]) or _no_kill(seen[0]), patience)
    return demand(
        check.oom_killed(state, of=name_of(box), limit=box.limits.memory, kills=kills, log=box.logs().text, main=main)
    )


def _no_kill(state: ContainerState) -> bool:
    """An end that no OOM kill of the main process can have."""
    return state.ended and state.exit_code != 137


def assert_not_oom_killed(box: HasLimits) -> ContainerState:
    """No process of the container was killed for want of memory, so far. Returns the state.

    Raises:
        CheckFailed: one was.
    """
    container(box, "assert_not_oom_killed")
    state = box.state
    return demand(
        check.not_oom_killed(
            state, of=name_of(box), limit=box.limits.memory, kills=_kills(box, state), log=box.logs().text
        )
    )


# Burns CPU for a moment in $1 loops: time is told by counting, since a shell has no clock.
_BUSY = "n=$1; while [ $n -gt 0 ]; do (i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done) & n=$((n-1)); done; wait"


def assert_throttled(box: HasLimits, *, busy: bool = True) -> Throttling:
    """The kernel holds the container back at its CPU limit. Returns its counts of throttled periods.

    The container is made busy for a moment, with one loop more than the CPUs it may use.

    Args:
        busy: ``False``: its own processes are busy; only look.

    Raises:
        CheckFailed: the count does not rise, or it has ended.
        UsageError: it has no shell to make it busy with, or was not started.
    """
    container(box, "assert_throttled")
    stays = 'run something that stays, such as ["sleep", "600"]'
    insist_on_running(box, "only a running container is held back", stays)
    limit = box.limits.nano_cpus
    loops = 1 + (limit or 0) // NANO
    before = box.usage().throttled_periods
    after = before
    for _ in range(5 if limit else 1):
        if busy:
            _keep_busy(box, loops)
        after = until(
            lambda: box.usage().throttled_periods,
            lambda now: now is None or before is None or now > before,
            0.0 if busy else 2.0,
        )
        if after is None or before is None or after > before:
            break
    seen = Throttling(before=before, after=after, limit=limit, threads=loops if busy else 0)
    return demand(check.throttled(seen, of=name_of(box)))


def _keep_busy(box: HasLimits, loops: int) -> None:
    try:
        box.exec(["/bin/sh", "-c", _BUSY, "busy", str(loops)])
    except ExecFailed as error:
        raise UsageError(
            f"{name_of(box)} can't be made busy: {error.what}",
            remedy="let its own main process be busy, and ask with busy=False",
        ) from error
