"""A batch's own folder for what its processes need for a while; what a killed batch left there goes with the next."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pytest_dockerlab.places import runtime_dir

__all__ = ["scratch"]

_PREFIX = "grade-"


@contextmanager
def scratch() -> Iterator[Path]:
    """The folder; it is removed at the end."""
    from filelock import FileLock, Timeout

    parent = runtime_dir()
    with FileLock(parent / "grade.lock"):
        for old in parent.glob(f"{_PREFIX}*"):
            # Its lock is held as long as its batch lives, however that ends.
            with suppress(Timeout), FileLock(old / ".lock", timeout=0):
                shutil.rmtree(old, ignore_errors=True)
        own = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent)).resolve()
        lock = FileLock(own / ".lock", timeout=0)
        lock.acquire()
    try:
        yield own
    finally:
        lock.release()
        shutil.rmtree(own, ignore_errors=True)
