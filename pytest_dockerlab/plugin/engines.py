"""Several engines in one run: which of them a process works on, and what they are called."""

from __future__ import annotations

import re
import zlib
from dataclasses import replace

from pytest_dockerlab.errors import LabError
from pytest_dockerlab.settings import Settings

__all__ = ["blamed", "chosen", "idle", "numbered", "title"]


def chosen(settings: Settings, worker: str) -> int:
    """The number of the engine that a worker (``gw3``) works on: they take turns. Without workers it is the first."""
    if not worker:
        return 0
    digits = re.search(r"\d+$", worker)
    # A worker may have been named by hand (--tx popen//id=NAME).
    number = int(digits.group()) if digits else zlib.crc32(worker.encode())
    return number % len(settings.engines)


def numbered(settings: Settings, number: int) -> Settings:
    """The settings of those that work on one engine."""
    return replace(settings, engine=settings.engines[number])


def title(settings: Settings, number: int) -> str:
    """How an engine is called where there are several: ``engine 2 of 3``; ``""`` for the only one."""
    count = len(settings.engines)
    return f"engine {number + 1} of {count}" if count > 1 else ""


def blamed(settings: Settings, number: int, error: LabError) -> LabError:
    """An error that says which of several engines it is about."""
    if not (name := title(settings, number)):
        return error
    return type(error)(f"{name} ({settings.engines[number]}): {error.what}", remedy=error.remedy)


def idle(settings: Settings, workers: int) -> str:
    """What to tell of engines that nobody uses, ``""`` if all are used.

    Args:
        workers: of xdist; 0 where the process that the user started runs the tests.
    """
    count, source = len(settings.engines), settings.source("engine")
    if count <= max(workers, 1):
        return ""
    if not workers:
        return f"{source} names {count} engines: without xdist's workers (-n) only the first is used"
    used = "only the first is" if workers == 1 else f"only the first {workers} are"
    return f"{source} names {count} engines for {'1 worker' if workers == 1 else f'{workers} workers'}: {used} used"
