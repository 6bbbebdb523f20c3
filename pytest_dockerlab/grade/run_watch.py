"""The policy's limits on containers that no engine keeps: what they write, and how long they live.

A thread looks at a submission's containers while any of them runs. What they may have of memory, CPUs, processes and
logs the engine keeps by itself.
"""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.engine.build_steps import written
from pytest_dockerlab.errors import LabError, NotFound
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.quantity import human_bytes

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.lab.container import Container

__all__ = ["RunWatch"]

_TURN = 0.3
# Seconds beyond the policy's, in which a check that waits finds out by itself.
_MARGIN = 5.0


class _Watched:
    def __init__(self, engine: Engine, ident: str, most: int) -> None:
        self.engine, self.ident, self.most = engine, ident, most
        self._started: float | None = None
        found: Any = engine.api.json("GET", f"/containers/{ident}/json")
        upper = (found.get("GraphDriver") or {}).get("Data") or {}
        self.upper = _folder(upper.get("UpperDir"))
        mounts = [mount for mount in found.get("Mounts") or () if mount.get("RW")]
        self.mounts = [place for mount in mounts if (place := _folder(mount.get("Source")))]
        # What is handed in is bounded by its own limits.
        self.before = sum(written(place, sys.maxsize) for place in self.mounts)

    def status(self) -> str:
        """As the engine says it; one that was removed is ``"dead"``."""
        try:
            return self.engine.containers.state(self.ident).status
        except NotFound:
            return "dead"

    def age(self, status: str) -> float:
        """Seconds for which it has run: how long the engine takes to start it is no matter of the student's."""
        now = time.monotonic()
        if self._started is None and status != "created":
            self._started = now
        return 0.0 if self._started is None else now - self._started

    def written(self) -> int:
        """Bytes beside its image, in its own layer and where it mounts; those beyond the limit are not counted."""
        layer = written(self.upper, self.most) if self.upper is not None else self._asked()
        return layer + sum(written(place, self.most + self.before) for place in self.mounts) - self.before

    def _asked(self) -> int:
        # The engine's disk can't be seen from here; it counts bytes, not files.
        try:
            found: Any = self.engine.api.json("GET", f"/containers/{self.ident}/json", params={"size": "1"})
        except LabError:
            return 0
        return int(found.get("SizeRw") or 0)


class RunWatch:
    """Watches containers, and kills those that write or live too long."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._lock = threading.Lock()
        self._watched: dict[str, _Watched] = {}
        self._thread: threading.Thread | None = None
        self._over: dict[str, Refusal] = {}

    def add(self, engine: Engine, container: Container) -> None:
        """Watch a container that is about to start, or has just begun."""
        watched = _Watched(engine, container.id, self._policy.disk)
        with self._lock:
            self._watched[container.id] = watched
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="dockerlab-run-watch", daemon=True)
                self._thread.start()

    def over(self, idents: Iterable[str]) -> tuple[Refusal, ...]:
        """Why containers were killed, those of them that were."""
        return tuple(self._over[ident] for ident in idents if ident in self._over)

    def _watch(self) -> None:
        while True:
            begun = time.monotonic()
            for watched in tuple(self._watched.values()):
                with contextlib.suppress(LabError):  # the engine is gone, or hangs: the check will tell
                    self._look(watched)
            with self._lock:
                if not self._watched:
                    self._thread = None
                    return
            # Looking at many files takes its time: not more than a quarter of ours.
            time.sleep(max(_TURN, 3 * (time.monotonic() - begun)))

    def _look(self, watched: _Watched) -> None:
        status, most = watched.status(), self._policy.disk
        if watched.written() > most:
            self._over[watched.ident] = refuse("run_disk", "", "", most=human_bytes(most))
            self._kill(watched)
        elif watched.age(status) > self._policy.run_seconds + _MARGIN:
            self._over[watched.ident] = refuse("run_time", "", "", most=f"{self._policy.run_seconds:g} s")
            self._kill(watched)
        elif status in ("exited", "dead", "removing"):
            with self._lock:
                del self._watched[watched.ident]

    def _kill(self, watched: _Watched) -> None:
        with contextlib.suppress(LabError):  # it may have ended
            watched.engine.containers.kill(watched.ident)
        with self._lock:
            self._watched.pop(watched.ident, None)


def _folder(source: object) -> Path | None:
    """A folder of the engine's host that is this one's, too."""
    path = Path(source) if isinstance(source, str) and source.startswith("/") else None
    with contextlib.suppress(OSError):
        return path if path is not None and path.is_dir() else None
    return None
