"""A class: each submission in a process of its own, its result on disk as soon as it is there, whole or not at all."""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.points import show
from pytest_dockerlab.exercises.record import from_record
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.grade.course import Course, run_pytest

__all__ = ["Batch", "Job", "find_submissions", "grade", "read_result", "result_file", "write"]

_PLAIN = re.compile(r"\w[\w.@+-]*", re.ASCII)
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
        tell: gets a line for people.
    """

    course: Course
    jobs: int = 1
    timeout: float = 1800.0
    environ: Mapping[str, str]
    tell: Callable[[str], None]

    def known(self) -> Graded:
        """The course as a submission of which nothing is known: what it is worth, whatever happens to one.

        Raises:
            UsageError: its tests can't be collected; shows why.
        """
        with tempfile.TemporaryDirectory(prefix="dockerlab-grade-") as place:
            scratch = Path(place).resolve()
            found = scratch / "result.json"
            ended = run_pytest(
                [*self.course.arguments(scratch, found, None), "--collect-only"],
                scratch=scratch,
                timeout=_COLLECT,
                environ=self.environ,
                stop=threading.Event(),
            )
            graded = read_result(found)
        if graded is None:
            raise UsageError(
                f"the tests of {self.course.folder} can't be collected:\n{shown(ended.said)}",
                remedy="mend what pytest says; try it with: pytest --collect-only",
            )
        return graded


def find_submissions(folder: Path, only: Sequence[str] = ()) -> dict[str, Path]:
    """Student → folder, by name. Links and hidden folders are none.

    Raises:
        UsageError: there are none, or one of ``only`` is not there.
    """
    if not folder.is_dir():
        raise UsageError(f"no submissions at {folder}", remedy="name the folder that has a folder for each student")
    found = {
        path.name: path.absolute()
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    }
    for name in only:
        if name not in found:
            raise UsageError(f"no submission of {name!r} in {folder}", remedy="--only takes the names of its folders")
    if not found:
        raise UsageError(f"no submissions in {folder}", remedy="each student has a folder in it")
    return {name: path for name, path in found.items() if not only or name in only}


def result_file(out: Path, student: str) -> Path:
    """Where a student's result is; a name that could be no name of a file is written in another way."""
    return out / f"{student if _PLAIN.fullmatch(student) else quote(os.fsencode(student), safe='')}.json"


def read_result(path: Path) -> Graded | None:
    """A result that is there already; ``None`` if there is none that could be used."""
    try:
        return from_record(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, FormatError):
        return None


def write(path: Path, text: str) -> None:
    """A file, whole or not at all, whenever this process is killed."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


def grade(batch: Batch, jobs: Iterable[Job]) -> dict[str, Graded]:
    """Grade submissions; the result of each is in its file when it is told of.

    Raises:
        UsageError: the course's tests can't be collected; shows why.
    """
    todo = list(jobs)
    nothing = batch.known()
    done: dict[str, Graded] = {}
    stop = threading.Event()
    started = time.monotonic()
    with ThreadPoolExecutor(batch.jobs) as pool:
        try:
            futures = {pool.submit(_one, batch, job, nothing, stop): job for job in todo}
            for future in as_completed(futures):
                job, graded = futures[future], future.result()
                done[job.student] = graded
                left = (time.monotonic() - started) / len(done) * (len(todo) - len(done))
                rest = f", about {_minutes(left)} left" if len(done) < len(todo) else ""
                batch.tell(f"{len(done)}/{len(todo)} {_said(graded)}{rest}")
        finally:
            # Ctrl-C, or a fault of ours: what runs ends now, what waits is left for --resume.
            stop.set()
            pool.shutdown(wait=True, cancel_futures=True)
    return done


def _one(batch: Batch, job: Job, nothing: Graded, stop: threading.Event) -> Graded:
    from pytest_dockerlab.reports.formats import render

    with tempfile.TemporaryDirectory(prefix="dockerlab-grade-") as place:
        scratch = Path(place).resolve()
        found = scratch / "result.json"
        ended = run_pytest(
            batch.course.arguments(scratch, found, job.folder),
            scratch=scratch,
            timeout=batch.timeout,
            environ=batch.environ,
            stop=stop,
        )
        graded = read_result(found)
    if graded is None:
        why = (
            f"it took more than {batch.timeout:g} s"
            if ended.code is None
            else f"its process ended with {ended.code}:\n{ended.said}"
        )
        graded = replace(nothing, reason=shown(why))
    graded = replace(graded, student=" ".join(shown(job.student, keep="start").split()) or "?")
    if not stop.is_set():
        write(job.result, render("json", graded))
    return graded


def _said(graded: Graded) -> str:
    if graded.outcome != "graded":
        return f"{graded.student}: not gradable: {(graded.reason.splitlines() or [''])[0]}"
    return f"{graded.student}: {show(graded.points)} of {show(graded.max_points)}"


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
