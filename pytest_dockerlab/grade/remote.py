"""A class graded by workers on other machines: a task for each submission, its result on disk as soon as it comes.

A task's id follows from what it is made from. A batch that was killed finds by it what its workers did meanwhile, and
a task that is done twice gives the same twice. Which worker is at a task is known; where that one is lost the task is
sent again, long before the broker would.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.exercises.model import Graded, Origin
from pytest_dockerlab.exercises.record import from_record
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.grade.batch import Batch, Job, keep
from pytest_dockerlab.grade.broker import (
    LONGEST,
    QUEUES,
    TASK,
    BrokerLost,
    application,
    connected,
    hidden,
    queue,
    reach,
)
from pytest_dockerlab.grade.intake import policies_of
from pytest_dockerlab.grade.origin import course_digest, origin, our_version
from pytest_dockerlab.grade.parcel import pack
from pytest_dockerlab.grade.progress import Progress, duration, terminal

if TYPE_CHECKING:
    from celery import Celery
    from celery.result import AsyncResult

__all__ = ["grade_remotely"]

# Sent and not done at the same time, and their content in bytes: the broker keeps these in memory.
_AHEAD = 100
_AHEAD_BYTES = 128 * 1024**2
# Seconds between two looks for results; between two questions who is there; to answer that.
_LOOK = 0.2
_ASK = 3.0
_ANSWER = 1.5
# Seconds for which a result that was taken is known.
_LINGERS = 600
# So often in a row not to answer means to be gone.
_SILENT = 3


@dataclass(slots=True, kw_only=True)
class _Task:
    """One submission on its way.

    Attributes:
        size: of its message, about, in bytes.
        silent: how often in a row the worker that is at it has not answered.
    """

    job: Job
    id: str
    origin: Origin
    size: int = 0
    silent: int = 0


def grade_remotely(
    batch: Batch, url: str, jobs: Iterable[Job], *, again: frozenset[str], wait: float
) -> dict[str, Graded]:
    """Grade submissions by whoever works for this broker.

    Args:
        batch: its engine is not used.
        url: of the broker.
        again: students who have a result: they wait in a queue of their own, and what a worker knows does not count.
        wait: seconds without any worker, after which it is given up.

    Raises:
        UsageError: the address, or the time for one submission, can't be meant.
        BrokerLost: the broker or all workers are gone; what is done stays.
    """
    if batch.timeout > LONGEST:
        raise UsageError(
            f"--timeout: {duration(batch.timeout)} for one submission, by other machines",
            remedy=f"write at most {duration(LONGEST)}, or grade without --broker",
        )
    reach(url)
    app = application(url)
    with connected(url):
        return _Dispatch(batch, url, app, again, wait).run(list(jobs))


class _Dispatch:
    def __init__(self, batch: Batch, url: str, app: Celery, again: frozenset[str], wait: float) -> None:
        self._batch, self._url, self._app, self._again, self._wait = batch, url, app, again, wait
        self._course = course_digest(batch.course, batch.beside)
        self._policies = policies_of(batch.course.policy)
        self._queues = {kind: queue(self._course, our_version(), kind) for kind in QUEUES}
        # A Redis remembers results under their task's id; AMQP tells them once, to who has asked.
        self._remembers = url.startswith("redis")
        self._done: dict[str, Graded] = {}
        self._on_way: dict[str, _Task] = {}
        self._heard = self._asked = time.monotonic()

    def run(self, jobs: list[Job]) -> dict[str, Graded]:
        nothing = self._batch.known()
        needed = {self._queues[self._kind(job)] for job in jobs}
        self._await_workers(needed)
        progress = Progress(len(jobs), self._batch.tell, screen=terminal())
        todo = list(reversed(jobs))
        try:
            while todo or self._on_way:
                while todo and self._has_room():
                    self._begin(todo.pop(), nothing, progress)
                for task in list(self._on_way.values()):
                    self._look(task, nothing, progress)
                self._find_lost(needed)
                time.sleep(_LOOK)
        except KeyboardInterrupt:
            self._app.control.revoke(list(self._on_way))
            raise
        finally:
            progress.end()
        return self._done

    def _has_room(self) -> bool:
        return len(self._on_way) < _AHEAD and sum(task.size for task in self._on_way.values()) < _AHEAD_BYTES

    # One task -----------------------------------------------------------------------------------------------------

    def _begin(self, job: Job, nothing: Graded, progress: Progress) -> None:
        made_from = origin(self._batch.course, job.folder, self._batch.beside)
        task = _Task(job=job, id=_id(job.student, made_from), origin=made_from)
        try:
            if not self._known(task):
                self._send(task)
        except UsageError as error:
            self._finish(task, replace(nothing, reason=shown(str(error))), progress)
        else:
            self._on_way[task.id] = task

    def _known(self, task: _Task) -> bool:
        """Whether a worker is at it, or was: for a batch that was killed. Any other result is forgotten."""
        if not self._remembers:
            return False
        known = self._app.AsyncResult(task.id)
        if task.job.student not in self._again:
            if known.state == "STARTED":
                return True  # and is sent again, if that worker is gone
            if known.state == "SUCCESS" and isinstance(known.result, dict) and known.result.get("outcome") == "graded":
                return True
        known.forget()
        return False

    def _send(self, task: _Task) -> None:
        """Raises: UsageError: it can't be sent."""
        parcel = pack(task.job.folder, self._policies)
        task.size = sum(len(each.get("content", "")) for each in parcel)
        self._app.send_task(
            TASK,
            task_id=task.id,
            queue=self._queues[self._kind(task.job)],
            kwargs={
                "student": task.job.student,
                "parcel": parcel,
                "course": self._course,
                "version": our_version(),
                "timeout": self._batch.timeout,
                "again": task.job.student in self._again,
            },
        )

    def _look(self, task: _Task, nothing: Graded, progress: Progress) -> None:
        result = self._app.AsyncResult(task.id)
        if result.ready():
            said = result.result
            self._let_go(result)
            self._heard = time.monotonic()
            self._finish(task, _read(said, nothing), progress)

    def _let_go(self, result: AsyncResult) -> None:
        """For a while it is known still: the same task may wait in a queue, sent by a batch that was killed."""
        if self._remembers:
            self._app.backend.expire(self._app.backend.get_key_for_task(result.id), _LINGERS)
        else:
            result.forget()

    def _finish(self, task: _Task, graded: Graded, progress: Progress) -> None:
        self._on_way.pop(task.id, None)
        self._done[task.job.student] = keep(task.job, replace(graded, origin=task.origin))
        progress.done(self._done[task.job.student])

    # The workers --------------------------------------------------------------------------------------------------

    def _await_workers(self, needed: set[str]) -> None:
        """Until somebody listens to each queue that is needed."""
        deadline = time.monotonic() + self._wait
        told = False
        while True:
            listening = self._listening()
            ours = {name: queues for name, queues in listening.items() if queues & needed}
            if needed <= set().union(*ours.values()):
                self._batch.tell(f"{len(ours)} worker{'s' * (len(ours) > 1)} for this course at {hidden(self._url)}")
                return
            if time.monotonic() > deadline:
                others = sorted(set().union(*listening.values()))
                raise BrokerLost(
                    f"no worker for {', '.join(sorted(needed))} answers at {hidden(self._url)} within "
                    + duration(self._wait)
                    + (f"; those that do answer work for {', '.join(others)}" if others else ""),
                    remedy="start one: dockerlab worker --broker URL --course DIR, with the same course and "
                    f"pytest-dockerlab {our_version()}",
                )
            if not told:
                self._batch.tell(f"waiting for a worker for this course at {hidden(self._url)}")
                told = True

    def _listening(self) -> dict[str, set[str]]:
        """Each worker that answers, and its queues."""
        answers = self._app.control.inspect(timeout=_ANSWER).active_queues() or {}
        return {name: {each["name"] for each in queues} for name, queues in answers.items()}

    def _find_lost(self, needed: set[str]) -> None:
        """Send again what a worker had that is gone."""
        if time.monotonic() - self._asked < _ASK:
            return
        listening = self._listening()
        alive = set(listening)
        self._asked = now = time.monotonic()
        if needed <= set().union(*listening.values()):
            self._heard = now
        elif now - self._heard > self._wait:
            raise BrokerLost(
                f"no worker for this course has answered at {hidden(self._url)} for {duration(now - self._heard)}; "
                f"{len(self._on_way)} submissions were on their way",
                remedy="start one, then this again with --resume: what is done stays",
            )
        if not self._remembers:
            return  # an AMQP broker sees that a worker is gone, and gives what it had to another
        waiting = {kind: self._waiting(name) for kind, name in self._queues.items()}
        for task in self._on_way.values():
            worker = self._is_gone(task, alive, waiting)
            task.silent = task.silent + 1 if worker else 0
            if task.silent == _SILENT:
                task.silent = 0
                self._batch.tell(f"{task.job.student}: {worker} is gone: sent again")
                self._app.AsyncResult(task.id).forget()
                self._send(task)

    def _is_gone(self, task: _Task, alive: set[str], waiting: Mapping[str, int]) -> str:
        """Who had this task and is not there any more; ``""`` if all is well."""
        known = self._app.AsyncResult(task.id)
        if known.state == "STARTED":
            worker = str(known.info.get("hostname", "")) if isinstance(known.info, dict) else ""
            return "" if worker in alive else f"its worker {worker}"
        # Taken from its queue, and never begun.
        return "its worker" if known.state == "PENDING" and not waiting[self._kind(task.job)] else ""

    def _waiting(self, name: str) -> int:
        """How many tasks are in a queue."""
        with self._app.connection_for_read() as connection:
            channel = connection.channel()
            # Declared, as a batch may come before any worker: asking for a queue that is not there is an error.
            return int(channel.queue_declare(queue=name, durable=True).message_count)

    def _kind(self, job: Job) -> str:
        return "rerun" if job.student in self._again else "first"


def _id(student: str, made_from: Origin) -> str:
    """The same for the same work."""
    parts = (student, made_from.submission, made_from.course, made_from.version)
    return "dockerlab-" + hashlib.sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:40]


def _read(said: object, nothing: Graded) -> Graded:
    """A worker's answer, whatever it is."""
    if isinstance(said, dict) and "refused" in said:
        return replace(nothing, reason=shown(f"a worker refused it: {said['refused']}"))
    try:
        return from_record(said)
    except FormatError:
        return replace(nothing, reason=shown(f"a worker failed: {said}"))
