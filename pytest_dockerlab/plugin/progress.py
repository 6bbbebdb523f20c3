"""What takes long, told while it happens, in lines that stand between the tests' results."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

__all__ = ["PREFIX", "Follower", "Progress", "Screen", "appender"]

PREFIX = "dockerlab: "
# A build that ends sooner needs no words; after so long a silence it is another one.
_PATIENCE, _SILENCE = 3.0, 1.0
# How often what goes on is told of: a pull tells of every layer, several times a second.
_PAUSE = 5.0
# What only goes on with something said before: a layer's status, a package of an installation.
_UPDATE = re.compile(r"[0-9a-f]{12}: |Setting up |Need to get ")


class Progress:
    """Decides what is worth saying; ``say`` puts it where a person reads it.

    Args:
        say: takes the text and whether it only goes on with what was said before, so that it may be left out.
        clock: seconds; monotonic.
    """

    def __init__(self, say: Callable[[str, bool], None], clock: Callable[[], float] = time.monotonic) -> None:
        self.say = say
        self._clock = clock
        self._began = self._heard = float("-inf")

    def now(self, text: str) -> None:
        """Said at once: what is known to take long (an engine's start, an install, a pull, a stand-in)."""
        self.say(" ".join(text.split()), bool(_UPDATE.match(text)))

    def later(self, text: str) -> None:
        """Said only when what it belongs to (a build) has gone on for a while."""
        now = self._clock()
        if now - self._heard > _SILENCE:
            self._began = now
        self._heard = now
        if now - self._began >= _PATIENCE:
            self.say(" ".join(text.split()), True)


class Screen:
    """The terminal of the process that the user started; silent with ``-q`` and without a reporter."""

    def __init__(self, config: pytest.Config, clock: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._clock = clock
        self._lock = threading.Lock()
        self._said = float("-inf")
        self._known: set[str] = set()

    def __call__(self, text: str, goes_on: bool = False) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is None or self._config.get_verbosity() < 0:
            return
        capture = self._config.pluginmanager.get_plugin("capturemanager")
        # Inside of a test, what is written would end up in the test's captured output.
        uncaptured = capture.global_and_fixture_disabled() if capture is not None else contextlib.nullcontext()
        with self._lock, uncaptured:
            if goes_on and self._clock() - self._said < _PAUSE:
                return
            if text in self._known:  # another worker said it
                return
            self._known.add(text)
            self._said = self._clock()
            # A line of results that is not finished stays alone; with xdist only the writer knows of it.
            reporter.ensure_newline()
            if self._config.get_terminal_writer().width_of_current_line:
                reporter.write("\n")
            reporter.write_line(PREFIX + text)
            reporter.flush()


def appender(path: Path, make: Callable[[], object]) -> Callable[[str, bool], None]:
    """A ``say`` for a worker: lines in a file that the controller follows; ``make`` makes its folder."""

    def say(text: str, goes_on: bool = False) -> None:
        make()
        # One write of less than a page to a file opened for appending is not torn apart by other workers'.
        with path.open("ab", buffering=0) as file:
            file.write(f"{'~' if goes_on else '+'}{text[:2000]}\n".encode())

    return say


class Follower(threading.Thread):
    """Reads what the workers append and puts it on the screen, until told to stop."""

    def __init__(self, path: Path, say: Callable[[str, bool], None], interval: float = 0.2) -> None:
        super().__init__(name="dockerlab-progress", daemon=True)
        self._path = path
        self._say = say
        self._interval = interval
        self._end = threading.Event()
        self._read = 0

    def run(self) -> None:
        while not self._end.wait(self._interval):
            self.drain()

    def drain(self) -> None:
        """Show what has been appended since the last time."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._read)
                data = file.read()
        except OSError:  # nobody has had anything to say yet, or the run's folder is gone
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            self._say(line[1:], line[:1] == "~")

    def stop(self) -> None:
        """Show the rest and end."""
        self._end.set()
        if self.is_alive():
            self.join()
        self.drain()
