"""A registry on loopback, by the distribution's ``docker-registry`` program."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from types import TracebackType

from pytest_dockerlab.engine.processes import end
from pytest_dockerlab.errors import EngineStartFailed

__all__ = ["RegistryProcess", "missing"]

_PROGRAM = "docker-registry"

# JSON is YAML: nothing in a path needs more care than JSON's quoting.
# Not deleting unfinished uploads: several processes may serve one storage.
_CONFIG = """\
version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage:
  filesystem: {{rootdirectory: {storage}}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "127.0.0.1:{port}", secret: {secret}}}
"""


def missing() -> str:
    """Why no registry can be started here, or ``""``."""
    if shutil.which(_PROGRAM, path=_path()):
        return ""
    return f"the program {_PROGRAM} is not installed (package docker-registry)"


def _path() -> str:
    # An ordinary user's PATH often lacks the sbin folders.
    return os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


class RegistryProcess:
    """Serves ``storage`` until stopped. Several of them may serve the same one."""

    def __init__(
        self,
        storage: Path,
        *,
        folder: Path | None = None,
        log: Path | None = None,
        port: int = 0,
        scratch: Path | None = None,
    ) -> None:
        """Args:
        storage: folder of the images; made if missing.
        folder: for the configuration file; a temporary one if not given.
        log: what the program says; in ``folder`` if not given.
        port: to be tried first: names of images hold it.
        scratch: where a temporary folder is made; the system's place if not given.
        """
        self.storage = storage
        self._own = folder is None
        self._folder = folder
        self._log = log
        self._wish = port
        self._scratch = scratch
        self._process: subprocess.Popen[bytes] | None = None
        self.address = ""
        self.config: Path | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def start(self, *, timeout: float = 10.0) -> str:
        """Start it, wait until it answers: ``127.0.0.1:PORT``.

        Raises:
            EngineStartFailed: not installed, or it did not answer within ``timeout`` seconds.
        """
        if reason := missing():
            raise EngineStartFailed(f"no local registry: {reason}", remedy="dockerlab up --install")
        program = shutil.which(_PROGRAM, path=_path()) or _PROGRAM
        self.storage.mkdir(parents=True, exist_ok=True)
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="dockerlab-registry-", dir=self._scratch))
        log = self._log or self._folder / "registry.log"
        deadline = time.monotonic() + timeout
        while True:
            # Port 0 can't be asked for: the program doesn't tell which it got. Between our look and its
            # start another process may take the port, so try again as long as it ends at once.
            port, self._wish = self._wish or _free_port(), 0
            config = self._folder / "registry.yml"
            self.config = config
            config.write_text(
                _CONFIG.format(storage=_quoted(str(self.storage)), port=port, secret=_quoted(os.urandom(16).hex()))
            )
            environ = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
            with log.open("ab") as output:
                self._process = subprocess.Popen(
                    [program, "serve", str(config)],
                    stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environ, start_new_session=True,
                )  # fmt: skip
            while self._process.poll() is None and time.monotonic() < deadline:
                if _answers(port) and self._process.poll() is None:  # else it is somebody else who answers
                    self.address = f"127.0.0.1:{port}"
                    return self.address
                time.sleep(0.02)
            if time.monotonic() >= deadline:
                last = log.read_text(errors="replace").splitlines()[-3:]
                self.stop()
                raise EngineStartFailed(
                    f"the local registry did not answer within {timeout:g} s: {' | '.join(last) or 'it said nothing'}",
                    remedy=f"see whether {self.storage} can be written",
                )

    def stop(self) -> None:
        """End it. Twice is fine."""
        if self._process is not None:
            end([self._process.pid], grace=2.0)
            self._process.wait()
            self._process = None
        if self._own and self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        self.address = ""

    def __enter__(self) -> RegistryProcess:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _quoted(text: str) -> str:
    return json.dumps(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=2)) as connection:
        try:
            connection.request("GET", "/v2/")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
