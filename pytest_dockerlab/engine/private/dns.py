"""Name service for containers of a host whose only name server listens on loopback.

Docker replaces such servers by public ones, which many networks don't let through. So what containers ask the
bridge's gateway is passed on to the host's own server, from the host. Datagrams only: an answer that does not fit
says so itself, and TCP to the gateway is refused.
"""

from __future__ import annotations

import contextlib
import errno
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

__all__ = ["Forwarder"]

_LONGEST = 65535


class Forwarder:
    """Passes datagrams from ``(address, port)`` to ``server`` and back, in a thread, until closed."""

    def __init__(self, address: str, server: str, *, port: int = 53, server_port: int = 53) -> None:
        """Listen.

        Where somebody listens on all addresses already, that is a name server which answers there itself, and there
        is nothing to do.
        """
        self._server = (server, server_port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.bind((address, port))
        except OSError as error:
            self._socket.close()
            if error.errno != errno.EADDRINUSE:
                raise
            return
        self.port = self._socket.getsockname()[1]
        self._pool = ThreadPoolExecutor(16, thread_name_prefix="dns")
        threading.Thread(target=self._serve, daemon=True, name="dns").start()

    def _serve(self) -> None:
        while True:
            try:
                question, asker = self._socket.recvfrom(_LONGEST)
                self._pool.submit(self._answer, question, asker)
            except (OSError, RuntimeError):  # closed
                return

    def _answer(self, question: bytes, asker: tuple[str, int]) -> None:
        # No answer is an answer, too: whoever asked asks again.
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as upstream:
            upstream.settimeout(5)
            upstream.connect(self._server)
            upstream.send(question)
            self._socket.sendto(upstream.recv(_LONGEST), asker)

    def close(self) -> None:
        """Stop listening. Twice is fine."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits in it
        self._socket.close()
