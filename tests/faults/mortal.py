"""An engine that may be stopped, frozen and restarted, and what our label is found on."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private.cleaning import clean
from pytest_dockerlab.engine.private.dockerd import Dockerd, empty
from pytest_dockerlab.engine.private.slots import Slot, SlotLock, acquire
from pytest_dockerlab.engine.processes import end, engine_processes

__all__ = ["PATIENCE", "Mortal", "left", "until"]

# Seconds; nothing waits for it to pass.
PATIENCE = 180.0


def until(true: Callable[[], object], what: str, within: float = PATIENCE) -> None:
    """Wait for something that comes sooner or later."""
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline, f"not in {within:g} s: {what}"
        time.sleep(0.05)


class Mortal:
    """A dockerd without a keeper: it can be stopped and started again, as an engine of the system's is.

    Args:
        make: the process over a slot.
    """

    def __init__(self, make: Callable[[Slot], Dockerd] = Dockerd) -> None:
        self._lock: SlotLock = acquire()
        self.slot: Slot = self._lock.slot
        self._daemon: Dockerd
        try:
            clean(self.slot)
            self.slot.run.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._daemon = make(self.slot)
            self._daemon.prepare()
            self._daemon.start(())
            self._empty()
        except BaseException:
            self.close()
            raise

    def _empty(self) -> None:
        """Remove what tests that were killed have left in these data; bases stay."""
        empty(str(self.slot.socket))
        with Engine(self.endpoint) as engine:
            for image in engine.images.list({"org.dockerlab.run": ""}):
                engine.images.remove(image.id, force=True)

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
        self._reap()

    def kill(self) -> None:
        """SIGKILL, as the kernel does for want of memory; containers go on without it."""
        end({self.pid} | {pid for pid in engine_processes(self.slot.run) if _called(pid) == "containerd"})
        # A zombie that nobody has waited for yet is alive to dockerd: it would wait for that one to answer.
        (self.slot.run / "exec/containerd/containerd.pid").unlink(missing_ok=True)
        self._reap()

    def _reap(self) -> None:
        # It would find itself running: its pid is in its pid file, and a zombie has it.
        assert self._daemon._process is not None
        self._daemon._process.wait(PATIENCE)

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


def _called(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""  # it has ended


def left(endpoint: Endpoint, run: str = "") -> list[str]:
    """What carries our label on an engine: of one run, or of any."""
    labels = {"org.dockerlab.run": run}
    with Engine(endpoint) as engine:
        return [
            *(f"container {box.name} ({box.status})" for box in engine.containers.list(labels)),
            *(f"network {network.name}" for network in engine.networks.list(labels)),
            *(f"volume {volume.name}" for volume in engine.volumes.list(labels)),
            *(f"image {image.id}" for image in engine.images.list(labels)),
        ]
