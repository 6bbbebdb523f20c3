"""Gradescope's ``/autograder/results/results.json``.

Format: gradescope-autograders.readthedocs.io, "Autograder specifications".
"""

from __future__ import annotations

import json
from typing import Any

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.points import number
from pytest_dockerlab.reports.rows import Row, View, rows_of, shorter
from pytest_dockerlab.reports.sizes import fitted
from pytest_dockerlab.reports.words import word

__all__ = ["render"]

_LIMIT = 1_000_000


def render(graded: Graded, view: View) -> str:
    """JSON's text. Checks keep their visibility: hiding is Gradescope's, and it hides the sum with them.

    A submission that is not gradable carries no score at all: Gradescope takes that for a fault of the
    autograder, not of the student.
    """
    # A text must not name a check that is less visible than its own, so each is worded for its readers.
    told: dict[str, Row] = {}
    for reader in (View(lang=view.lang), View(lang=view.lang, released=True)):
        told = {row.id: row for row in rows_of(graded, reader)} | told
    rows = tuple(told.get(row.id, row) for row in rows_of(graded, View(lang=view.lang, everything=True)))
    return fitted(lambda size: json.dumps(_document(graded, rows, view, size), ensure_ascii=False, indent=1), _LIMIT)


def _document(graded: Graded, rows: tuple[Row, ...], view: View, size: int) -> dict[str, Any]:
    judged = graded.outcome == "graded"
    document: dict[str, Any] = {
        "execution_time": round(graded.seconds, 3),
        "output": "" if judged else word("not_gradable", view.lang),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        # What the grader prints may tell of hidden checks.
        "stdout_visibility": "hidden",
        "tests": [
            _test(each, index, judged, view) for index, each in enumerate(rows, 1) for each in [shorter(each, size)]
        ],
        "extra_data": {"outcome": graded.outcome},
    }
    if judged:
        document = {"score": number(graded.points), **document}
    return document


def _test(row: Row, index: int, judged: bool, view: View) -> dict[str, Any]:
    name = f"{row.title} ({word('bonus', view.lang)})" if row.bonus else row.title
    test: dict[str, Any] = {
        "name": name,
        "number": str(index),
        "output": "\n\n".join(part for part in (row.text, row.output) if part),
        "visibility": row.visibility,
        "tags": [row.exercise],
        "extra_data": {"id": row.id, "outcome": row.outcome},
    }
    if judged:
        # Without a status a bonus of 0 out of 0 would count as passed.
        status = "passed" if row.outcome == "passed" else "failed"
        test = {"score": number(row.points), "max_score": number(row.max_points), "status": status, **test}
    return test
