"""Whether a course's checks find what they are made to find: solutions, an empty submission, wrong and near ones.

Exercises have nothing to do with each other, so one submission may make a claim about each: there are as many to grade
as the exercise with the most claims has, and not as many as there are claims.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Literal

from pytest_dockerlab.exercises.model import CheckScore
from pytest_dockerlab.exercises.points import ZERO, show
from pytest_dockerlab.grade.course import Course

__all__ = ["Claim", "claims_of", "lay_out", "needs_others", "problems", "rounds", "strays", "table"]

Checks = Sequence[CheckScore]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """One thing that a course says about the checks of one exercise.

    Attributes:
        kind: ``reference`` gets all points, ``empty`` none, ``wrong`` fails one check, ``near`` none.
        variant: name of its folder: for ``wrong`` that of the check.
        folder: with what differs from the solution.
    """

    kind: Literal["reference", "empty", "wrong", "near"]
    exercise: str
    variant: str = ""
    folder: Path | None = None

    def __str__(self) -> str:
        return "/".join(part for part in (self.kind, self.exercise, self.variant) if part)


def claims_of(course: Course, exercises: Iterable[str]) -> list[Claim]:
    """All claims about these exercises."""
    found: list[Claim] = []
    for exercise in exercises:
        found += [Claim(kind="reference", exercise=exercise), Claim(kind="empty", exercise=exercise)]
        for kind in ("wrong", "near"):
            found += [
                Claim(kind=kind, exercise=exercise, variant=path.name, folder=path)
                for path in _folders(course.folder / kind / exercise)
            ]
    return found


def strays(course: Course, exercises: Iterable[str]) -> list[str]:
    """Folders of variants that belong to no exercise, a line each."""
    known = set(exercises)
    return [
        f"{kind}/{path.name}: no check is of an exercise {path.name}"
        for kind in ("wrong", "near")
        for path in _folders(course.folder / kind)
        if path.name not in known
    ]


def rounds(claims: Iterable[Claim]) -> list[list[Claim]]:
    """Claims that one submission can make together: one of each exercise."""
    own: dict[str, list[Claim]] = {}
    for claim in claims:
        own.setdefault(claim.exercise, []).append(claim)
    return [[claim for claim in each if claim is not None] for each in zip_longest(*own.values())]


def lay_out(claims: Iterable[Claim], dockerfiles: Path, target: Path, *, others: Iterable[str] = ()) -> None:
    """Make the submission that makes these claims.

    Args:
        dockerfiles: the solutions.
        target: a folder that is not there yet.
        others: exercises of which the solution is handed in.
    """
    target.mkdir()
    for exercise in others:
        _solution(dockerfiles / exercise, target / exercise)
    for claim in claims:
        if claim.kind == "empty":
            (target / claim.exercise).mkdir()
            continue
        _solution(dockerfiles / claim.exercise, target / claim.exercise)
        if claim.folder is not None:
            shutil.copytree(claim.folder, target / claim.exercise, dirs_exist_ok=True)


def needs_others(claim: Claim, checks: Checks) -> bool:
    """Whether what was found rests on what else was handed in, or was not: then it is to be graded for itself."""
    elsewhere = any(need.partition("/")[0] != claim.exercise for check in checks for need in check.blocked_by)
    return any(check.outcome == "not_gradable" for check in checks) or (elsewhere and claim.kind != "empty")


def problems(graded: Mapping[Claim, Checks]) -> dict[str, list[str]]:
    """What does not hold, a line each, by exercise; nothing for one of which all holds.

    Args:
        graded: the checks of each claim's exercise.
    """
    found: dict[str, list[str]] = {}
    proven = {f"{claim.exercise}/{claim.variant}" for claim in graded if claim.kind == "wrong"}
    for claim, checks in graded.items():
        lines = list(_problems(claim, checks))
        if claim.kind == "reference":
            lines += [
                f"{check.id}: no wrong submission proves that it can fail: make the folder wrong/{check.id}"
                for check in checks
                if check.id not in proven
            ]
        if lines:
            found.setdefault(claim.exercise, []).extend(lines)
    return found


def table(graded: Mapping[Claim, Checks], found: Mapping[str, object]) -> str:
    """For people: an exercise a line, with what proves its checks.

    Args:
        found: by exercise, what does not hold.
    """
    rows = [("exercise", "checks", "points", "wrong", "near", "")]
    for claim, checks in graded.items():
        if claim.kind == "reference":
            points = show(sum((check.max_points for check in checks), ZERO))
            own = [each.kind for each in graded if each.exercise == claim.exercise]
            counts = (str(len(checks)), points, str(own.count("wrong")), str(own.count("near")))
            rows.append((claim.exercise, *counts, "✗" if claim.exercise in found else "✓"))
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    lines = []
    for first, *cells in rows:
        right = [cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True)]
        lines.append("  ".join([first.ljust(widths[0]), *right]).rstrip())
    return "".join(f"{line}\n" for line in lines)


def _problems(claim: Claim, checks: Checks) -> Iterator[str]:
    for check in checks:
        if check.outcome == "not_gradable":
            yield f"{claim}: {check.id} is not gradable: {(check.message.splitlines() or [''])[0]}"
    failed = [check.id for check in checks if check.outcome == "failed"]
    if claim.kind in ("reference", "near"):
        yield from (f"{claim}: {check.id} fails: {check.message}" for check in checks if check.outcome == "failed")
        yield from (f"{claim}: {check.id} is blocked" for check in checks if check.outcome == "blocked" and not failed)
    elif claim.kind == "empty":
        yield from (f"{claim}: passes {check.id}" for check in checks if check.outcome == "passed" and check.points)
    else:
        meant = f"{claim.exercise}/{claim.variant}"
        if meant not in [check.id for check in checks]:
            yield f"{claim}: there is no check {meant}"
        elif failed != [meant] and not any(check.outcome == "not_gradable" for check in checks):
            yield f"{claim}: fails {', '.join(failed) or 'nothing'}, and not {meant} alone"


def _folders(place: Path) -> list[Path]:
    return sorted(path for path in place.glob("*") if path.is_dir())


def _solution(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True)
