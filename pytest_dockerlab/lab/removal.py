"""Removing in the background: several at a time, all of it before the run ends."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pytest_dockerlab.errors import LabError, NotFound

__all__ = ["Job", "Remover"]

# An engine takes down a few containers at once hardly slower than one; more only wait for its locks.
_WORKERS = 3
# Who removes slower than the tests make has to make them wait: what is not yet removed takes memory.
_BACKLOG = 8


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """One thing to remove; ``done`` is set when it was tried."""

    what: str
    remove: Callable[[], object]
    done: threading.Event = field(default_factory=threading.Event)


class Remover:
    """A few threads that remove what tests are done with. A failure stops nothing, and is kept in ``trouble``.

    Its threads are the process's daemons: one that waits for an engine that hangs does not keep pytest from ending.
    What they did not get to is found by its label.

    Attributes:
        trouble: what could not be removed, with the reason.
    """

    def __init__(self, workers: int = _WORKERS, backlog: int = _BACKLOG) -> None:
        """Args:
        workers: how many remove at once.
        backlog: with as many waiting, ``submit`` waits.
        """
        self.trouble: list[str] = []
        self._workers = workers
        self._backlog = backlog
        self._waiting: deque[Job] = deque()
        self._open: set[Job] = set()
        self._idle = 0
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._closed = False

    def submit(self, what: str, remove: Callable[[], object]) -> Job:
        """Have something removed soon. Jobs begin in the order in which they come.

        Args:
            what: names it in ``trouble``.
            remove: raises ``NotFound`` where it is gone already, which is fine.
        """
        job = Job(what=what, remove=remove)
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._waiting) < self._backlog)
            if not self._closed:
                self._open.add(job)
                self._waiting.append(job)
                if self._idle == 0 and len(self._threads) < self._workers:
                    self._threads.append(threading.Thread(target=self._work, name="dockerlab-remover", daemon=True))
                    self._threads[-1].start()
                self._changed.notify_all()
                return job
        self._try(job)
        return job

    def wait(self, jobs: Sequence[Job] | None = None) -> None:
        """Wait until these jobs are done; by default all that there are now."""
        with self._changed:
            wanted = tuple(self._open) if jobs is None else tuple(jobs)
        for job in wanted:
            job.done.wait()

    def close(self) -> None:
        """Wait until all is done, and end the threads. What is submitted later is removed at once."""
        self.wait()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                self._changed.wait_for(lambda: self._closed or self._waiting)
                self._idle -= 1
                if not self._waiting:
                    return
                job = self._waiting.popleft()
                self._changed.notify_all()
            self._try(job)

    def _try(self, job: Job) -> None:
        try:
            job.remove()
        except NotFound:
            pass  # somebody was faster: what was wanted is so
        except LabError as error:
            self.trouble.append(f"{job.what}: {error.what}")
        except Exception as error:  # the next job has nothing to do with it
            self.trouble.append(f"{job.what}: {type(error).__name__}: {error}")
        finally:
            with self._changed:
                self._open.discard(job)
            job.done.set()
