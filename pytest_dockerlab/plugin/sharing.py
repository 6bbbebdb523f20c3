"""What the processes of a run have in common on one engine: who is still at work, what is made once, whose turn it is.

Everything is kept in the run's folder: records say what is there, locks say who works on it. A lock is held by an open
file, so that it is let go by its holder's death, however that comes; a record is only written of what is finished.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from pytest_dockerlab.errors import BuildFailed
from pytest_dockerlab.plugin.seat import Folder

if TYPE_CHECKING:
    from filelock import FileLock

__all__ = ["Sharing"]

T = TypeVar("T")


class Sharing:
    """One process's part in it.

    Args:
        folder: the run's.
        engine: number of the engine among the run's: workers on another one share nothing with these.
        worker: xdist's name of this process, ``""`` for one that has no others beside it.
    """

    def __init__(self, folder: Folder, engine: int, worker: str) -> None:
        self._folder = folder
        self._engine = engine
        self._worker = worker
        self._membership: FileLock | None = None

    # Who is at work

    def join(self) -> None:
        """This process may use from now on what the others make; until it leaves, they keep it."""
        if self._worker and self._membership is None:
            with self._folder.lock(f"members-{self._engine}"):
                membership = self._folder.lock(f"{self._members}{self._worker}")
                membership.acquire()
                self._membership = membership

    def leave(self) -> None:
        """Wait until nobody uses any more what this process may have made for the others.

        A worker that comes later, in place of a crashed one, finds no record of what is about to be removed: it makes
        its own.
        """
        if self._membership is None:
            return
        self._membership.release()
        self._membership = None
        while True:
            for lock in self._folder.locks(self._members):
                with lock:
                    pass
            with self._folder.lock(f"members-{self._engine}"):
                # Nobody can join at this moment: either somebody has since, or nobody will find the records.
                if all(_free(lock) for lock in self._folder.locks(self._members)):
                    self._folder.forget(self._records)
                    return

    def part(self) -> None:
        """Leave at once, because this process was interrupted; what it made for the others is theirs to use on."""
        if self._membership is not None:
            self._membership.release()
            self._membership = None

    @property
    def _members(self) -> str:
        return f"worker-{self._engine}-"

    @property
    def _records(self) -> str:
        return f"shared-{self._engine}-"

    # What is made once

    def slug(self, key: str) -> str:
        """The short name under which a key is kept."""
        return self._records + hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()[:16]

    def once(self, key: str, make: Callable[[], T], name: Callable[[T], str], take: Callable[[str], T | None]) -> T:
        """Make a thing once in the run, whatever the number of its processes.

        A thing whose making fails, or whose maker dies over it, is tried anew by the next one that asks.

        Args:
            key: what is asked for; the same in each process.
            make: makes it.
            name: what another process finds it by.
            take: finds it by that; ``None`` if it can't be used any more, so that it is made anew.
        """
        slug = self.slug(key)
        with self._folder.lock(slug):
            record = self._folder.read(f"{slug}.json")
            if record is not None and (found := take(str(record["name"]))) is not None:
                return found
            made = make()
            self._folder.write(f"{slug}.json", {"name": name(made), "key": key, "worker": self._worker})
            return made

    # Whose turn it is

    @contextlib.contextmanager
    def turn(self, content: str) -> Iterator[None]:
        """Held while the engine builds a content: who builds the same waits, others do not.

        Even when all is in the cache: of two at the same moment, BuildKit tells one that its steps ran. Only when a
        command of it has failed nobody waits, until a build succeeds: there is no cache to find, and each shall find
        out for itself without delay. One that was given up, or whose engine lost something, would not fail again.
        """
        slug = f"build-{self._engine}-{content[:20]}"
        failed = f"{slug}-failed"
        with contextlib.ExitStack() as held:
            if not self._folder.has(f"{failed}.json"):
                lock = held.enter_context(self._folder.lock(slug))
                if self._folder.has(f"{failed}.json"):
                    lock.release()
            try:
                yield
            except BuildFailed as error:
                if error.exit_code is not None:
                    self._folder.write(f"{failed}.json", {"worker": self._worker})
                raise
            self._folder.forget(failed)


def _free(lock: FileLock) -> bool:
    from filelock import Timeout

    try:
        with lock.acquire(timeout=0):
            return True
    except Timeout:
        return False
