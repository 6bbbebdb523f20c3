"""Which kind of private engine can be started by this user."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

from pytest_dockerlab.engine.private import dockerd, podman, rootless
from pytest_dockerlab.engine.private.dockerd import Dockerd
from pytest_dockerlab.engine.private.network import Network
from pytest_dockerlab.engine.private.podman import Podman
from pytest_dockerlab.engine.private.rootless import RootlessDockerd
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.errors import EngineStartFailed

__all__ = ["Backend", "choose", "kind", "missing"]


class Backend(Protocol):
    """An engine that a keeper can start and stop."""

    kind: str
    url: str
    network: Network | None
    notes: tuple[str, ...]

    @property
    def pid(self) -> int:
        """Its process, to be watched."""

    def prepare(self) -> None:
        """Make what it needs before it starts. Raises: EngineStartFailed."""

    def start(self, mirrors: tuple[str, ...], *, registry: Path | None = None) -> None:
        """Start it and wait until it answers. Raises: EngineStartFailed."""

    def stop(self) -> None:
        """Remove what it holds and end it."""


def _kinds() -> list[tuple[str, Callable[[], str], Callable[[Slot], Backend]]]:
    """(name, what is missing, how to make one), the best first."""
    if os.getuid() == 0:
        return [("dockerd", dockerd.missing, Dockerd)]
    return [("rootless dockerd", rootless.missing, RootlessDockerd), ("podman", podman.missing, Podman)]


def missing() -> str:
    """Why no private engine can be started, or ``""``."""
    reasons = []
    for name, lacks, _ in _kinds():
        reason = lacks()
        if not reason:
            return ""
        reasons.append(f"{name}: {reason}")
    return "; ".join(reasons)


def kind() -> str:
    """The kind that ``choose`` would take, ``""`` for none."""
    return next((name for name, lacks, _ in _kinds() if not lacks()), "")


def choose(slot: Slot, *, tuned: bool = True, fence: Sequence[str] | None = None) -> Backend:
    """The first kind for which everything is there, tuned where it can be.

    Args:
        fence: hosts that its builds and containers reach, ``None`` for all.

    Raises:
        EngineStartFailed: there is none, or none that can be fenced.
    """
    for name, lacks, make in _kinds():
        if not lacks():
            engine = make(slot)
            if isinstance(engine, Dockerd):
                engine.tuned, engine.fence = tuned, fence
            elif fence is not None:
                raise EngineStartFailed(
                    f"a private engine of this kind ({name}) can't be kept from the network",
                    remedy='start it as root, or write unkept = ["network"] into the policy',
                )
            return engine
    raise EngineStartFailed(f"no private engine can be started: {missing()}", remedy="dockerlab up --install")
