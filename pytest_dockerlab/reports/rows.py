"""What a reader may see of a graded submission: one row a check, the hidden ones folded into one.

Every format starts from these rows, so that their points add up to the same in each, and every text in
them is harmless to show (``exercises/shown.py``), wherever it came from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from pytest_dockerlab.exercises.model import CheckScore, Graded, Language, Outcome, Visibility, pick
from pytest_dockerlab.exercises.points import ZERO
from pytest_dockerlab.exercises.shown import shown, shown_finding
from pytest_dockerlab.findings import PARTS, Finding
from pytest_dockerlab.reports.words import word

__all__ = ["Row", "View", "rows_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """For whom a report is.

    Attributes:
        lang: of its words.
        everything: hidden checks are shown like the others; for instructors.
        released: the due date is over, what waited for it is shown.
    """

    lang: Language = "en"
    everything: bool = False
    released: bool = False

    def shows(self, visibility: Visibility) -> bool:
        """Whether checks of this visibility have a row of their own."""
        return self.everything or visibility == "visible" or (visibility == "after_due_date" and self.released)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of a report.

    Attributes:
        max_points: that it adds to the sum; none for a bonus.
        worth: what it is worth by itself, a bonus, too.
        message: why it did not pass, complete, as plain text; ``""`` where it passed.
        findings: the same taken apart, where it is.
        foreign: not all of it is in the reader's language.
    """

    id: str
    exercise: str
    title: str
    outcome: Outcome
    points: Decimal
    max_points: Decimal
    worth: Decimal
    bonus: bool = False
    visibility: Visibility = "visible"
    message: str = ""
    findings: tuple[Finding, ...] = ()
    foreign: bool = False
    hint: str = ""
    output: str = ""
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """Message and hint."""
        return "\n".join(part for part in (self.message, f"→ {self.hint}" if self.hint else "") if part)


def rows_of(graded: Graded, view: View) -> tuple[Row, ...]:
    """The rows, in the course's order; the folded one is the last. Their points add up to the submission's."""
    own = [_row(check, graded, view) for check in graded.checks if view.shows(check.visibility)]
    folded = [check for check in graded.checks if not view.shows(check.visibility)]
    if folded:
        own.append(_fold(folded, view))
    return tuple(own)


def _row(check: CheckScore, graded: Graded, view: View) -> Row:
    message = ""
    findings: tuple[Finding, ...] = ()
    foreign = False
    if check.outcome == "blocked":
        message = word("blocked", view.lang, names=word("comma", view.lang).join(_names(check, graded, view)))
    elif check.outcome == "not_gradable":
        message = word("not_judged", view.lang)
        if view.everything:  # the reason is of no use to a student, and may name machines
            message += f"\n{shown(check.message, keep='start')}"
    elif check.outcome == "failed":
        findings = tuple(shown_finding(finding.in_language(view.lang)) for finding in check.findings)
        known = [view.lang in finding.translations for finding in check.findings]
        foreign = view.lang != "en" and not (known and all(known))
        told = "\n".join(_plain(finding, view.lang) for finding in findings)
        message = told or shown(check.message, keep="start")
    failed = check.outcome == "failed"
    return Row(
        id=check.id,
        exercise=check.exercise,
        title=_line(pick(check.title, view.lang)) or check.id,
        outcome=check.outcome,
        points=check.points,
        max_points=ZERO if check.bonus else check.max_points,
        worth=check.max_points,
        bonus=check.bonus,
        visibility=check.visibility,
        message=message,
        findings=findings,
        foreign=foreign,
        hint=shown(pick(check.hint, view.lang), keep="start") if failed else "",
        output=shown(check.output) if failed else "",
        seconds=check.seconds,
    )


def _fold(checks: list[CheckScore], view: View) -> Row:
    outcomes = {check.outcome for check in checks if not check.bonus} or {check.outcome for check in checks}
    outcome: Outcome = "failed"
    if "not_gradable" in outcomes:
        outcome = "not_gradable"
    elif outcomes == {"passed"}:
        outcome = "passed"
    return Row(
        id="hidden",
        exercise="hidden",
        title=word("hidden", view.lang, count=len(checks)),
        outcome=outcome,
        points=sum((check.points for check in checks), ZERO),
        max_points=sum((check.max_points for check in checks if not check.bonus), ZERO),
        worth=sum((check.max_points for check in checks), ZERO),
        visibility="hidden",
        message="" if outcome == "passed" else word("hidden_why", view.lang),
        seconds=sum(check.seconds for check in checks),
    )


def _names(check: CheckScore, graded: Graded, view: View) -> list[str]:
    known = {each.id: each for each in graded.checks}
    names = []
    for blocker in check.blocked_by:
        other = known.get(blocker)
        hidden = other is not None and not view.shows(other.visibility)
        names.append(
            word("a_hidden", view.lang) if hidden else _line(pick(other.title, view.lang)) if other else blocker
        )
    return list(dict.fromkeys(name or blocker for name, blocker in zip(names, check.blocked_by, strict=True)))


def _plain(finding: Finding, lang: Language) -> str:
    parts = [(word(part, lang), getattr(finding, part).replace("\n", "\n    ")) for part in PARTS[1:]]
    return "\n".join([finding.what, *(f"  {label}: {value}" for label, value in parts if value)])


def _line(text: str) -> str:
    return " ".join(shown(text, keep="start").split())


def shorter(row: Row, size: int) -> Row:
    """The same row with texts of at most about ``size`` bytes."""
    if not size:
        return replace(row, message="", findings=(), hint="", output="")
    return replace(
        row,
        message=shown(row.message, max_bytes=size, keep="start"),
        hint=shown(row.hint, max_bytes=size, keep="start"),
        output=shown(row.output, max_bytes=size),
    )
