"""The formats by name, and how a report is asked for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.record import to_record
from pytest_dockerlab.reports import classroom, exercism, gradescope, junit, markdown, prairielearn, tables
from pytest_dockerlab.reports.rows import View

__all__ = ["FORMATS", "Format", "render"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One format.

    Attributes:
        suffix: of a file of it.
        for_instructors: it shows hidden checks unless told otherwise.
        one: renders one submission, ``None`` for a format of a class.
        many: renders a class, ``None`` for a format of one submission.
    """

    suffix: str
    for_instructors: bool = False
    one: Callable[[Graded, View], str] | None = None
    many: Callable[[Sequence[Graded], View], str] | None = None


def _json(graded: Graded, view: View) -> str:
    return json.dumps(to_record(graded, lang=view.lang), ensure_ascii=False, indent=1) + "\n"


FORMATS: Mapping[str, Format] = {
    "json": Format(suffix=".json", for_instructors=True, one=_json),
    "markdown": Format(suffix=".md", one=markdown.render),
    "gradescope": Format(suffix=".gradescope.json", one=gradescope.render),
    "classroom": Format(suffix=".classroom.txt", one=classroom.render),
    "exercism": Format(suffix=".exercism.json", one=exercism.render),
    "prairielearn": Format(suffix=".prairielearn.json", one=prairielearn.render),
    "junit": Format(suffix=".xml", for_instructors=True, many=junit.render),
    "csv": Format(suffix=".csv", for_instructors=True, many=tables.render_csv),
    "terminal": Format(suffix=".txt", for_instructors=True, many=tables.render_terminal),
}


def render(name: str, submissions: Graded | Sequence[Graded], view: View | None = None) -> str:
    """Render one submission, or a class, in this format.

    Args:
        view: for whom; by default in English, hidden checks shown where the format is the instructor's.

    Raises:
        UsageError: no such format, or a class in a format of one submission.
    """
    known = FORMATS.get(name)
    if known is None:
        raise UsageError(f"no such format: {name!r}", remedy=f"one of {', '.join(FORMATS)}")
    view = view or View(everything=known.for_instructors)
    given = (submissions,) if isinstance(submissions, Graded) else tuple(submissions)
    if known.many is not None:
        return known.many(given, view)
    if known.one is None or len(given) != 1:
        raise UsageError(f"{name} is a report of one submission, not of {len(given)}", remedy="render each by itself")
    return known.one(given[0], view)
