"""GitHub Classroom's grader result: base64 of JSON, the step output ``result`` of an autograding workflow.

Format: classroom-resources/autograding-command-grader (what writes it) and autograding-grading-reporter
(what reads it). The reporter tells the course Σ ``score``, but its table on the console shows
passed ÷ tests × ``max_score``: the two agree where each runner has one check (``render_runners``).
"""

from __future__ import annotations

import base64
import json
import re
from typing import Any

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.points import ZERO, number
from pytest_dockerlab.reports.rows import Row, View, rows_of, shorter
from pytest_dockerlab.reports.sizes import fitted
from pytest_dockerlab.reports.words import word

__all__ = ["render", "render_runners"]

# A step's output is handed on as an environment variable; Linux takes 128 KiB for one.
_LIMIT = 90_000


def render(graded: Graded, view: View) -> str:
    """One runner's result for the whole submission."""
    return _encoded(rows_of(graded, view), graded, view)


def render_runners(graded: Graded, view: View) -> dict[str, str]:
    """Runner → result, one runner a check, so that the reporter's table and its sum agree.

    The reporter leaves out runners that are worth nothing, and a bonus is worth nothing in ``max_score``:
    one that was reached is added to the first runner that counts. Names are letters and digits only, as
    the reporter wants them.
    """
    if graded.outcome != "graded":
        return {"grading": render(graded, view)}
    rows = rows_of(graded, view)
    counted = [[row] for row in rows if row.max_points]
    reached = [row for row in rows if not row.max_points and row.points]
    if not counted:
        return {"grading": render(graded, view)}
    counted[0].extend(reached)
    runners: dict[str, str] = {}
    for index, group in enumerate(counted, 1):
        name = re.sub(r"[^A-Za-z0-9]", "", group[0].id)
        taken = {each.lower() for each in runners}
        runners[name if name and name.lower() not in taken else f"{name}{index}"] = _encoded(tuple(group), graded, view)
    return runners


def _encoded(rows: tuple[Row, ...], graded: Graded, view: View) -> str:
    return fitted(
        lambda size: base64.b64encode(json.dumps(_document(rows, graded, view, size)).encode()).decode(), _LIMIT
    )


def _document(rows: tuple[Row, ...], graded: Graded, view: View, size: int) -> dict[str, Any]:
    if graded.outcome != "graded":
        # The reporter reports nothing to the course when max_score is 0: the score that is there stays.
        message = word("not_gradable", view.lang)
        return {"version": 1, "status": "error", "max_score": 0, "tests": [_test("grading", "error", 0, message, 0.0)]}
    if not rows:  # without a test the reporter divides by zero
        return {
            "version": 1,
            "status": "pass",
            "max_score": 0,
            "tests": [_test("grading", "pass", 0, word("none", view.lang), 0.0)],
        }
    needed = [row for row in rows if not row.bonus]
    return {
        "version": 1,
        "status": "pass" if all(row.outcome == "passed" for row in needed) else "fail",
        "max_score": number(sum((row.max_points for row in rows), ZERO)),
        "tests": [
            _test(
                row.title,
                "pass" if row.outcome == "passed" else "fail",
                number(row.points),
                shorter(row, size).text,
                row.seconds,
            )
            for row in rows
        ],
    }


def _test(name: str, status: str, score: float, message: str, seconds: float) -> dict[str, Any]:
    # A missing score, and every sum with it, would become NaN; line_no 0 means none.
    return {
        "name": name,
        "status": status,
        "score": score,
        "message": message,
        "test_code": "",
        "filename": "",
        "line_no": 0,
        "duration": round(seconds * 1000),
    }
