"""An engine behind ssh as a unix socket of ours: each connection to it becomes an ssh of its own.

The ssh program knows the user's keys, agents and configuration, and ``docker system dial-stdio`` at the other end knows
where its engine listens (docker/cli: cli/connhelper). So one way of speaking to engines, over a unix socket, is enough.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import tempfile
import threading
from pathlib import Path
from urllib.parse import urlsplit

from pytest_dockerlab.places import runtime_dir

__all__ = ["Tunnel", "host_of", "ssh_command"]

_CONNECT_SECONDS = 10


def ssh_command(url: str, *, seconds: float = _CONNECT_SECONDS) -> list[str]:
    """What speaks to the engine at ``ssh://[user@]host[:port][/path/of.sock]`` on its standard input and output.

    Args:
        seconds: for the connection to be made. Never asks for a password.
    """
    parts = urlsplit(url)
    command = ["ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={max(1, int(seconds))}"]
    command += ["-p", str(parts.port)] if parts.port else []
    command += ["-l", parts.username] if parts.username else []
    socket_there = ["--host", f"unix://{parts.path}"] if parts.path.strip("/") else []
    return [*command, "--", parts.hostname or "", "docker", *socket_there, "system", "dial-stdio"]


def host_of(url: str) -> str:
    """The engine's host by name or address: what an alias of ssh's configuration stands for."""
    name = urlsplit(url).hostname or ""
    with contextlib.suppress(OSError, subprocess.SubprocessError):
        done = subprocess.run(["ssh", "-G", "--", name], capture_output=True, text=True, timeout=5, check=False)
        for line in done.stdout.splitlines():
            if line.startswith("hostname "):
                return line.removeprefix("hostname ").strip()
    return name


class Tunnel:
    """A unix socket that leads to the engine at ``url``, until it is closed.

    Attributes:
        path: of the socket.
    """

    def __init__(self, url: str) -> None:
        self._command = ssh_command(url)
        self._folder = Path(tempfile.mkdtemp(prefix="ssh-", dir=runtime_dir()))
        self.path = str(self._folder / "docker.sock")
        self._running: list[subprocess.Popen[bytes]] = []
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen(64)
        self._thread = threading.Thread(target=self._serve, name="dockerlab-ssh", daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return  # closed
            self._running = [process for process in self._running if process.poll() is None]
            with connection, contextlib.suppress(OSError):  # no ssh: the connection ends, which is what can be told
                # Its input and output are the connection itself. Ctrl-C is for the tests, not for it.
                process = subprocess.Popen(
                    self._command, stdin=connection.fileno(), stdout=connection.fileno(), stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )  # fmt: skip
                self._running.append(process)

    def close(self) -> None:
        """End it, and what still runs of it."""
        with contextlib.suppress(OSError):  # wakes the thread; closing alone does not
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for process in self._running:
            process.terminate()
        for process in self._running:
            process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)
