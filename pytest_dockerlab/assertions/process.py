"""Assertions about a container's main process."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

from pytest_dockerlab.assertions.poll import until
from pytest_dockerlab.assertions.things import RunsCommands, container, name_of
from pytest_dockerlab.checks import process as check
from pytest_dockerlab.checks.words import Expected, matches
from pytest_dockerlab.errors import UsageError, WaitTimedOut
from pytest_dockerlab.findings import demand
from pytest_dockerlab.run.state import ContainerState

__all__ = ["assert_exit_code", "assert_not_running", "assert_output", "assert_running"]


def assert_exit_code(box: RunsCommands, code: int = 0, *, timeout: float = 60.0) -> int:
    """The main process ends with this exit code, within ``timeout`` seconds. Returns the code.

    Raises:
        CheckFailed: another code, or it has not ended; shows the end of its log.
    """
    box = container(box, "assert_exit_code")
    state = box.state
    if not state.ended and state.status != "created":
        # If it does not end, the check says so with its state.
        with suppress(WaitTimedOut):
            box.wait(timeout)
        state = box.state
    return demand(check.exit_code(state, code, of=name_of(box), log=box.logs().text))


def assert_output(
    box: RunsCommands,
    contains: Expected,
    *,
    stream: Literal["both", "stdout", "stderr"] = "both",
    timeout: float = 30.0,
) -> str:
    """The main process prints the text, or text that matches the pattern. Returns all it has printed.

    Waits until it shows, or the process has ended, or ``timeout`` seconds are over.

    Args:
        stream: where to look.

    Raises:
        CheckFailed: it did not show; shows the end of the log.
    """
    box = container(box, "assert_output")
    if stream not in ("both", "stdout", "stderr"):
        raise UsageError(f"not a stream: {stream!r}", remedy='one of "both", "stdout", "stderr"')

    def ask() -> tuple[ContainerState, str]:
        # The state first: what is printed between the two looks would be lost the other way round.
        state = box.state
        logs = box.logs()
        if stream == "both":
            return state, logs.text
        return state, (logs.stdout if stream == "stdout" else logs.stderr).decode("utf-8", "replace")

    def good(seen: tuple[ContainerState, str]) -> bool:
        return seen[0].ended or seen[0].status == "created" or matches(contains, seen[1])

    state, text = until(ask, good, timeout)
    return demand(check.output(text, contains, of=name_of(box), stream=stream, state=state))


def assert_running(box: RunsCommands) -> ContainerState:
    """The main process runs, now. Returns the container's state.

    Raises:
        CheckFailed: it does not; shows the end of its log.
    """
    box = container(box, "assert_running")
    return demand(check.running(box.state, of=name_of(box), log=box.logs().text))


def assert_not_running(box: RunsCommands) -> ContainerState:
    """The main process does not run, now: it has ended, or was never started. Returns the container's state.

    Raises:
        CheckFailed: it runs.
    """
    box = container(box, "assert_not_running")
    return demand(check.not_running(box.state, of=name_of(box)))
