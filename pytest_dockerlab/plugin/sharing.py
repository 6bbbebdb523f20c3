"""One thing for all workers of a run: the first that asks makes it, the others take it over."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TypeVar

from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.plugin.session import Run

__all__ = ["once"]

T = TypeVar("T")


def once(run: Run, key: str, make: Callable[[], T], name: Callable[[T], str], take: Callable[[str], T]) -> T:
    """Make a thing once in the run, whatever the number of its processes.

    A thing whose making fails is tried anew by the next one that asks.

    Args:
        key: what is asked for; the same in each process.
        make: makes it.
        name: the id by which another process finds it.
        take: finds it by that id.
    """
    if run.seat.leads:
        return make()
    slug = "shared-" + hashlib.sha256(key.encode()).hexdigest()[:16]
    with run.folder.lock(slug):
        record = run.folder.read(slug + ".json")
        if record is not None:
            try:
                return take(str(record["id"]))
            except NotFound:
                pass  # it went with the worker that made it: this one came late, in place of a crashed one
        made = make()
        run.folder.write(slug + ".json", {"id": name(made), "key": key, "worker": run.seat.worker})
        return made
