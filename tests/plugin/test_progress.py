"""What is said of long steps, when, and how often."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from pytest_dockerlab.plugin.progress import Follower, Progress, Screen, appender


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def heard(clock: Clock) -> tuple[Progress, list[tuple[str, bool]]]:
    """A progress, and what it says: text, and whether it may be left out."""
    said: list[tuple[str, bool]] = []
    return Progress(lambda text, goes_on: said.append((text, goes_on)), clock), said


def test_what_is_known_to_take_long_is_said_at_once(clock: Clock) -> None:
    """A layer's status or a package of an installation only goes on with it, and may be left out."""
    progress, said = heard(clock)
    for text in ("pulling python:3.10\n", "0123456789ab: Extracting", "installing docker.io", "Setting up docker.io"):
        progress.now(text)
    assert said == [
        ("pulling python:3.10", False),
        ("0123456789ab: Extracting", True),
        ("installing docker.io", False),
        ("Setting up docker.io", True),
    ]


def test_a_short_build_is_not_worth_a_word(clock: Clock) -> None:
    """A build is told of when it has gone on for three seconds, not before."""
    progress, said = heard(clock)
    for _ in range(4):
        progress.later("[2/3] RUN make")
        clock.now += 0.9
    assert said == []
    progress.later("[3/3] RUN make install")
    assert said == [("[3/3] RUN make install", True)]


def test_patience_begins_anew_after_a_silence(clock: Clock) -> None:
    """Many short builds, with tests between them, are not one long build."""
    progress, said = heard(clock)
    for _ in range(10):
        progress.later("[2/2] RUN true")
        clock.now += 1.5
    assert said == []


def test_workers_write_and_the_leader_reads(tmp_path: Path) -> None:
    """Lines arrive whole and in order, with whether they may replace the one before."""
    path = tmp_path / "run" / "progress"
    said: list[tuple[str, bool]] = []
    follower = Follower(path, lambda text, goes_on: said.append((text, goes_on)))
    follower.drain()
    say = appender(path, lambda: path.parent.mkdir(exist_ok=True))
    say("first", False)
    say("läuft…", True)
    with path.open("ab") as file:
        file.write(b"+half a li")
    follower.drain()
    assert said == [("first", False), ("läuft…", True)]
    with path.open("ab") as file:
        file.write(b"ne\n")
    follower.stop()
    assert said[2:] == [("half a line", False)]


def screen(pytester: pytest.Pytester, clock: Clock, *args: str) -> tuple[Screen, pytest.TerminalReporter, io.StringIO]:
    """A screen on the terminal reporter of a configuration of its own."""
    config = pytester.parseconfigure(*args)
    config.pluginmanager.unregister(name="terminalreporter")
    stream = io.StringIO()
    reporter = pytest.TerminalReporter(config, stream)
    config.pluginmanager.register(reporter, "terminalreporter")
    return Screen(config, clock), reporter, stream


def test_updates_are_rare(pytester: pytest.Pytester, clock: Clock) -> None:
    """A pull's hundred updates become a line every five seconds; a new step is told of at once."""
    say, _, stream = screen(pytester, clock)
    say("pull python:3.10")
    for percent in range(100):
        clock.now += 0.125
        say(f"pull python:3.10: {percent} %", goes_on=True)
    say("pull alpine")
    assert stream.getvalue().splitlines() == [
        "dockerlab: pull python:3.10",
        "dockerlab: pull python:3.10: 39 %",
        "dockerlab: pull python:3.10: 79 %",
        "dockerlab: pull alpine",
    ]


@pytest.mark.parametrize("path", ["test_a.py", None], ids=["alone", "as with xdist"])
def test_a_line_of_results_stays_alone(pytester: pytest.Pytester, clock: Clock, path: str | None) -> None:
    """What is said starts on a line of its own, and ends it."""
    say, reporter, stream = screen(pytester, clock)
    reporter.write("test_a.py .")
    reporter.currentfspath = path
    say("install docker.io")
    reporter.write("F")
    assert stream.getvalue() == "test_a.py .\ndockerlab: install docker.io\nF"


def test_quiet_is_quiet(pytester: pytest.Pytester, clock: Clock) -> None:
    """With ``-q`` nothing is said."""
    say, _, stream = screen(pytester, clock, "-q")
    say("pull python:3.10")
    assert stream.getvalue() == ""


def test_progress_is_no_output_of_the_test(pytester: pytest.Pytester) -> None:
    """What is said while a test runs goes to the terminal, not into what pytest captured of the test."""
    pytester.makepyfile(
        """
        from pytest_dockerlab.plugin.current import run_of

        def test_it(request, capfd):
            print("mine")
            run_of(request.config).progress.now("something long")
            assert capfd.readouterr().out == "mine\\n"
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    assert "dockerlab: something long" in result.outlines


def test_workers_are_heard_through_the_leader(pytester: pytest.Pytester) -> None:
    """With xdist, the process that the user started says what its workers do."""
    pytester.makepyfile(
        """
        from pytest_dockerlab.plugin.current import run_of

        def test_it(request):
            run_of(request.config).progress.now("something long")
        """
    )
    result = pytester.runpytest_subprocess("-n1")
    result.assert_outcomes(passed=1)
    assert "dockerlab: something long" in result.outlines
