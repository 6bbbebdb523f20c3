"""The commands of ``dockerlab`` that have to do with grading: their options, and what they start.

Loaded whenever ``dockerlab`` is: what a command needs is imported when it runs.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.settings import Settings

__all__ = ["add_commands"]

Tell = Callable[[str], None]
First = Callable[[Settings], Settings]


def add_commands(
    commands: Any, engine_option: Callable[[argparse.ArgumentParser], None], first: First, tell: Tell
) -> None:
    """Add ``grade``, ``worker`` and ``new-course``.

    Args:
        commands: the sub-parsers of the program.
        engine_option: adds ``--engine``.
        first: the settings for the first of the engines that were named.
        tell: takes a line for people.
    """
    grade = commands.add_parser(
        "grade",
        help="grade what the students of a course handed in",
        description="Carry out a course's checks on each folder of SUBMISSIONS, each in its own process, and write "
        "RESULTS/STUDENT.json. Killed and started again with --resume, it gives the same. Ends with 3 where something "
        "could not be graded (the engine, its disk, a base image): no points are lost by that.",
    )
    grade.add_argument("submissions", nargs="?", type=Path, metavar="SUBMISSIONS", help="a folder for each student")
    grade.add_argument("--course", type=Path, required=True, metavar="DIR", help="has tests/ and dockerfiles/")
    grade.add_argument("--out", type=Path, metavar="RESULTS", help="folder for the results")
    grade.add_argument("--jobs", type=int, default=1, metavar="N", help="submissions at the same time (1)")
    grade.add_argument("--resume", action="store_true", help="go on where a batch was ended")
    grade.add_argument("--only", nargs="+", action="extend", default=[], metavar="NAME", help="students (exercises)")
    grade.add_argument("--rerun", choices=["not-gradable"], help="grade again what could not be graded")
    grade.add_argument("--format", action="append", default=[], metavar="NAME", help="markdown, csv, gradescope, …")
    grade.add_argument("--lang", choices=["en", "ja"], default="en", help="of what is written for students")
    grade.add_argument("--timeout", default="30m", metavar="TIME", help="for one submission, from outside (30m)")
    _broker_option(grade, "workers behind this broker grade, each on its own machine")
    grade.add_argument("--wait", default="60s", metavar="TIME", help="with --broker: for a worker to answer (60s)")
    grade.add_argument("--self-test", action="store_true", help="prove the course's checks, grade nobody")
    engine_option(grade)
    grade.set_defaults(run=partial(_grade, first, tell))

    worker = commands.add_parser(
        "worker",
        help="grade what `dockerlab grade --broker` sends, on an engine of this machine",
        description="Grade submissions that come from a broker, until told to end: Ctrl-C waits for those that are "
        "being graded, a second one does not. The course is this machine's own folder, and has to be the same, as has "
        "the version of this program; no code comes by the broker. What a lost worker had is graded by another.",
    )
    _broker_option(worker, "where the submissions come from")
    worker.add_argument("--course", type=Path, required=True, metavar="DIR", help="has tests/ and dockerfiles/")
    worker.add_argument("--jobs", type=int, default=1, metavar="N", help="submissions at the same time (1)")
    worker.add_argument(
        "--queue", choices=["first", "rerun", "both"], default="both", help="first runs, reruns, or both (default)"
    )
    engine_option(worker)
    worker.set_defaults(run=partial(_worker, first, tell))

    course = commands.add_parser(
        "new-course",
        help="write a course to begin with: exercises, checks, solutions, what proves them",
        description="Write a course of two exercises to DIR: checks in English and Japanese, solutions, wrong and near "
        "submissions that prove the checks, a policy, tasks, and the file for GitHub's CI. DIR must not have anything "
        "in it.",
    )
    course.add_argument("folder", type=Path, metavar="DIR")
    course.set_defaults(run=_new_course)


def _broker_option(command: argparse.ArgumentParser, text: str) -> None:
    command.add_argument(
        "--broker",
        default=os.environ.get("DOCKERLAB_BROKER", ""),
        metavar="URL",
        help=f"redis://HOST:6379/0 or amqp://HOST: {text} (or DOCKERLAB_BROKER: others see a command line's password)",
    )


def _worker(first: First, tell: Tell, parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.grade.command import Work, work

    if parsed.jobs < 1:
        raise UsageError(f"--jobs: {parsed.jobs}", remedy="write 1 or more")
    if not parsed.broker:
        raise UsageError("no broker to work for", remedy="write --broker redis://HOST:6379/0, or set DOCKERLAB_BROKER")
    kinds = ("first", "rerun") if parsed.queue == "both" else (parsed.queue,)
    asked = Work(course=parsed.course, broker=parsed.broker, jobs=parsed.jobs, kinds=kinds)
    return work(asked, first(settings), tell)


def _grade(first: First, tell: Tell, parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.grade.command import Asked, grade_class, self_test
    from pytest_dockerlab.quantity import to_seconds

    settings = first(settings)
    if parsed.jobs < 1:
        raise UsageError(f"--jobs: {parsed.jobs}", remedy="write 1 or more")
    if parsed.self_test:
        limit = to_seconds(parsed.timeout)
        return self_test(parsed.course, settings, tell, jobs=parsed.jobs, only=parsed.only, timeout=limit)
    if parsed.submissions is None or parsed.out is None:
        raise UsageError("nothing to grade", remedy="write dockerlab grade SUBMISSIONS --course DIR --out RESULTS")
    asked = Asked(
        course=parsed.course,
        submissions=parsed.submissions,
        out=parsed.out,
        jobs=parsed.jobs,
        resume=parsed.resume,
        rerun=parsed.rerun is not None,
        only=tuple(parsed.only),
        formats=tuple(name for each in parsed.format for name in each.split(",")),
        lang=parsed.lang,
        timeout=to_seconds(parsed.timeout),
        broker=parsed.broker,
        wait=to_seconds(parsed.wait),
    )
    return grade_class(asked, settings, tell)


def _new_course(parsed: argparse.Namespace, settings: Settings) -> int:
    from pytest_dockerlab.grade.new_course import write_course

    written = write_course(parsed.folder)
    print(f"{parsed.folder} has a course of two exercises ({len(written)} files). Next:\n")
    print(f"  dockerlab grade --self-test --course {parsed.folder}    prove its checks")
    print(f"  {parsed.folder}/README.md    how to go on")
    return 0
