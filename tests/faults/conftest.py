"""Engines that may be stopped, frozen and restarted, and runs of pytest on them."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private.cleaning import clean
from pytest_dockerlab.engine.private.dockerd import Dockerd
from pytest_dockerlab.engine.private.slots import Slot, SlotLock, acquire
from pytest_dockerlab.engine.processes import end

# Seconds; nothing waits for it to pass.
PATIENCE = 60.0


def until(true: Callable[[], object], what: str, within: float = PATIENCE) -> None:
    """Wait for something that comes sooner or later."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not in {within:g} s: {what}"
        time.sleep(0.05)


class Mortal:
    """A dockerd without a keeper: it can be stopped and started again, as an engine of the system's is."""

    def __init__(self) -> None:
        self._lock: SlotLock = acquire()
        self.slot: Slot = self._lock.slot
        self._daemon: Dockerd
        try:
            clean(self.slot)
            self.slot.run.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._daemon = Dockerd(self.slot)
            self._daemon.prepare()
            self._daemon.start(())
        except BaseException:
            self.close()
            raise

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(url=f"unix://{self.slot.socket}", name="an engine", source="a test")

    @property
    def pid(self) -> int:
        return self._daemon.pid

    def freeze(self) -> None:
        """SIGSTOP: it takes connections, and answers none."""
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        os.kill(self.pid, signal.SIGCONT)

    def stop(self) -> None:
        """SIGTERM, as a service manager does; its containers end with it and are there again afterwards."""
        end([self.pid], grace=PATIENCE)

    def kill(self) -> None:
        """SIGKILL, as the kernel does for want of memory."""
        end([self.pid])

    def start(self) -> None:
        """Start it again."""
        self._daemon.start(())

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    def left(self, run: str = "") -> list[str]:
        """What carries our label."""
        return left(self.endpoint, run)

    def close(self) -> None:
        """End it, and remove all that it has made."""
        if hasattr(self, "_daemon"):
            self._daemon.stop()
        clean(self.slot)
        self._lock.release()


def left(endpoint: Endpoint, run: str = "") -> list[str]:
    """What carries our label on an engine: of one run, or of any."""
    labels = {"org.dockerlab.run": run}
    with Engine(endpoint) as engine:
        return [
            *(f"container {box.name}" for box in engine.containers.list(labels)),
            *(f"network {network.name}" for network in engine.networks.list(labels)),
            *(f"volume {volume.name}" for volume in engine.volumes.list(labels)),
            *(f"image {image.id}" for image in engine.images.list(labels)),
        ]


@pytest.fixture(scope="module")
def mortal(private_engines: None, lab_session: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    """An engine that the module may do anything to; it has alpine."""
    if os.getuid() != 0:
        pytest.skip("dockerd is started as root")
    lab_session.image("alpine")
    archive = tmp_path_factory.mktemp("mortal") / "alpine.tar"
    lab_session.save("alpine", archive)
    mortal = Mortal()
    try:
        with Engine(mortal.endpoint) as engine, archive.open("rb") as file:
            engine.images.load(iter(lambda: file.read(1 << 20), b""))
        yield mortal
    finally:
        mortal.close()


@pytest.fixture
def runtime(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Inner runs depend on nothing of the outer one's environment, and share no run-time folder with it.

    The folder is not ``tmp_path``, whose length a socket's path can't bear.
    """
    for name in list(os.environ):
        if name.startswith(("DOCKERLAB_", "DOCKER_")) and name != "DOCKERLAB_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.delenv("CI", raising=False)
    parent = Path(tempfile.mkdtemp(prefix="dl-"))
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(parent / "rt"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # After pytester, which takes it away.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p dockerlab -p xdist")
    yield parent / "rt"
    shutil.rmtree(parent)
