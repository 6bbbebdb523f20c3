"""A container's main process: does it run, how did it end, what did it print."""

from __future__ import annotations

from pytest_dockerlab.checks.words import Expected, matches, tail, wanted
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.run.state import ContainerState

__all__ = ["exit_code", "exit_meaning", "not_running", "output", "running"]

_MEANINGS = {
    0: "success",
    1: "the program's own failure",
    2: "the program's own failure, often wrong arguments",
    125: "the engine could not run the container",
    126: "the command is not executable, or may not be executed",
    127: "the command was not found",
    137: "killed by SIGKILL: docker kill, a stop that took too long, or out of memory",
    139: "killed by SIGSEGV: a crash in the program",
    143: "ended by SIGTERM: docker stop",
}


def exit_meaning(code: int) -> str:
    """What an exit code usually means, ``""`` for one that only the program knows."""
    if code in _MEANINGS:
        return _MEANINGS[code]
    return f"killed by signal {code - 128}" if 128 < code <= 192 else ""


def exit_code(state: ContainerState, expected: int, *, of: str, log: str = "") -> Checked[int]:
    """The main process has ended with this code. Evidence: the code."""
    if state.ended and state.exit_code == expected:
        return Checked(evidence=state.exit_code)
    if not state.ended:
        finding = Finding(
            what=f"{of} has not ended",
            expected=f"exit code {expected}",
            found=f"{state}\nthe last it printed:\n{tail(log)}",
            why="a main process has no exit code before it ends",
            hint="give a command that ends, a longer timeout, or stop it first",
        )
    else:
        meaning = exit_meaning(state.exit_code)
        finding = Finding(
            what=f"{of} ended with exit code {state.exit_code}",
            expected=f"exit code {expected}",
            found=f"{state}\nthe last it printed:\n{tail(log)}",
            why="it was out of memory: the kernel killed it" if state.oom_killed else meaning,
            hint="give it more memory, or let it use less" if state.oom_killed else "read what it printed, above",
        )
    return Checked(evidence=state.exit_code, findings=(finding,))


def output(text: str, expected: Expected, *, of: str, stream: str = "both", state: ContainerState) -> Checked[str]:
    """What the main process printed holds the text, or the pattern. Evidence: all of what it printed."""
    if matches(expected, text):
        return Checked(evidence=text)
    where = "stdout and stderr" if stream == "both" else stream
    finding = Finding(
        what=f"{of} did not print it on {where}",
        expected=wanted(expected),
        found=f"{tail(text, 20)}\nthe container is {state}",
        why=exit_meaning(state.exit_code) if state.ended and state.exit_code else "",
        hint="programs that print to a pipe may hold text back: python -u, or PYTHONUNBUFFERED=1"
        if not text
        else "compare with what it printed, above",
    )
    return Checked(evidence=text, findings=(finding,))


def running(state: ContainerState, *, of: str, log: str = "") -> Checked[ContainerState]:
    """The main process runs. Evidence: the state."""
    if state.running:
        return Checked(evidence=state)
    meaning = exit_meaning(state.exit_code) if state.ended else ""
    finding = Finding(
        what=f"{of} is not running",
        expected="running",
        found=f"{state}\nthe last it printed:\n{tail(log)}",
        why=meaning
        if state.exit_code
        else "a container lives as long as its main process, and that has come to its end"
        if state.ended
        else "",
        hint="a shell without a terminal ends at once; run a program that stays" if state.ended else "start it first",
    )
    return Checked(evidence=state, findings=(finding,))


def not_running(state: ContainerState, *, of: str) -> Checked[ContainerState]:
    """The main process does not run (not yet, or no more). Evidence: the state."""
    if not state.running and state.status != "restarting":
        return Checked(evidence=state)
    finding = Finding(
        what=f"{of} is running",
        expected="not running",
        found=str(state),
        hint="stop it first, or look at why its main process does not end (a restart policy starts it anew)",
    )
    return Checked(evidence=state, findings=(finding,))
