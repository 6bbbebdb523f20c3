"""Conversations with a container's main process."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.hijack import Frames
from pytest_dockerlab.errors import ContainerFailed, WaitTimedOut

Make = Callable[..., str]


def test_a_conversation_on_a_terminal(engine: Engine, create: Make) -> None:
    """What is typed is echoed and answered; detaching leaves the process running, and one may come back."""
    box = create("sh", tty=True, stdin=True)
    with engine.containers.attach(box) as terminal:
        engine.containers.start(box)
        terminal.resize(40, 100)
        terminal.send("echo $((6*7))\n")
        assert b"\r\n42\r\n" in terminal.read_until(re.compile(rb"42\r\n"))
        terminal.detach()
    assert engine.containers.state(box).running
    with engine.containers.attach(box) as terminal:
        terminal.send("exit 5\n")
        terminal.read_all()
    assert engine.containers.wait(box, 30) == 5


def test_a_conversation_on_pipes(engine: Engine, create: Make) -> None:
    """Nothing is echoed, both streams arrive, and the end of the input is the process's."""
    box = create("cat", stdin=True)
    with engine.containers.attach(box) as terminal:
        engine.containers.start(box)
        terminal.send("one\n")
        assert terminal.read_until("one\n") == b"one\n"
        terminal.end_input()
        assert terminal.read_all() == b""
    assert engine.containers.wait(box, 30) == 0


def test_what_does_not_come_is_an_error_in_time(engine: Engine, create: Make) -> None:
    """The message shows what came instead."""
    box = create("sh", "-c", "echo other; sleep 600", stdin=True)
    with engine.containers.attach(box) as terminal:
        engine.containers.start(box)
        terminal.read_until("oth")
        with pytest.raises(WaitTimedOut, match=r"no b'wanted' after 0\.3 s; unread: b'er\\n'"):
            terminal.read_until("wanted", timeout=0.3)


def test_a_stream_that_ends_without_it_is_an_error(engine: Engine, create: Make) -> None:
    """There is no waiting for what can't come any more."""
    box = create("echo", "bye")
    with engine.containers.attach(box, stdin=False) as terminal:
        engine.containers.start(box)
        with pytest.raises(ContainerFailed, match=r"the stream ended without b'wanted'; it held b'bye\\n'"):
            terminal.read_until("wanted", timeout=120)


def test_attaching_late_can_begin_with_the_log(engine: Engine, run: Make) -> None:
    """What was printed before comes first, even if it comes in one packet with the answer's headers."""
    box = run("sh", "-c", "echo early; read line; echo late $line", stdin=True)
    with engine.containers.attach(box, logs=True) as terminal:
        terminal.read_until("early\n")
        terminal.send("x\n")
        assert terminal.read_until("late x\n")


@pytest.mark.parametrize("cut", [1, 3, 8, 100])
def test_frames_are_read_however_they_are_cut(cut: int) -> None:
    """The stream is the same in packets of any size; an unfinished frame waits for its rest."""
    data = b"\x01\0\0\0\0\0\0\x03out\x02\0\0\0\0\0\0\x03err\x01\0\0\0\0\0\0\x05ha"
    frames = Frames()
    found = [frame for start in range(0, len(data), cut) for frame in frames.feed(data[start : start + cut])]
    assert found == [(1, b"out"), (2, b"err")]
    assert frames.feed(b"lf!") == [(1, b"half!")]
