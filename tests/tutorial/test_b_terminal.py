"""Terminals: rows A09, B04 and B11."""

from __future__ import annotations

import re

import pytest

from pytest_dockerlab import ContainerFailed, Lab, WaitTimedOut, assert_exit_code, assert_not_running, assert_running

PROMPT = re.compile(rb"root@[0-9a-f]+:/# ")
# Says whether it has a terminal, then what it reads.
ASKS = ["sh", "-c", 'test -t 0 && echo "a tty" || echo "no tty"; read -r line && echo "got: $line" || echo "no input"']


@pytest.mark.row("A09")
def test_a09_python_without_a_terminal_ends_at_once(lab: Lab) -> None:
    """A09: `docker run python:3.10` starts python3, which has nothing to read: exit code 0, no output."""
    box = lab.run("python:3.10")
    assert_exit_code(box, 0)
    assert box.output == ""


@pytest.mark.row("A09")
def test_a09_with_a_terminal_the_interpreter_answers(lab: Lab) -> None:
    """A09: with --interactive --tty the interpreter greets, and prints Hello World! when told so."""
    box = lab.create("python:3.10", tty=True, stdin=True)
    with box.terminal() as python:
        box.start()
        greeting = python.read_until(b">>> ", timeout=30)
        assert re.search(rb"Python 3\.\d+\.\d+ .* on linux", greeting)
        assert b'Type "help", "copyright", "credits" or "license" for more information.' in greeting
        python.send(b'print("Hello World!")\n')
        python.read_until(b"\r\nHello World!\r\n")
        python.read_until(b">>> ")
        python.send(b"exit()\n")
        python.read_all()
    assert_exit_code(box, 0)


@pytest.mark.row("A09")
def test_wrong_a09_nobody_is_asked(lab: Lab) -> None:
    """A09: without a terminal there is no prompt to wait for, and the message says that the stream ended."""
    box = lab.create("python:3.10")
    with box.terminal() as python:
        box.start()
        with pytest.raises(ContainerFailed, match="stream ended"):
            python.read_until(b">>> ", timeout=30)


@pytest.mark.row("B04")
def test_b04_detaching_keeps_the_process(lab: Lab) -> None:
    """B04: after Ctrl-P Ctrl-Q the container runs on, and one can attach to the same shell again."""
    box = lab.create("ubuntu", ["bash"], tty=True, stdin=True)
    with box.terminal() as shell:
        box.start()
        shell.read_until(PROMPT, timeout=30)
        shell.send(b"left=behind\n")
        shell.read_until(PROMPT)
        shell.detach()
    assert_running(box)
    with box.terminal() as shell:
        shell.send(b'echo "$left-and-found"\n')
        shell.read_until(b"behind-and-found")
    assert_running(box)


@pytest.mark.row("B04")
def test_b04_exit_ends_the_process(lab: Lab) -> None:
    """B04: after `exit` the container has ended."""
    box = lab.create("ubuntu", ["bash"], tty=True, stdin=True)
    with box.terminal() as shell:
        box.start()
        shell.read_until(PROMPT, timeout=30)
        shell.send(b"exit\n")
        shell.read_all()
    assert_exit_code(box, 0)


@pytest.mark.row("B04")
def test_wrong_b04_left_by_exit(lab: Lab) -> None:
    """B04: who left by exit and expects the container to run is told that it has ended."""
    box = lab.create("ubuntu", ["bash"], tty=True, stdin=True)
    with box.terminal() as shell:
        box.start()
        shell.send(b"exit 4\n")
        shell.read_all()
    assert_exit_code(box, 4)
    with pytest.raises(AssertionError, match="exited"):
        assert_running(box)


@pytest.mark.row("B11")
def test_b11_neither_i_nor_t(lab: Lab) -> None:
    """B11: without -i and -t there is no terminal, and nothing to read."""
    assert lab.run("ubuntu", ASKS).output == "no tty\nno input\n"


@pytest.mark.row("B11")
def test_b11_i_without_t(lab: Lab) -> None:
    """B11: with -i alone the input arrives, through a pipe: no terminal, no echo."""
    box = lab.create("ubuntu", ASKS, stdin=True)
    with box.terminal() as pipe:
        box.start()
        pipe.send(b"hello\n")
        assert pipe.read_all() == b"no tty\ngot: hello\n"


@pytest.mark.row("B11")
def test_b11_i_without_t_bash_shows_no_prompt(lab: Lab) -> None:
    """B11: `docker run -i ubuntu` takes `ls` and prints one name a line, without a prompt."""
    box = lab.create("ubuntu", stdin=True)
    with box.terminal() as pipe:
        box.start()
        pipe.send(b"ls /\n")
        pipe.end_input()
        names = pipe.read_all().decode().splitlines()
    assert {"bin", "etc", "home", "usr", "var"} <= set(names)


@pytest.mark.row("B11")
def test_b11_t_without_i(lab: Lab) -> None:
    """B11: with -t alone there is a terminal, but what is typed does not reach the process."""
    box = lab.create("ubuntu", ASKS, tty=True)
    with box.terminal() as screen:
        box.start()
        screen.read_until(b"a tty")
        screen.send(b"hello\n")
        with pytest.raises(WaitTimedOut):
            screen.read_until(b"got", timeout=0.5)
    assert_running(box)


@pytest.mark.row("B11")
def test_b11_both(lab: Lab) -> None:
    """B11: with -i and -t there is a terminal that echoes what is typed, and the process gets it."""
    box = lab.create("ubuntu", ASKS, tty=True, stdin=True)
    with box.terminal() as screen:
        box.start()
        screen.read_until(b"a tty\r\n")
        screen.send(b"hello\n")
        assert screen.read_all() == b"hello\r\ngot: hello\r\n"


@pytest.mark.row("B11")
def test_wrong_b11_typed_without_i(lab: Lab) -> None:
    """B11: who types without -i waits in vain, and the message says what for."""
    box = lab.create("ubuntu", ASKS, tty=True)
    with box.terminal() as screen:
        box.start()
        screen.send(b"hello\n")
        with pytest.raises(WaitTimedOut, match=r"hello.*unread"):
            screen.read_until(b"got: hello", timeout=0.5)
    box.kill()
    assert_not_running(box)
