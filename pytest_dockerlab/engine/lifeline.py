"""A connection that lasts as long as the engine's process: where it has broken, the engine was stopped or restarted.

An engine says neither when it was started nor that it is about to stop, and one that was restarted answers as if
nothing had been; its containers have ended, though, by nobody's doing.
"""

from __future__ import annotations

import contextlib
import http.client
import select
import ssl
from urllib.parse import quote

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.ping import connection

__all__ = ["Lifeline"]

# Events of nothing: the engine holds the connection open and never says a word.
_NO_EVENTS = "/events?filters=" + quote('{"label":["org.dockerlab.nobody-has-this"]}')


class Lifeline:
    """Open, it tells whether the engine is still the process that it was. Over ssh nothing can be told."""

    def __init__(self, endpoint: Endpoint, *, timeout: float = 5.0) -> None:
        """Args:
        timeout: seconds.

        Raises:
            OSError, http.client.HTTPException: the engine does not take the connection.
        """
        self._connection: http.client.HTTPConnection | None = connection(endpoint, timeout)
        if self._connection is not None:
            try:
                self._connection.request("GET", _NO_EVENTS)
                self._connection.sock.setblocking(False)
            except BaseException:
                self._connection.close()
                raise

    @property
    def broken(self) -> bool:
        """Whether the engine's process has ended since."""
        if self._connection is None or self._connection.sock is None:
            return False
        line = self._connection.sock
        try:
            while select.select([line], [], [], 0)[0]:
                if not line.recv(4096):  # the head of the answer comes first
                    return True
        except (BlockingIOError, ssl.SSLWantReadError):
            return False
        except OSError:
            return True
        return False

    def close(self) -> None:
        """Hang up."""
        if self._connection is not None:
            with contextlib.suppress(OSError):
                self._connection.close()
            self._connection = None
