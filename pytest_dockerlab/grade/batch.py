"""A class: each submission in a process of its own, its result on disk as soon as it is there."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.grade.course import Course, Ended, run_pytest
from pytest_dockerlab.grade.origin import origin
from pytest_dockerlab.grade.progress import Progress, terminal
from pytest_dockerlab.grade.results import read_result, write
from pytest_dockerlab.places import cache_dir

__all__ = ["Batch", "Job", "grade", "keep"]

_COLLECT = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One submission to grade.

    Attributes:
        student: name of its folder.
        folder: absolute.
        result: file for what comes of it.
    """

    student: str
    folder: Path
    result: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What all submissions of a class have in common.

    Attributes:
        jobs: at the same time.
        timeout: seconds for one submission, everything included.
        environ: for the processes: which engine.
        scratch: the batch's own folder (``scratch.scratch``).
        beside: folders that may lie in the course's and are none of it.
        tell: gets a line for people.
    """

    course: Course
    jobs: int = 1
    timeout: float = 1800.0
    environ: Mapping[str, str]
    scratch: Path
    beside: tuple[Path, ...] = ()
    tell: Callable[[str], None]

    @property
    def compiled(self) -> Path:
        """Folder for compiled modules: those of Python, of pytest and ours are there from earlier batches."""
        folder = cache_dir() / "compiled"
        with contextlib.suppress(OSError):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = folder.stat()
            if found.st_uid == os.geteuid() and not found.st_mode & 0o022:
                return folder
        return self.scratch / "compiled"

    def forget_course(self) -> None:
        """Take away the course's own compiled modules: another batch compiles them anew."""
        shutil.rmtree(self.compiled / str(self.course.folder.resolve()).lstrip("/"), ignore_errors=True)

    def known(self) -> Graded:
        """The course as a submission of which nothing is known: what it is worth, whatever happens to one.

        Raises:
            UsageError: its tests can't be collected; shows why.
        """
        self.forget_course()
        graded, ended = self._run(None, threading.Event(), "--collect-only", timeout=_COLLECT)
        if graded is None:
            raise UsageError(
                f"the tests of {self.course.folder} can't be collected:\n{shown(ended.said)}",
                remedy="mend what pytest says; try it with: pytest --collect-only",
            )
        return graded

    def carry_out(self, folder: Path, nothing: Graded, stop: threading.Event) -> Graded:
        """Grade one submission in a process of its own.

        Args:
            nothing: what it is worth if it can't be graded (``known``).
            stop: set: it ends at once.
        """
        graded, ended = self._run(folder, stop, timeout=self.timeout)
        if graded is not None:
            return graded
        why = (
            f"it took more than {self.timeout:g} s"
            if ended.code is None
            else f"its process ended with {ended.code}:\n{ended.said}"
        )
        return replace(nothing, reason=shown(why))

    def _run(
        self, folder: Path | None, stop: threading.Event, *more: str, timeout: float
    ) -> tuple[Graded | None, Ended]:
        with tempfile.TemporaryDirectory(dir=self.scratch) as place:
            own = Path(place)
            ended = run_pytest(
                [*self.course.arguments(own, own / "result.json", folder), *more],
                scratch=own,
                compiled=self.compiled,
                timeout=timeout,
                environ=self.environ,
                stop=stop,
            )
            return read_result(own / "result.json"), ended


def grade(batch: Batch, jobs: Iterable[Job]) -> dict[str, Graded]:
    """Grade submissions; the result of each is in its file when it is told of.

    Raises:
        UsageError: the course's tests can't be collected; shows why.
    """
    todo = list(jobs)
    nothing = batch.known()
    done: dict[str, Graded] = {}
    stop = threading.Event()
    progress = Progress(len(todo), batch.tell, screen=terminal())
    with ThreadPoolExecutor(batch.jobs) as pool:
        try:
            futures = {pool.submit(_one, batch, job, nothing, stop): job for job in todo}
            for future in as_completed(futures):
                done[futures[future].student] = graded = future.result()
                progress.done(graded)
        finally:
            # Ctrl-C, or a fault of ours: what runs ends now, what waits is left for --resume.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
            progress.end()
            batch.forget_course()
    return done


def _one(batch: Batch, job: Job, nothing: Graded, stop: threading.Event) -> Graded:
    # Looked at before it is graded: what changes meanwhile makes the result an old one.
    made_from = origin(batch.course, job.folder, batch.beside)
    graded = replace(batch.carry_out(job.folder, nothing, stop), origin=made_from)
    return graded if stop.is_set() else keep(job, graded)


def keep(job: Job, graded: Graded) -> Graded:
    """Write a result down, under the student's name."""
    from pytest_dockerlab.reports.formats import render

    graded = replace(graded, student=" ".join(shown(job.student, keep="start").split()) or "?")
    write(job.result, render("json", graded))
    return graded
