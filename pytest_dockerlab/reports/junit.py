"""JUnit XML, as CI services read it (the ``xunit2`` family: no properties below a test case).

Points have no place of their own in it: they are properties of the suite.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree as ET

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.points import show
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.reports.rows import Row, View, rows_of
from pytest_dockerlab.reports.words import OUTCOMES

__all__ = ["render"]


def render(submissions: Sequence[Graded], view: View) -> str:
    """One ``testsuite`` a submission: failed checks are failures, blocked ones skipped, those not gradable errors."""
    root = ET.Element("testsuites", name="dockerlab")
    for graded in submissions:
        rows = rows_of(graded, view)
        suite = ET.SubElement(
            root,
            "testsuite",
            name=_line(graded.student),
            tests=str(len(rows)),
            failures=_count(rows, "failed"),
            errors=_count(rows, "not_gradable"),
            skipped=_count(rows, "blocked"),
            time=f"{graded.seconds:.3f}",
        )
        properties = ET.SubElement(suite, "properties")
        totals = {"outcome": graded.outcome, "points": show(graded.points), "max_points": show(graded.max_points)}
        for name, value in totals.items():
            ET.SubElement(properties, "property", name=name, value=value)
        for row in rows:
            ET.SubElement(properties, "property", name=f"points.{row.id}", value=show(row.points))
            ET.SubElement(properties, "property", name=f"max_points.{row.id}", value=show(row.max_points))
        for row in rows:
            _case(suite, row, view)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _case(suite: ET.Element, row: Row, view: View) -> None:
    name = row.id.partition("/")[2] or row.id
    case = ET.SubElement(suite, "testcase", classname=row.exercise, name=name, time=f"{row.seconds:.3f}")
    kind = {"failed": "failure", "not_gradable": "error", "blocked": "skipped"}.get(row.outcome)
    if kind is None:
        return
    first = f"{row.title}: {OUTCOMES[view.lang][row.outcome]}"
    ET.SubElement(case, kind, message=first, type=row.outcome).text = row.text
    if row.output:
        ET.SubElement(case, "system-out").text = row.output


def _count(rows: Sequence[Row], outcome: str) -> str:
    return str(sum(row.outcome == outcome for row in rows))


def _line(text: str) -> str:
    return " ".join(shown(text).split())
