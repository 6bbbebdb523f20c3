"""Whether an engine still answers: tells a slow answer from none, and long work from an engine that hangs.

An engine that hangs (frozen, out of memory, its disk gone) takes connections as ever and answers none of them. Each
request has a bound, but a run makes hundreds, and some may rightly take very long: so one that was not answered makes
the engine a suspect, which is asked for its ``/_ping`` before it is asked for anything else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.ping import NO_ANSWER, ping
from pytest_dockerlab.engine.translate import unreachable
from pytest_dockerlab.errors import EngineUnreachable

__all__ = ["BEAT_SECONDS", "Heartbeat", "Pulse"]

#: How often an engine that is at long work is asked whether it still answers.
BEAT_SECONDS = 5.0
# A suspect is given that long, and within that time after it is believed to be what it was.
_SUSPECT_SECONDS = 5.0
# Over ssh each question is a connection of its own: it has to be made first, and may fail for reasons of its own (a
# server that has many at once turns some away: sshd's MaxStartups).
_SSH_SECONDS = 10.0
_SSH_TRIES = 3


class Pulse:
    """Knows whether one engine answers. Threads may share it.

    Attributes:
        timeout: seconds without a byte after which the engine is taken to hang.
    """

    def __init__(self, endpoint: Endpoint, timeout: float) -> None:
        self.timeout = timeout
        self._endpoint = endpoint
        self._ssh = urlsplit(endpoint.url).scheme == "ssh"
        self._silent = False
        self._asked = 0.0

    @property
    def silent(self) -> bool:
        """Whether it did not answer when it was last asked."""
        return self._silent

    def suspect(self) -> None:
        """A request was not answered in time."""
        self._silent = True
        self._asked = 0.0

    def refuse(self) -> None:
        """Before a request: let no suspect take its time once more.

        Raises:
            EngineUnreachable: it still does not answer.
        """
        if not self._silent:
            return
        if time.monotonic() - self._asked < _SUSPECT_SECONDS:
            raise self.error()
        self._ask(min(self.timeout, _SUSPECT_SECONDS))

    def check(self) -> None:
        """After a silence: see that the engine is there.

        Raises:
            EngineUnreachable: it does not answer.
        """
        self._ask(self.timeout)

    def _ask(self, seconds: float) -> None:
        answer = ping(self._endpoint, timeout=max(seconds, _SSH_SECONDS) if self._ssh else seconds)
        for _ in range(_SSH_TRIES - 1 if self._ssh else 0):
            if answer.ok or answer.reason.startswith(NO_ANSWER):
                break
            answer = ping(self._endpoint, timeout=max(seconds, _SSH_SECONDS))
        self._silent, self._asked = not answer.ok, time.monotonic()
        if self._silent:
            raise self.error(answer.reason)

    def error(self, reason: str = "") -> EngineUnreachable:
        """The error for an engine that does not answer."""
        place = self._endpoint
        cause = OSError(reason) if reason and not reason.startswith(NO_ANSWER) else TimeoutError()
        return unreachable(cause, place.url, place.name, place.source, place.tls)


class Heartbeat:
    """While it is open, a thread looks every few seconds whether the engine answers, and hangs up if it does not.

    Args:
        cut: ends the connection that somebody waits at.
    """

    def __init__(self, pulse: Pulse, cut: Callable[[], None]) -> None:
        self._pulse, self._cut = pulse, cut
        self._done = threading.Event()
        self._lock = threading.Lock()
        self.silent: EngineUnreachable | None = None

    def __enter__(self) -> Heartbeat:
        threading.Thread(target=self._beat, name="dockerlab-heartbeat", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        # Not joined: it may be waiting for an answer itself.
        with self._lock:
            self._done.set()

    def _beat(self) -> None:
        while not self._done.wait(BEAT_SECONDS):
            try:
                self._pulse.check()
            except EngineUnreachable as error:
                with self._lock:
                    if not self._done.is_set():
                        self.silent = error
                        self._cut()
                return
