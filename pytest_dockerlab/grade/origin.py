"""What a result is made from: the submission's content, the course's, and this package's version."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from pathlib import Path

from pytest_dockerlab.exercises.model import Graded, Origin
from pytest_dockerlab.grade.content import digest, walk
from pytest_dockerlab.grade.course import BESIDE, SINGLE, Course

__all__ = ["course_digest", "origin", "our_version", "stale", "submission_digest", "tell_of_stale"]

# Made by tools, whenever somebody looks at a course.
_MADE = frozenset({"__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".git"})
_NAMED = 5


def our_version() -> str:
    """Version of this package, as it is installed; ``unknown`` where it only lies on the path."""
    try:
        return metadata.version("pytest-dockerlab")
    except metadata.PackageNotFoundError:
        return "unknown"


def submission_digest(folder: Path) -> str:
    """What was handed in."""
    return digest((folder, walk(folder)))


def course_digest(course: Course, beside: Iterable[Path] = ()) -> str:
    """What decides a course's results: checks, solutions (they say which bases are allowed), settings, policy.

    Args:
        beside: folders that may lie in the course's and are none of it: submissions, results.
    """
    folder, tests, solutions = course.folder, course.tests, course.dockerfiles
    others = {path.resolve() for path in beside}
    others |= {folder / name for name in BESIDE} if tests == folder else set()
    parts = [
        (folder, walk(folder, skip=lambda path: path.name not in SINGLE)),
        (tests, walk(tests, skip=lambda path: path.name in _MADE or path in others)),
    ]
    if solutions.is_dir():
        parts.append((solutions, walk(solutions, skip=lambda path: path.name in _MADE)))
    return digest(*parts)


def origin(course: Course, submission: Path, beside: Iterable[Path] = ()) -> Origin:
    """What a result of this submission is made from, if it is made now."""
    return Origin(submission=submission_digest(submission), course=course_digest(course, beside), version=our_version())


def stale(before: Mapping[str, Graded], now: Mapping[str, Origin]) -> dict[str, str]:
    """Results that say nothing any more, and why: student → what differs.

    Args:
        before: the results that are there.
        now: what they would be made from today, for the same students.
    """
    found: dict[str, str] = {}
    for student, graded in before.items():
        was, today = graded.origin, now[student]
        if was is None:
            found[student] = "it is not known what they were made from"
        elif was.version != today.version:
            found[student] = f"version {was.version} made them, this is {today.version}"
        elif was.course != today.course:
            found[student] = "the course has changed"
        elif was.submission != today.submission:
            found[student] = "the submission has changed"
    return found


def tell_of_stale(found: Mapping[str, str], then: str, tell: Callable[[str], None]) -> None:
    """A line for each reason, with who it is.

    Args:
        then: what comes of them.
    """
    for reason in dict.fromkeys(found.values()):
        students = [student for student, each in found.items() if each == reason]
        more = f" and {len(students) - _NAMED} more" if len(students) > _NAMED else ""
        tell(f"{reason}: {', '.join(students[:_NAMED])}{more}: {then}")
