"""Results → points. What a check is worth never depends on how the run went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.graph import run_order
from pytest_dockerlab.exercises.model import Check, CheckScore, Course, Graded, Outcome, Result
from pytest_dockerlab.exercises.points import ZERO
from pytest_dockerlab.exercises.shown import shown, shown_finding

__all__ = ["NOT_CARRIED_OUT", "held_back", "score"]

NOT_CARRIED_OUT = "the check was not carried out"


def held_back(check: Check, outcomes: Mapping[str, Outcome]) -> Outcome | None:
    """What a check is without being carried out, given what it needs; ``None``: carry it out.

    A failed need decides over one that is not gradable: whatever a rerun finds there, this check can't pass.

    Args:
        outcomes: of the checks before it, by id; one that is not in it has not run.
    """
    of_needs = [outcomes.get(need, "not_gradable") for need in check.needs]
    if any(outcome in ("failed", "blocked") for outcome in of_needs):
        return "blocked"
    return "not_gradable" if "not_gradable" in of_needs else None


def score(course: Course, results: Iterable[Result], *, student: str, reason: str = "") -> Graded:
    """Count the results of one submission.

    Args:
        student: name of the submission's folder; it and all texts of the results are made harmless to show.
        results: at most one for each check, in any order. A check without one is blocked if what it needs
            failed, and otherwise not gradable.
        reason: why the whole submission is not gradable (the engine did not start); ``""`` lets the checks decide.

    Raises:
        UsageError: a result of no check of the course, or two of one check.
    """
    found: dict[str, Result] = {}
    known = {check.id for check in course.checks}
    for result in results:
        if result.check not in known:
            raise UsageError(f"a result of {result.check!r}, which is no check of the course", remedy="grade it again")
        if result.check in found:
            raise UsageError(f"two results of the check {result.check}", remedy="give each check one result")
        found[result.check] = result
    outcomes: dict[str, Outcome] = {}
    roots: dict[str, tuple[str, ...]] = {}
    for check in run_order(course.checks):
        own = found.get(check.id)
        outcome: Outcome = held_back(check, outcomes) or (own.outcome if own else "not_gradable")
        outcomes[check.id] = outcome
        if outcome == "failed":
            roots[check.id] = (check.id,)
        elif outcome == "blocked":
            roots[check.id] = tuple(dict.fromkeys(root for need in check.needs for root in roots.get(need, ())))
    checks = tuple(_counted(check, outcomes[check.id], found.get(check.id), roots) for check in course.checks)
    ungraded = [check for check in checks if check.outcome == "not_gradable"]
    if ungraded and not reason:
        first = next((check for check in ungraded if check.message != NOT_CARRIED_OUT), ungraded[0])
        reason = f"{first.id}: {first.message or NOT_CARRIED_OUT}"
    return Graded(
        student=" ".join(shown(student, keep="start").split()) or "?",
        outcome="not_gradable" if reason else "graded",
        points=sum((check.points for check in checks), ZERO),
        max_points=course.max_points,
        checks=checks,
        reason=shown(reason, keep="start"),
        exercises={exercise.id: exercise.title for exercise in course.exercises},
    )


def _counted(check: Check, outcome: Outcome, result: Result | None, roots: Mapping[str, tuple[str, ...]]) -> CheckScore:
    # What a blocked check found (a runner may have carried it out all the same) explains nothing.
    told = result if result is not None and result.outcome == outcome else None
    # The one door that all texts of a run come through.
    message = shown(told.message, keep="start") if told else ""
    if outcome == "blocked":
        message = f"not carried out, as it needs: {', '.join(roots[check.id])}"
    elif outcome != "passed":
        message = message or ("the check failed" if outcome == "failed" else NOT_CARRIED_OUT)
    return CheckScore(
        id=check.id,
        exercise=check.exercise,
        outcome=outcome,
        points=check.points if outcome == "passed" else ZERO,
        max_points=check.points,
        title=check.title,
        hint=check.hint,
        visibility=check.visibility,
        bonus=check.bonus,
        message=message,
        findings=tuple(map(shown_finding, told.findings)) if told else (),
        output=shown(told.output) if told else "",
        blocked_by=roots[check.id] if outcome == "blocked" else (),
        seconds=result.seconds if result else 0.0,
    )
