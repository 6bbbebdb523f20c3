"""A graded submission as JSON, and back: what a batch keeps on disk (``reports/result.schema.json``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.exercises.model import CheckScore, Graded, Language, Origin, Outcome, Text, Visibility, pick
from pytest_dockerlab.exercises.points import MOST, number, to_points
from pytest_dockerlab.findings import PARTS, Finding

__all__ = ["VERSION", "from_record", "to_record"]

VERSION = 1
_MOST = 10_000 * MOST
_ORIGIN = ("submission", "course", "version")


def to_record(graded: Graded, *, lang: Language = "en") -> dict[str, Any]:
    """As JSON's values. But for the seconds nothing in it depends on when or where it was made.

    Args:
        lang: of ``title`` and ``hint``; all languages are in ``titles`` and ``hints``.
    """
    return {
        "version": VERSION,
        "student": graded.student,
        "outcome": graded.outcome,
        "points": number(graded.points),
        "max_points": number(graded.max_points),
        "reason": graded.reason,
        **({"origin": {name: getattr(graded.origin, name) for name in _ORIGIN}} if graded.origin else {}),
        "exercises": [{"id": name, "title": dict(title)} for name, title in graded.exercises.items()],
        "checks": [_check(check, lang) for check in graded.checks],
    }


def _check(check: CheckScore, lang: Language) -> dict[str, Any]:
    return {
        "id": check.id,
        "exercise": check.exercise,
        "outcome": check.outcome,
        "points": number(check.points),
        "max_points": number(check.max_points),
        "bonus": check.bonus,
        "visibility": check.visibility,
        "title": pick(check.title, lang),
        "message": check.message,
        "findings": [_from_finding(finding) for finding in check.findings],
        # Who passed needs none.
        "hint": pick(check.hint, lang) if check.outcome == "failed" else "",
        "titles": dict(check.title),
        "hints": dict(check.hint),
        "output": check.output,
        "blocked_by": list(check.blocked_by),
        "seconds": round(check.seconds, 3),
    }


def _from_finding(finding: Finding) -> dict[str, Any]:
    own: dict[str, Any] = {name: text for name in PARTS if (text := getattr(finding, name))}
    others = {lang: _from_finding(other) for lang, other in finding.translations.items()}
    return {**own, "translations": others} if others else own


def from_record(data: object) -> Graded:
    """Read it again.

    Raises:
        FormatError: not such a record, of another version, or one whose points don't add up.
    """
    try:
        graded = _graded(cast("Mapping[str, Any]", data))
    except (KeyError, TypeError, AttributeError, ValueError, UsageError) as error:
        reason = error.what if isinstance(error, UsageError) else f"{type(error).__name__}: {error}"
        raise FormatError(f"not a graded submission: {reason}", remedy="grade the submission again") from error
    reached = sum(check.points for check in graded.checks)
    if reached != graded.points:
        raise FormatError(
            f"the result of {graded.student!r} says {graded.points} points, its checks have {reached}",
            remedy="grade the submission again",
        )
    return graded


def _graded(data: Mapping[str, Any]) -> Graded:
    if data["version"] != VERSION:
        raise ValueError(f"version {data['version']!r}, not {VERSION}")
    outcome = data["outcome"]
    if outcome not in ("graded", "not_gradable"):
        raise ValueError(f"outcome {outcome!r}")
    return Graded(
        student=_text(data["student"]),
        outcome=outcome,
        points=to_points(data["points"], most=_MOST),
        max_points=to_points(data["max_points"], most=_MOST),
        reason=_text(data["reason"]),
        exercises={_text(each["id"]): _texts(each["title"]) for each in data["exercises"]},
        checks=tuple(_score(each) for each in data["checks"]),
        origin=Origin(**{name: _text(data["origin"][name]) for name in _ORIGIN}) if "origin" in data else None,
    )


def _score(data: Mapping[str, Any]) -> CheckScore:
    if data["outcome"] not in get_args(Outcome) or data["visibility"] not in get_args(Visibility):
        raise ValueError(f"outcome {data['outcome']!r}, visibility {data['visibility']!r}")
    return CheckScore(
        id=_text(data["id"]),
        exercise=_text(data["exercise"]),
        outcome=data["outcome"],
        points=to_points(data["points"]),
        max_points=to_points(data["max_points"]),
        bonus=bool(data["bonus"]),
        visibility=data["visibility"],
        title=_texts(data["titles"]),
        message=_text(data["message"]),
        findings=tuple(_finding(each) for each in data["findings"]),
        hint=_texts(data["hints"]),
        output=_text(data["output"]),
        blocked_by=tuple(_text(each) for each in data["blocked_by"]),
        seconds=float(data["seconds"]),
    )


def _finding(data: Mapping[str, Any], *, translated: bool = False) -> Finding:
    others = {} if translated else data.get("translations", {})
    return Finding(
        **{name: _text(data.get(name, "")) for name in PARTS},
        translations={_text(lang): _finding(other, translated=True) for lang, other in others.items()},
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"not text: {value!r}")
    return value


def _texts(value: Mapping[str, object]) -> Text:
    return {_text(lang): _text(text) for lang, text in value.items()}
