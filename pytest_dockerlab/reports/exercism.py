"""Exercism's ``results.json``, version 3.

Format: exercism/docs, building/tooling/test-runners/interface.md.
"""

from __future__ import annotations

import json
from typing import Any

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.reports.rows import Row, View, rows_of, shorter
from pytest_dockerlab.reports.sizes import fitted
from pytest_dockerlab.reports.words import word

__all__ = ["render"]

_LIMIT = 500_000
_MESSAGE = 65_535
_OUTPUT = 500


def render(graded: Graded, view: View) -> str:
    """JSON's text. There are no points there; a bonus that was not reached is left out, as it would fail the whole."""
    rows = tuple(row for row in rows_of(graded, view) if not row.bonus or row.outcome == "passed")
    return fitted(lambda size: json.dumps(_document(graded, rows, view, size), ensure_ascii=False, indent=1), _LIMIT)


def _document(graded: Graded, rows: tuple[Row, ...], view: View, size: int) -> dict[str, Any]:
    if graded.outcome != "graded":
        return {"version": 3, "status": "error", "message": word("not_gradable", view.lang), "tests": []}
    if not rows:
        return {"version": 3, "status": "error", "message": word("none", view.lang), "tests": []}
    tasks = {exercise: number for number, exercise in enumerate(dict.fromkeys(row.exercise for row in rows), 1)}
    return {
        "version": 3,
        "status": "pass" if all(row.outcome == "passed" for row in rows) else "fail",
        "tests": [_test(shorter(row, size), tasks[row.exercise]) for row in rows],
    }


def _test(row: Row, task: int) -> dict[str, Any]:
    test: dict[str, Any] = {"name": row.title, "status": "pass" if row.outcome == "passed" else "fail"}
    if row.outcome != "passed":
        test["message"] = shown(row.text or row.title, max_bytes=_MESSAGE, max_lines=2_000, keep="start")
    if row.output:
        test["output"] = shown(row.output, max_bytes=_OUTPUT)
    # Required for concept exercises, where the page shows what was tested.
    return {**test, "test_code": row.id, "task_id": task}
