"""Main processes and build contexts, on hand-made values."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_dockerlab.checks.context import context_size, in_context, not_in_context
from pytest_dockerlab.checks.process import exit_code, exit_meaning, not_running, output, running
from pytest_dockerlab.findings import Checked
from pytest_dockerlab.run.state import ContainerState

OF = "container x"
UP = ContainerState(status="running")
ENDED = ContainerState(status="exited", exit_code=3)


def said(checked: Checked[Any]) -> str:
    assert len(checked.findings) == 1
    return str(checked.findings[0])


@pytest.mark.parametrize(
    ("code", "words"),
    [(0, "success"), (127, "was not found"), (137, "SIGKILL"), (143, "SIGTERM"), (134, "signal 6"), (42, "")],
)
def test_exit_codes_have_meanings(code: int, words: str) -> None:
    """Where convention gives them one."""
    assert words in exit_meaning(code)


def test_another_exit_code_is_shown_with_the_log() -> None:
    """And with what it means."""
    assert exit_code(ENDED, 3, of=OF).evidence == 3
    text = said(exit_code(ContainerState(status="exited", exit_code=127), 0, of=OF, log="sh: nope: not found\n"))
    assert "container x ended with exit code 127\n  expected: exit code 0" in text
    assert "sh: nope: not found" in text
    assert "the command was not found" in text
    killed = ContainerState(status="exited", exit_code=137, oom_killed=True)
    assert "out of memory" in said(exit_code(killed, 0, of=OF))


def test_a_process_that_has_not_ended_has_no_exit_code() -> None:
    """Not even 0."""
    assert "container x has not ended" in said(exit_code(UP, 0, of=OF))
    assert "container x has not ended" in said(exit_code(ContainerState(status="created"), 0, of=OF))


def test_output_is_searched() -> None:
    """What was printed instead is shown, its last lines."""
    assert output("a\nb\n", "b", of=OF, state=UP).evidence == "a\nb\n"
    assert output("a\nb\n", re.compile("^b$", re.MULTILINE), of=OF, state=UP).ok
    text = said(output("".join(f"{n}\n" for n in range(30)), "x", of=OF, stream="stderr", state=ENDED))
    assert "container x did not print it on stderr\n  expected: 'x'" in text
    assert "… 10 lines before" in text
    assert "\n            29\n" in text
    assert "PYTHONUNBUFFERED" in said(output("", "x", of=OF, state=UP))


def test_running_and_not() -> None:
    """Each shows the state that there is instead."""
    assert running(UP, of=OF).evidence is UP
    text = said(running(ENDED, of=OF, log="bye\n"))
    assert "container x is not running" in text
    assert "found:    exited (3)" in text
    assert "bye" in text
    assert "start it first" in said(running(ContainerState(status="created"), of=OF))
    assert not_running(ENDED, of=OF).evidence is ENDED
    assert "container x is running" in said(not_running(UP, of=OF))
    assert not not_running(ContainerState(status="restarting"), of=OF).ok


def test_a_context_that_is_too_large() -> None:
    """With its files counted, and the way to leave some out."""
    assert context_size(1024, "1k").evidence == 1024
    text = said(context_size(3 << 20, "1m", files=2))
    assert "the build context is 3 MiB\n  expected: at most 1 MiB\n  found:    3 MiB in 2 files" in text
    assert ".dockerignore" in text


def test_files_of_a_context() -> None:
    """A folder's name means what is in it, and no other name that begins alike."""
    files = ("Dockerfile", "data/a.csv", "database")
    assert in_context(files, "./data/").evidence == ("data/a.csv",)
    assert not_in_context(files, "dat").ok
    assert ".git is not in the build context" in said(in_context(files, ".git"))
    text = said(not_in_context(files, "data"))
    assert "data is in the build context" in text
    assert "write data in a .dockerignore" in text
