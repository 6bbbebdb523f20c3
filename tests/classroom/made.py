"""A class made of what a course has: solutions, near and wrong variants, and harm; with the points that each must get.

Which exercise of which student is what is drawn, and the same for the same seed.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import pytest_dockerlab
from pytest_dockerlab.exercises.graph import course_of, run_order
from pytest_dockerlab.exercises.model import Check
from pytest_dockerlab.grade.course import Course
from pytest_dockerlab.grade.intake import own_bases
from tests.classroom.harm import HARM

__all__ = ["Expected", "checks_of", "differences", "make"]

# What an exercise of a student is, and how often.
_KINDS = {"right": 45, "near": 15, "wrong": 25, "missing": 5, "harm": 10}
_COLLECT = """
import json, sys, pytest
from pytest_dockerlab.exercises.mark import read_mark
class Reader:
    def pytest_collection_finish(self, session):
        marks = [(item.nodeid, mark) for item in session.items for mark in item.iter_markers("exercise")]
        checks = [read_mark(name, mark.args, mark.kwargs, title="") for name, mark in marks]
        found = [[each.id, each.exercise, str(each.points), each.needs, each.bonus] for each in checks]
        open(sys.argv[1], "w").write(json.dumps(found))
sys.exit(pytest.main([*sys.argv[2:], "--collect-only"], plugins=[Reader()]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What one student must get.

    Attributes:
        points: in all.
        failed: the checks that fail; ``None`` where only the points are known.
        what: exercise → what it is, for people.
    """

    points: Decimal
    failed: frozenset[str] | None
    what: Mapping[str, str]


def checks_of(course: Course, scratch: Path) -> list[Check]:
    """The checks of a course, read from its marks."""
    (scratch / "empty.ini").write_text("[pytest]\n")
    found = scratch / "checks.json"
    arguments = course.arguments(scratch, scratch / "none.json", None)
    environ = {**os.environ, "PYTHONPATH": str(Path(pytest_dockerlab.__file__).parents[1])}
    environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    subprocess.run(
        [sys.executable, "-c", _COLLECT, str(found), *arguments], env=environ, check=True, stdout=subprocess.DEVNULL
    )
    checks = [
        Check(id=name, exercise=exercise, points=Decimal(points), needs=tuple(needs), bonus=bonus)
        for name, exercise, points, needs, bonus in json.loads(found.read_text())
    ]
    return list(run_order(course_of(checks).checks))


def make(
    course: Course,
    checks: Sequence[Check],
    folder: Path,
    *,
    size: int,
    seed: int,
    order: int = 0,
    exercises: Sequence[str] = (),
    most: int = 3,
) -> dict[str, Expected]:
    """Make a class.

    Args:
        checks: of the course, each after those that it needs.
        folder: gets a folder for each student.
        size: students.
        seed: decides what they hand in.
        order: decides their names, and so who is graded first.
        exercises: that are handed in by anybody; by default all.
        most: of them that one hands in.

    Returns:
        student → what it must get.
    """
    drawn, names = random.Random(seed), [f"s{number:03}" for number in range(size)]
    random.Random(order).shuffle(names)
    chosen = exercises or list(dict.fromkeys(check.exercise for check in checks))
    return {
        name: _student(course, checks, folder / name, sorted(drawn.sample(chosen, min(most, len(chosen)))), drawn)
        for name in names
    }


def _student(
    course: Course, checks: Sequence[Check], folder: Path, handed: list[str], drawn: random.Random
) -> Expected:
    folder.mkdir(parents=True)
    failing: set[str] = set()
    what: dict[str, str] = {}
    known = True
    for exercise in dict.fromkeys(check.exercise for check in checks):
        kind = drawn.choices(list(_KINDS), list(_KINDS.values()))[0] if exercise in handed else "missing"
        own = folder / exercise
        variants = sorted(path for path in (course.folder / kind / exercise).glob("*") if path.is_dir())
        if kind in ("near", "wrong") and not variants:
            kind = "right"
        what[exercise] = kind
        if kind == "missing":
            failing |= {check.id for check in checks if check.exercise == exercise}
            known = False
            continue
        if kind == "harm":
            name = drawn.choice(list(HARM))
            own.mkdir()
            HARM[name](own, next(iter(own_bases(course.dockerfiles / exercise)), "alpine"))
            what[exercise] = f"harm {name}"
            failing |= {check.id for check in checks if check.exercise == exercise}
            known = False
            continue
        shutil.copytree(course.dockerfiles / exercise, own, symlinks=True)
        if kind in ("near", "wrong"):
            variant = drawn.choice(variants)
            shutil.copytree(variant, own, dirs_exist_ok=True, symlinks=True)
            what[exercise] = f"{kind} {variant.name}"
            if kind == "wrong":
                failing.add(f"{exercise}/{variant.name}")
    passed: set[str] = set()
    points = Decimal(0)
    for check in checks:
        if check.id not in failing and set(check.needs) <= passed:
            passed.add(check.id)
            points += check.points
    failed = frozenset(check.id for check in checks if check.id in failing and set(check.needs) <= passed)
    return Expected(points=points, failed=failed if known else None, what=what)


def differences(out: Path, expected: Mapping[str, Expected]) -> list[str]:
    """What a folder of results has that it must not have, or lacks; a line each."""
    found: list[str] = []
    for student, wanted in expected.items():
        try:
            result = json.loads((out / f"{student}.json").read_text("utf-8"))
        except (OSError, ValueError) as error:
            found.append(f"{student}: no result: {error}")
            continue
        what = ", ".join(f"{exercise}: {kind}" for exercise, kind in wanted.what.items() if kind != "right")
        failed = {check["id"] for check in result["checks"] if check["outcome"] == "failed"}
        if result["outcome"] != "graded":
            found.append(f"{student} ({what}): {result['outcome']}: {result['reason']}")
        elif Decimal(str(result["points"])) != wanted.points:
            found.append(f"{student} ({what}): {result['points']} points, not {wanted.points}")
        elif wanted.failed is not None and failed != wanted.failed:
            found.append(f"{student} ({what}): fails {sorted(failed)}, not {sorted(wanted.failed)}")
    names = {path.stem for path in out.glob("*.json") if not path.name.startswith(".")}
    found += [f"{name}: a result of nobody" for name in sorted(names - set(expected))]
    return found
