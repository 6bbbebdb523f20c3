"""Output without end: read within bounds of memory, whoever reads it."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_dockerlab import Container, ContainerFailed, Lab, WaitTimedOut
from pytest_dockerlab.engine import logs, terminal
from pytest_dockerlab.engine.bounded import Ends, collect, collect_ends

MEGABYTE = 1 << 20
LINE = "x" * 1000
FLOOD = 12 * MEGABYTE


@contextmanager
def at_most(megabytes: int) -> Iterator[None]:
    """No more of our memory is taken at any moment."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < megabytes * MEGABYTE, f"{peak / MEGABYTE:.0f} MB"


@pytest.fixture(scope="module")
def flooded(lab_module: Lab) -> Container:
    """A container that has said something, then flooded its log, then said something else."""
    script = f"echo at first; yes {LINE} | head -c {FLOOD}; echo; echo at last; sleep 600"
    return lab_module.run("alpine", ["sh", "-c", script], wait="at last", init=True)


def test_a_log_that_is_read_whole_has_a_bound(flooded: Container, monkeypatch: pytest.MonkeyPatch) -> None:
    """``logs()``, ``output`` and ``stderr`` of too much are an error that says how to read it; memory is bounded."""
    monkeypatch.setattr(logs, "MOST", 4 * MEGABYTE)
    message = r"log of container \w+: more than 4 MB of output\n  → read its last lines \(logs\(tail=1000\)\)"
    with at_most(12), pytest.raises(ContainerFailed, match=message):
        flooded.logs()


def test_the_end_of_a_flooded_log_costs_nothing(flooded: Container, lab_module: Lab) -> None:
    """Its last lines are read alone; a failure's evidence is made of them, and cut."""
    with at_most(4):
        assert flooded.logs(tail=1) == "at last\n"
        ((title, text),) = lab_module.describe_failure()
    assert title.startswith("container ")
    assert "at last" in text
    assert len(text) < 30_000


def test_what_is_waited_for_is_found_on_both_sides_of_a_flood(flooded: Container) -> None:
    """The beginning and the end of a log are looked at, in bounded memory."""
    with at_most(16):
        flooded.ready("at first")
        flooded.ready("at last")


def test_a_log_is_followed_in_bounded_memory(flooded: Container) -> None:
    """Line by line, as far as it is wanted."""
    with at_most(8):
        for line in flooded.follow():
            if line == "at last":
                break


def test_a_flood_that_goes_on(lab: Lab) -> None:
    """As fast as the engine takes it: one waits for its first words, looks at its last ones, and removes it."""
    with at_most(24):
        box = lab.run("alpine", ["sh", "-c", f"echo up; exec yes {LINE}"], wait="up", cpus=0.5, init=True)
        assert LINE in box.logs(tail=5)
        assert dict(lab.describe_failure())
        box.remove()


def test_a_command_that_floods(flooded: Container) -> None:
    """Its output is an error when there is too much of it, and does not wait for the timeout."""
    with pytest.raises(ContainerFailed, match=r"exec 'yes x+' in container \w+: more than 64 MB of output\n  → "):
        flooded.exec(["yes", LINE], timeout=600)


def test_a_terminal_that_floods(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is looked for and never comes is looked for within bounds of time, and of memory."""
    box = lab.create("alpine", ["yes", LINE], init=True, cpus=0.5)
    with box.terminal() as seen:
        box.start()
        with pytest.raises(WaitTimedOut, match=r"terminal of container \w+: no b'never' after 0\.3 s"):
            seen.read_until("never", timeout=0.3)
        monkeypatch.setattr(terminal, "MOST", len(seen.transcript))
        with pytest.raises(ContainerFailed, match=r"terminal of container \w+: more than \d+ MB of output"):
            seen.read_until("never", timeout=600)


def test_both_ends_are_kept() -> None:
    """The first and the last bytes, all of them where they meet, and a mark where they don't."""
    ends = Ends(4)
    ends.extend(b"abc")
    assert bytes(ends) == b"abc"
    ends.extend(b"defgh")
    assert bytes(ends) == b"abcdefgh"
    for _ in range(1000):
        ends.extend(b"0123456789")
    assert bytes(ends) == b"abcd\n[... the middle is left out ...]\n6789"


def test_streams_are_kept_apart_and_together() -> None:
    """As they came, whole or by their ends."""
    frames = [(1, b"out"), (2, b"err"), (1, b"more")]
    for output in (collect(frames, "it"), collect_ends(frames)):
        assert (output.stdout, output.stderr, output.both) == (b"outmore", b"err", b"outerrmore")
