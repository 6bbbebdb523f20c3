"""PrairieLearn's ``/grade/results/results.json``.

Format: PrairieLearn's documentation, "External grading".
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
    """JSON's text. ``gradable: false`` uses no attempt of the student's up.

    ``score`` goes from 0 to 1, so that a bonus can't lift it above; the points of the tests have it all.
    """
    rows = rows_of(graded, view)
    return fitted(lambda size: json.dumps(_document(graded, rows, view, size), ensure_ascii=False, indent=1), _LIMIT)


def _document(graded: Graded, rows: tuple[Row, ...], view: View, size: int) -> dict[str, Any]:
    if graded.outcome != "graded":
        message = word("not_gradable", view.lang)
        return {"gradable": False, "score": 0.0, "message": message, "format_errors": [message]}
    if graded.max_points:
        score = min(1.0, float(graded.points / graded.max_points))
    else:
        score = 1.0 if all(row.outcome == "passed" for row in rows) else 0.0
    return {
        "gradable": True,
        "score": score,
        "message": word("points", view.lang, points=number(graded.points), most=number(graded.max_points)),
        # One test without points would switch the points of all off.
        "tests": [
            {
                "name": row.title,
                "description": row.id,
                "points": number(row.points),
                "max_points": number(row.max_points),
                "message": short.text,
                "output": short.output,
            }
            for row in rows
            for short in [shorter(row, size)]
        ],
    }
