"""Room that is kept back on a private engine's disk, because a full one can't even be emptied.

Docker's builder writes its records to delete what it keeps. Where a build has taken the last byte, that fails with
"no space left on device", too (tried with Docker Engine 20.10), and every build after it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_dockerlab.engine.ping import ask
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.errors import DiskFull

__all__ = ["keep_reserve", "relieve"]

_RESERVE = 2 << 20
_SECONDS = 10.0


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
    deadline = time.monotonic() + _SECONDS
    freed = 0
    try:
        while True:
            freed += int(_told(slot, "POST", "/build/prune?all=1").get("SpaceReclaimed") or 0)
            # A build that has just failed is still letting go of its parts.
            if not _told(slot, "GET", "/system/df").get("BuildCache") or time.monotonic() > deadline:
                return freed
            time.sleep(0.05)
    finally:
        keep_reserve(slot)


def _told(slot: Slot, method: str, target: str) -> Mapping[str, Any]:
    status, answer = ask(str(slot.socket), method, target, timeout=120)
    if status == 200:
        told: Mapping[str, Any] = json.loads(answer)
        return told
    raise DiskFull(
        f"private engine {slot.number} can't empty its build cache: {answer.decode(errors='replace').strip()}",
        remedy=f"free some space at {slot.store}, or end the engine (dockerlab down) and remove that folder",
    )
