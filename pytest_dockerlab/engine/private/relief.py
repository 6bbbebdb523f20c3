"""Room that is kept back on a private engine's disk, because a full one can't even be emptied.

Docker's builder writes its records to delete what it keeps. Where a build has taken the last byte, that fails with
"no space left on device", too (tried with Docker Engine 20.10), and every build after it.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from pytest_dockerlab.engine.ping import ask
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.errors import DiskFull

__all__ = ["keep_reserve", "relieve"]

_RESERVE = 2 << 20


def _reserve(slot: Slot) -> Path:
    return slot.store / "reserve"


def keep_reserve(slot: Slot) -> None:
    """Take the room. Where there is none, the engine's own error will say so."""
    with contextlib.suppress(OSError), _reserve(slot).open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, _RESERVE)


def relieve(slot: Slot) -> int:
    """Remove what builds have left in the engine's cache, half-done parts among it; images and containers stay.

    Returns:
        Bytes that became free.

    Raises:
        DiskFull: the engine could not do it.
    """
    _reserve(slot).unlink(missing_ok=True)
    try:
        status, answer = ask(str(slot.socket), "POST", "/build/prune?all=1", timeout=120)
    finally:
        keep_reserve(slot)
    if status != 200:
        raise DiskFull(
            f"private engine {slot.number} can't empty its build cache: {answer.decode(errors='replace').strip()}",
            remedy=f"free some space at {slot.store}, or end the engine (dockerlab down) and remove that folder",
        )
    return int(json.loads(answer).get("SpaceReclaimed") or 0)
