"""What the stand-in servers have in common: pytest-httpserver underneath, started and stopped by ``with``."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import UsageError

if TYPE_CHECKING:
    from types import TracebackType

    from pytest_httpserver import HTTPServer
    from typing_extensions import Self

__all__ = ["StubServer"]


class StubServer:
    """A server that runs while its ``with`` block does; what it answers is its subclass's.

    Args:
        port: to listen on if it is free, else any other.
        address: what to listen on; all interfaces by default, since containers come in over a bridge.
    """

    #: What messages call it.
    title = "server"

    def __init__(self, *, port: int = 0, address: str = "0.0.0.0") -> None:
        self._address = address
        self._wanted_port = port
        self._server: HTTPServer | None = None

    def routes(self, server: HTTPServer) -> None:
        """Say what is answered at which path."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        from pytest_httpserver import HTTPServer

        port = self._wanted_port if _is_free(self._address, self._wanted_port) else 0
        self._server = HTTPServer(host=self._address, port=port, threaded=True)
        self.routes(self._server)
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    @property
    def port(self) -> int:
        """The port it listens on.

        Raises:
            UsageError: it does not run.
        """
        if self._server is None:
            raise UsageError(f"the {self.title} is not running", remedy="use it in a with statement")
        return int(self._server.port)


def _is_free(address: str, port: int) -> bool:
    # Asked beforehand: werkzeug ends the process for a port that is taken.
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True
