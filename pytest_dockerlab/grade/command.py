"""``dockerlab grade``: what was asked for → jobs, an engine for all of them, reports, an exit code."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.discovery import obtain
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.model import Graded, Language
from pytest_dockerlab.grade.batch import Batch, Job, grade
from pytest_dockerlab.grade.course import Course
from pytest_dockerlab.grade.fence import fence_of
from pytest_dockerlab.grade.limits import refuse_unkept
from pytest_dockerlab.grade.origin import origin, stale, tell_of_stale
from pytest_dockerlab.grade.prove import chosen, prove
from pytest_dockerlab.grade.results import find_submissions, held, read_result, result_file, write
from pytest_dockerlab.grade.scratch import scratch
from pytest_dockerlab.grade.selftest import problems, strays, table
from pytest_dockerlab.reports.formats import FORMATS, render
from pytest_dockerlab.reports.rows import View
from pytest_dockerlab.settings import Settings

__all__ = ["Asked", "Work", "grade_class", "self_test", "work"]

_UNGRADED = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line asks for.

    Attributes:
        submissions: a folder with a folder for each student.
        out: for the results.
        only: students; empty for all.
        resume: results that are there count.
        rerun: not gradable ones among them don't.
        formats: reports beside the JSON.
        timeout: seconds for one submission.
        broker: address of the broker behind which workers grade; ``""`` to grade here.
        wait: seconds without a worker, after which it is given up.
    """

    course: Path
    submissions: Path
    out: Path
    jobs: int = 1
    resume: bool = False
    rerun: bool = False
    only: tuple[str, ...] = ()
    formats: tuple[str, ...] = ()
    lang: Language = "en"
    timeout: float = 1800.0
    broker: str = ""
    wait: float = 60.0


def grade_class(asked: Asked, settings: Settings, tell: Callable[[str], None]) -> int:
    """Grade a class, and print its table.

    Returns:
        0, or 3 if something could not be graded.

    Raises:
        UsageError: what was asked can't be meant.
        EngineError: there is no engine.
    """
    course = Course.at(asked.course)
    students = find_submissions(asked.submissions)
    chosen = find_submissions(asked.submissions, asked.only)
    for name in asked.formats:
        if name not in FORMATS:
            raise UsageError(f"--format: no such format: {name!r}", remedy=f"one of {', '.join(FORMATS)}")
    with held(asked.out):
        results = _results(asked, settings, tell, course, students, chosen)
        _report(asked, results)
    print(render("terminal", tuple(results.values()), View(lang=asked.lang, everything=True)), end="")
    ungraded = [name for name, graded in results.items() if graded.outcome != "graded"]
    if ungraded:
        tell(f"{len(ungraded)} not gradable, no points lost; when that is mended: --rerun not-gradable")
    return _UNGRADED if ungraded else 0


def _results(
    asked: Asked,
    settings: Settings,
    tell: Callable[[str], None],
    course: Course,
    students: Mapping[str, Path],
    chosen: Mapping[str, Path],
) -> dict[str, Graded]:
    """Those that are there and count, and new ones for the others."""
    before = {name: found for name in students if (found := read_result(result_file(asked.out, name))) is not None}
    if before and not (asked.resume or asked.rerun or asked.only):
        raise UsageError(
            f"{asked.out} has results of {len(before)} students",
            remedy="write --resume to go on, --rerun not-gradable or --only NAME to grade some again, or name another",
        )
    beside = (asked.submissions, asked.out)
    old = stale(before, {name: origin(course, students[name], beside) for name in before})
    again = {name for name in chosen if name not in before or _again(before[name], asked, old=name in old)}
    left = {name: why for name, why in old.items() if name not in again}
    tell_of_stale({name: why for name, why in old.items() if name in again}, "graded again", tell)
    tell_of_stale(left, "their results stay as they are; --resume grades them again", tell)
    jobs = [
        Job(student=name, folder=folder, result=result_file(asked.out.resolve(), name))
        for name, folder in chosen.items()
        if name in again
    ]
    done = dict(before)
    if jobs:
        kept = f"; {len(before) - len(again & set(before))} are there already" if len(again) < len(students) else ""
        at_once = "" if asked.broker else f", {asked.jobs} at a time"
        tell(f"grading {len(jobs)} submissions{at_once}{kept}")
        with scratch() as own:
            batch = Batch(
                course=course,
                jobs=asked.jobs,
                timeout=asked.timeout,
                environ={},
                scratch=own,
                beside=beside,
                tell=tell,
            )
            if asked.broker:
                from pytest_dockerlab.grade.remote import grade_remotely

                second = frozenset(again & set(before))
                done |= grade_remotely(batch, asked.broker, jobs, again=second, wait=asked.wait)
            else:
                with _engine(course, settings, tell) as endpoint:
                    done |= grade(replace(batch, environ=_environ(endpoint, settings)), jobs)
    return {name: done[name] for name in students if name in done}


def self_test(
    folder: Path,
    settings: Settings,
    tell: Callable[[str], None],
    *,
    jobs: int = 1,
    only: Sequence[str] = (),
    timeout: float = 1800.0,
) -> int:
    """Prove a course's checks, and say what does not hold.

    Args:
        only: exercises; empty for all.

    Returns:
        0, or 1 if something does not hold.
    """
    course = Course.at(folder)
    with scratch() as own, _engine(course, settings, tell) as endpoint:
        environ = _environ(endpoint, settings)
        batch = Batch(course=course, jobs=jobs, timeout=timeout, environ=environ, scratch=own, tell=tell)
        known = batch.known()
        proof = prove(batch, chosen(known, only), every=known.exercises)
    found = problems(proof)
    print(table(proof, found), end="")
    lines = [*(line for each in found.values() for line in each), *strays(course, known.exercises)]
    for line in lines:
        print(f"✗ {line}")
    if not lines:
        checks = sum(len(checks) for claim, checks in proof.items() if claim.kind == "reference")
        print(f"✓ {len(proof)} claims prove {checks} checks")
    return 1 if lines else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What the command line asks of a worker.

    Attributes:
        kinds: of queues.
    """

    course: Path
    broker: str
    jobs: int = 1
    kinds: tuple[str, ...] = ("first", "rerun")


def work(asked: Work, settings: Settings, tell: Callable[[str], None]) -> int:
    """Grade what comes from a broker, until told to end. Returns: 0, or 1 if the engine was lost.

    Raises:
        UsageError: what was asked can't be meant.
        BrokerLost: nothing answers there.
        EngineError: there is no engine.
    """
    from pytest_dockerlab.grade.broker import reach
    from pytest_dockerlab.grade.origin import course_digest
    from pytest_dockerlab.grade.worker import Grader, serve

    course = Course.at(asked.course)
    # Better heard now than after an engine was started for nothing.
    reach(asked.broker)
    with scratch() as own, _engine(course, settings, tell) as endpoint:
        batch = Batch(course=course, jobs=asked.jobs, environ=_environ(endpoint, settings), scratch=own, tell=tell)
        digest = course_digest(course)
        grader = Grader(batch=batch, course=digest, nothing=batch.known(), endpoint=endpoint, patience=settings.timeout)
        return serve(grader, asked.broker, asked.kinds)


def _again(result: Graded, asked: Asked, *, old: bool) -> bool:
    if old and asked.resume:
        return True
    if asked.rerun:
        return result.outcome == "not_gradable"
    return bool(asked.only) and not asked.resume


@contextmanager
def _engine(course: Course, settings: Settings, tell: Callable[[str], None]) -> Iterator[Endpoint]:
    """One engine for all, so that bases stay warm; fenced, where we start it and the policy asks for that."""
    policies = course.policies
    endpoint = obtain(replace(settings, fence=fence_of(policies)), owner_pid=os.getpid(), on_progress=tell)
    ours = endpoint.private and endpoint.source != "dockerlab up"
    try:
        refuse_unkept(endpoint, policies)
        yield endpoint
    finally:
        if ours:
            private.stop(endpoint)


def _environ(endpoint: Endpoint, settings: Settings) -> Mapping[str, str]:
    """What says to a process which engine it has."""
    return {"DOCKERLAB_ENGINE": endpoint.url, "DOCKERLAB_BASES": settings.bases, "DOCKERLAB_MIRROR": settings.mirror}


def _report(asked: Asked, results: Mapping[str, Graded]) -> None:
    every: Sequence[Graded] = tuple(results.values())
    for name in asked.formats:
        form = FORMATS[name]
        view = View(lang=asked.lang, everything=form.for_instructors)
        if form.many is not None:
            write(asked.out / f"class{form.suffix}", render(name, every, view))
        elif name != "json":
            for student, graded in results.items():
                place = result_file(asked.out, student)
                write(place.with_name(place.name.removesuffix(".json") + form.suffix), render(name, graded, view))
