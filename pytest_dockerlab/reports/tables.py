"""A whole class in a table: CSV for a spreadsheet, aligned columns for a terminal."""

from __future__ import annotations

import csv
import io
import unicodedata
from collections.abc import Sequence

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.points import show
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.reports.rows import View, rows_of
from pytest_dockerlab.reports.words import word

__all__ = ["render_csv", "render_terminal"]

_MARKS = {"passed": "+", "failed": "-", "blocked": ".", "not_gradable": "?"}


def render_csv(submissions: Sequence[Graded], view: View) -> str:
    """One line a student: outcome, points, and the points of each check; a column stays empty where nothing is known.

    With a byte order mark, without which a spreadsheet reads Japanese names wrong.
    """
    table = [{row.id: row for row in rows_of(graded, view)} for graded in submissions]
    columns = list(dict.fromkeys(name for rows in table for name in rows))
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(["student", "outcome", "points", "max_points", *columns])
    for graded, rows in zip(submissions, table, strict=True):
        points = show(graded.points) if graded.outcome == "graded" else ""
        cells = [
            "" if (row := rows.get(name)) is None or row.outcome == "not_gradable" else show(row.points)
            for name in columns
        ]
        writer.writerow([_cell(graded.student), graded.outcome, points, show(graded.max_points), *cells])
    return "\ufeff" + out.getvalue()


def render_terminal(submissions: Sequence[Graded], view: View) -> str:
    """One line a student: a sign for each check (``+`` passed, ``-`` failed, ``.`` blocked, ``?`` not judged)."""
    lines = [(word("student", view.lang), word("worth", view.lang), "")]
    for graded in submissions:
        signs = "".join(_MARKS[row.outcome] for row in rows_of(graded, view))
        reached = show(graded.points) if graded.outcome == "graded" else "?"
        lines.append((_line(graded.student), f"{reached}/{show(graded.max_points)}", signs))
    first = max(_width(line[0]) for line in lines)
    second = max(_width(line[1]) for line in lines)
    rows = [f"{_pad(name, first)}  {_pad(points, second)}  {signs}".rstrip() for name, points, signs in lines]
    return "\n".join(rows) + "\n"


def _cell(text: str) -> str:
    """Text that a spreadsheet does not take for a formula."""
    text = _line(text)
    return f"'{text}" if text[:1] in ("=", "+", "-", "@") else text


def _line(text: str) -> str:
    return " ".join(shown(text, keep="start").split())


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text)


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
