"""Where an engine listens, and what led us there."""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass, replace

__all__ = ["Endpoint", "Tls", "listener"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Files for a TCP connection, as docker-py's ``TLSConfig`` wants them; ``""`` where there is none."""

    ca: str = ""
    cert: str = ""
    key: str = ""
    verify: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The address of an engine.

    Attributes:
        url: ``unix:///run/x.sock``, ``tcp://host:2376``, ``ssh://user@host``.
        name: what people call it: "private engine", "default socket", "context colima".
        source: what chose it: ``--dockerlab-engine``, ``DOCKER_HOST``, "found", "started by this run".
        private: it is ours, and so are its registry settings.
        registry: ``127.0.0.1:PORT`` of the registry beside a private engine, else ``""``.
        tls: for TCP with certificates.
    """

    url: str
    name: str
    source: str
    private: bool = False
    registry: str = ""
    tls: Tls | None = None

    @property
    def socket(self) -> str:
        """Path of the unix socket, or ``""`` where the address is another kind."""
        return self.url.removeprefix("unix://") if self.url.startswith("unix://") else ""

    def chosen_by(self, source: str) -> Endpoint:
        """The same address, found another way."""
        return replace(self, source=source)


def listener(path: str) -> tuple[int, int]:
    """The process that listens at a unix socket, and its user (SO_PEERCRED); 0 for one in a pid namespace unseen here.

    Raises:
        OSError: nobody listens, or this system does not tell.
    """
    if not hasattr(socket, "SO_PEERCRED"):
        raise OSError("this system does not tell who listens at a socket")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.connect(path)
        pid, uid, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return int(pid), int(uid)
