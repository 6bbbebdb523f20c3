"""Whether a course's checks find what they are made to find: solutions, an empty submission, wrong and near ones."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.points import show
from pytest_dockerlab.grade.course import Course

__all__ = ["lay_out", "problems"]

_REFERENCE, _EMPTY = "reference", "empty"


def lay_out(course: Course, dockerfiles: Path, exercises: Iterable[str], target: Path) -> dict[str, Path]:
    """Make a submission of each claim that the course makes about its checks.

    Args:
        dockerfiles: the solutions.
        exercises: of the course.
        target: an empty folder.

    Returns:
        name → folder: ``reference``, ``empty``, ``wrong-EXERCISE-CHECK``, ``near-EXERCISE-NAME``.
    """
    names = tuple(exercises)
    made = {_REFERENCE: target / _REFERENCE, _EMPTY: target / _EMPTY}
    made[_EMPTY].mkdir()
    for exercise in names:
        (made[_EMPTY] / exercise).mkdir()
    _solutions(dockerfiles, names, made[_REFERENCE])
    for kind, exercise, variant in _variants(course):
        name = f"{kind}-{exercise}-{variant.name}"
        made[name] = target / name
        _solutions(dockerfiles, names, made[name])
        shutil.copytree(variant, made[name] / exercise, dirs_exist_ok=True)
    return made


def problems(course: Course, graded: Mapping[str, Graded]) -> list[str]:
    """What does not hold, a line each.

    Args:
        graded: by the names that ``lay_out`` gave.
    """
    found = [
        f"{name}: not gradable: {(each.reason.splitlines() or [''])[0]}"
        for name, each in graded.items()
        if each.outcome != "graded"
    ]
    for name, each in graded.items():
        failed = [check.id for check in each.checks if check.outcome == "failed"]
        if name == _REFERENCE or name.startswith("near-"):
            found += [f"{name}: {check.id} fails: {check.message}" for check in each.checks if check.id in failed]
        elif name == _EMPTY and each.points:
            passed = ", ".join(check.id for check in each.checks if check.outcome == "passed")
            found.append(f"{name}: reaches {show(each.points)} points by {passed}")
    meant = {f"wrong-{exercise}-{path.name}": f"{exercise}/{path.name}" for _, exercise, path in _variants(course)}
    for check in graded[_REFERENCE].checks:
        if check.id not in meant.values():
            folder = f"wrong/{check.exercise}/{check.id.partition('/')[2]}"
            found.append(f"{check.id}: no wrong submission proves that it can fail: make the folder {folder}")
    for name, check_id in meant.items():
        if name not in graded or not name.startswith("wrong-"):
            continue
        failed = [check.id for check in graded[name].checks if check.outcome == "failed"]
        if graded[name].outcome == "graded" and failed != [check_id]:
            found.append(f"{name}: fails {', '.join(failed) or 'nothing'}, and not {check_id} alone")
    return found


def _variants(course: Course) -> Iterator[tuple[str, str, Path]]:
    """Kind, exercise and folder of each wrong and near submission: what differs from the solution."""
    for kind in ("wrong", "near"):
        for exercise in sorted(path for path in (course.folder / kind).glob("*") if path.is_dir()):
            for variant in sorted(path for path in exercise.iterdir() if path.is_dir()):
                yield kind, exercise.name, variant


def _solutions(dockerfiles: Path, exercises: Iterable[str], target: Path) -> None:
    for exercise in exercises:
        if (dockerfiles / exercise).is_dir():
            shutil.copytree(dockerfiles / exercise, target / exercise, symlinks=True)
