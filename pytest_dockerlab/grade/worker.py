"""``dockerlab worker``: grades, on an engine of its own, what batches anywhere send to the broker.

The checks are this machine's, never the message's: a task names the course by its digest, and one of another course
or version is refused.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
import time
import uuid
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.ping import ping
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.record import to_record
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.grade.batch import Batch
from pytest_dockerlab.grade.broker import LONGEST, TASK, application, connected, hidden, queue
from pytest_dockerlab.grade.origin import course_digest, our_version
from pytest_dockerlab.grade.parcel import unpack
from pytest_dockerlab.grade.progress import said

__all__ = ["Grader", "serve"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grader:
    """Grades one submission after another.

    Attributes:
        batch: the course, its engine, and how.
        course: digest of the course as it was when the worker began.
        nothing: what a submission is worth if it can't be graded.
        endpoint: of the engine.
        patience: seconds of silence after which the engine is taken to be gone.
    """

    batch: Batch
    course: str
    nothing: Graded
    endpoint: Endpoint
    patience: float

    def refusal(self, course: str, version: str) -> str:
        """Why a task is not for this worker; ``""`` if it is."""
        if version != our_version():
            return f"this worker is version {our_version()}, the task is for {version}"
        if course != self.course:
            return f"this worker has the course {self.course[:16]}, the task is for {course[:16]}"
        if course_digest(self.batch.course) != self.course:
            return "the course on this worker has changed since it began: start it again"
        return ""

    def grade(self, student: str, parcel: Sequence[Mapping[str, Any]], timeout: float) -> Graded:
        """Grade what was sent. Raises: FormatError: it is no submission."""
        started = time.monotonic()
        with tempfile.TemporaryDirectory(dir=self.batch.scratch) as place:
            # Nothing of a result depends on the folder's name, but its cache: each student has its own.
            folder = Path(place) / "submission"
            folder.mkdir()
            unpack(parcel, folder)
            batch = replace(self.batch, timeout=min(timeout, LONGEST))
            graded = replace(batch.carry_out(folder, self.nothing, threading.Event()), student=shown(student))
        self.batch.tell(f"{said(graded)} ({time.monotonic() - started:.1f} s)")
        return graded

    def engine_answers(self) -> bool:
        """Whether the engine is there, or comes back in time."""
        deadline = time.monotonic() + self.patience
        while not ping(self.endpoint).ok:
            if time.monotonic() > deadline:
                return False
            time.sleep(1.0)
        return True


def serve(grader: Grader, url: str, kinds: Sequence[str]) -> int:
    """Work until told to end (Ctrl-C: when what it grades is done; again: at once).

    Args:
        url: of the broker.
        kinds: of ``QUEUES``.

    Returns:
        0, or 1 if the engine was lost.

    Raises:
        UsageError: the address can't be meant.
        BrokerLost: nothing answers there.
    """
    from celery import signals
    from celery.exceptions import Reject

    app = application(url)
    lost = threading.Event()

    def task(
        self: Any,
        student: str,
        parcel: list[dict[str, Any]],
        course: str,
        version: str,
        timeout: float,
        again: bool = False,
    ) -> dict[str, Any]:
        if lost.is_set():
            raise Reject("the engine is gone", requeue=True)
        if refused := grader.refusal(course, version):
            grader.batch.tell(f"refused: {shown(student)}: {refused}")
            return {"refused": refused}
        if (done := _done(self)) is not None and not again:
            return done
        try:
            graded = grader.grade(student, parcel, timeout)
        except FormatError as error:
            return {"refused": error.what}
        if graded.outcome != "graded" and not grader.engine_answers():
            # Or this worker would spoil the whole class, faster than any other grades it.
            lost.set()
            os.kill(os.getpid(), signal.SIGTERM)
            raise Reject("the engine is gone", requeue=True)
        return to_record(graded)

    def _done(self: Any) -> dict[str, Any] | None:
        """What somebody has found already: a lost worker's task may come twice, and a killed batch's, too."""
        # An AMQP broker tells a result once, to the batch.
        result = self.AsyncResult(self.request.id) if url.startswith("redis") else None
        return dict(result.result) if result is not None and result.state == "SUCCESS" else None

    app.task(name=TASK, bind=True)(task)
    names = [queue(grader.course, our_version(), kind) for kind in kinds]
    warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")
    worker = app.Worker(
        hostname=f"dockerlab-{uuid.uuid4().hex[:8]}@{socket.gethostname()}",
        pool="threads",
        concurrency=grader.batch.jobs,
        queues=names,
        loglevel="WARNING",
        without_gossip=True,
        without_mingle=True,
        quiet=True,
    )

    def ready(**_: object) -> None:
        what = f"course {grader.course[:16]}, version {our_version()}, {grader.batch.jobs} at a time"
        grader.batch.tell(f"ready for {hidden(url)}: {what}")

    signals.worker_ready.connect(ready)
    with connected(url):
        worker.start()
    if lost.is_set():
        grader.batch.tell("the engine is gone: what this worker had is left for others")
    return 1 if lost.is_set() else 0
