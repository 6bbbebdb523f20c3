"""What an exercise asks, what a run found, and what that is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from pytest_dockerlab.exercises.points import ZERO
from pytest_dockerlab.findings import Finding

__all__ = [
    "LANGUAGES",
    "Check",
    "CheckScore",
    "Course",
    "Exercise",
    "Graded",
    "Language",
    "Origin",
    "Outcome",
    "Result",
    "Text",
    "Visibility",
    "pick",
]

Language = Literal["en", "ja"]
LANGUAGES: tuple[Language, ...] = ("en", "ja")
Text = Mapping[str, str]
"""Language → text; an absent language falls back to English, then to any (``pick``)."""

Visibility = Literal["visible", "after_due_date", "hidden"]
Outcome = Literal["passed", "failed", "blocked", "not_gradable"]


def pick(text: Text, lang: str) -> str:
    """The text in this language, or in English, or in the first there is; ``""`` if there is none."""
    return text.get(lang) or text.get("en") or next(iter(text.values()), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that an exercise asks for, worth points of its own.

    Attributes:
        id: ``exercise/name``, unique in the course.
        exercise: id of the exercise.
        title: what is asked, for students.
        points: worth; 0 for a check that others only need.
        needs: ids of checks that have to pass first.
        hint: what to try when it fails.
        visibility: ``visible``, ``after_due_date`` or ``hidden`` to students.
        bonus: its points are added to what was reached, not to what can be reached.
        test: the test that carries it out, for messages.
    """

    id: str
    exercise: str
    title: Text = field(default_factory=dict)
    points: Decimal = Decimal(1)
    needs: tuple[str, ...] = ()
    hint: Text = field(default_factory=dict)
    visibility: Visibility = "visible"
    bonus: bool = False
    test: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exercise:
    """One exercise: a folder of the submission, and the checks on it, in order."""

    id: str
    title: Text = field(default_factory=dict)
    checks: tuple[Check, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The exercises of a run, in order. Made by ``graph.course_of``, which holds that they fit together."""

    exercises: tuple[Exercise, ...] = ()

    @property
    def checks(self) -> Iterator[Check]:
        """All of them, exercise by exercise."""
        for exercise in self.exercises:
            yield from exercise.checks

    @property
    def max_points(self) -> Decimal:
        """What can be reached, bonus left out: a matter of the course alone, never of how a run went."""
        return sum((check.points for check in self.checks if not check.bonus), ZERO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What carrying out one check gave, before anything is counted.

    Attributes:
        check: its id.
        outcome: ``not_gradable`` is never the student's fault (``faults.fault_of``).
        message: why it did not pass, complete; ``""`` where it passed.
        findings: the same taken apart: what was expected, what is there.
        output: the end of what the student's build or container printed.
        seconds: that it took.
    """

    check: str
    outcome: Literal["passed", "failed", "not_gradable"]
    message: str = ""
    findings: tuple[Finding, ...] = ()
    output: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckScore:
    """One check of one submission, counted.

    Attributes:
        points: reached: all of ``max_points`` or none; several checks make partial credit.
        blocked_by: the failed checks (ids) that kept it from being carried out.
    """

    id: str
    exercise: str
    outcome: Outcome
    points: Decimal
    max_points: Decimal
    title: Text = field(default_factory=dict)
    hint: Text = field(default_factory=dict)
    visibility: Visibility = "visible"
    bonus: bool = False
    message: str = ""
    findings: tuple[Finding, ...] = ()
    output: str = ""
    blocked_by: tuple[str, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a result was made from; where any of it differs, the result says nothing.

    Attributes:
        submission: digest of what was handed in.
        course: digest of the checks, the solutions and the policy.
        version: of this package.
    """

    submission: str
    course: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """One submission, counted.

    Attributes:
        student: name of the submission's folder.
        outcome: ``not_gradable`` if any check is, or if nothing could be carried out: then ``points`` are what is
            known so far, nothing is lost, and it is to be graded again.
        points: reached, bonus included; may be more than ``max_points``.
        max_points: the course's.
        checks: in the course's order.
        reason: why it is not gradable, for the instructor.
        exercises: id → title.
        origin: what it was made from, where a batch made it.
    """

    student: str
    outcome: Literal["graded", "not_gradable"]
    points: Decimal
    max_points: Decimal
    checks: tuple[CheckScore, ...] = ()
    reason: str = ""
    exercises: Mapping[str, Text] = field(default_factory=dict)
    origin: Origin | None = None

    @property
    def seconds(self) -> float:
        """That all its checks took."""
        return sum(check.seconds for check in self.checks)
