"""A course's own proof, carried out: the claims about its checks graded, as many as possible in one submission."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.model import CheckScore, Graded
from pytest_dockerlab.grade.batch import Batch, Job, grade
from pytest_dockerlab.grade.selftest import Claim, claims_of, lay_out, needs_others, rounds

__all__ = ["chosen", "prove"]

Proof = Mapping[Claim, Sequence[CheckScore]]


def chosen(known: Graded, only: Sequence[str]) -> tuple[str, ...]:
    """The exercises to look at, in the course's order.

    Args:
        known: the course.
        only: some of them; empty for all.

    Raises:
        UsageError: one of ``only`` is none.
    """
    for name in only:
        if name not in known.exercises:
            there = ", ".join(known.exercises)
            raise UsageError(f"the course has no exercise {name!r}", remedy=f"--only takes some of {there}")
    return tuple(name for name in known.exercises if not only or name in only)


def prove(batch: Batch, exercises: Sequence[str], *, every: Iterable[str]) -> Proof:
    """Grade every claim about these exercises.

    Args:
        batch: its course is the instructor's own: what it builds is shared, and has no limits.
        every: all exercises of the course, whose solutions a claim may rest on.

    Returns:
        claim → the checks of its exercise, in the order of the claims.
    """
    batch = replace(batch, course=replace(batch.course, trusted=True))
    claims = claims_of(batch.course, exercises)
    with tempfile.TemporaryDirectory(prefix="course-", dir=batch.scratch) as place:
        folder = Path(place)
        found = _graded(batch, {f"round-{at}": each for at, each in enumerate(rounds(claims), 1)}, (), folder)
        alone = [claim for claim in claims if needs_others(claim, found[claim])]
        if alone:
            # Somebody's fault in a round is not to be told of the others in it.
            found |= _graded(batch, {f"alone-{at}": [claim] for at, claim in enumerate(alone, 1)}, tuple(every), folder)
    return {claim: found[claim] for claim in claims}


def _graded(
    batch: Batch, submissions: Mapping[str, Sequence[Claim]], others: Sequence[str], folder: Path
) -> dict[Claim, Sequence[CheckScore]]:
    jobs = []
    for name, claims in submissions.items():
        own = {claim.exercise for claim in claims}
        lay_out(claims, batch.course.dockerfiles, folder / name, others=[each for each in others if each not in own])
        jobs.append(Job(student=name, folder=folder / name, result=folder / f"{name}.json"))
    done = grade(batch, jobs)
    return {
        claim: tuple(check for check in done[name].checks if check.exercise == claim.exercise)
        for name, claims in submissions.items()
        for claim in claims
    }
