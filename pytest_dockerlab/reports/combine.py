"""Results of several jobs in one table: row × platform × engine, from the JUnit XML that each job wrote."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from xml.etree import ElementTree

from pytest_dockerlab.errors import FormatError

__all__ = ["Combined", "Place", "Result", "combine", "read_junit", "render_json", "render_markdown"]

# The worst of a row's tests decides.
_ORDER = ("passed", "skipped", "failed")
_SIGNS = {"passed": "✓", "skipped": "–", "failed": "✗"}


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where tests ran, as they recorded it."""

    platform: str
    engine: str

    def __str__(self) -> str:
        return f"{self.platform}, {self.engine}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One test that proves a row, in one place."""

    row: str
    place: Place
    outcome: str
    test: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Combined:
    """All jobs' results.

    Attributes:
        rows: every row that any job has, in order.
        places: every place, in order.
        cells: (row, place) → outcome of the worst test.
        notes: (row, place) → what failed, or why it was skipped.
    """

    rows: tuple[str, ...]
    places: tuple[Place, ...]
    cells: Mapping[tuple[str, Place], str] = field(default_factory=dict)
    notes: Mapping[tuple[str, Place], str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether there are rows, and none failed or is missing where it should be."""
        return bool(self.rows) and all(
            self.cells.get((row, place)) in ("passed", "skipped") for row in self.rows for place in self.places
        )


def read_junit(text: bytes, name: str) -> Iterator[Result]:
    """The tests with a row of one JUnit XML file.

    Args:
        name: of the file, for messages.

    Raises:
        FormatError: it is no JUnit XML.
    """
    try:
        tree = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise FormatError(f"{name}: not JUnit XML: {error}", remedy="give what pytest --junitxml wrote") from None
    if tree.tag not in ("testsuites", "testsuite"):
        raise FormatError(f"{name}: not JUnit XML: its root is <{tree.tag}>", remedy="give what --junitxml wrote")
    for case in tree.iter("testcase"):
        said = [(each.get("name", ""), each.get("value", "")) for each in case.iter("property")]
        properties = dict(said)
        place = Place(properties.get("platform", "?"), properties.get("engine", "?"))
        outcome, reason = _outcome(case)
        for row in [value for key, value in said if key == "row"]:
            yield Result(row=row, place=place, outcome=outcome, test=case.get("name", ""), reason=reason)


def _outcome(case: ElementTree.Element) -> tuple[str, str]:
    for tag, outcome in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        if (found := case.find(tag)) is not None:
            return outcome, " ".join(found.get("message", "").split())[:200]
    return "passed", ""


def combine(results: Iterable[Result]) -> Combined:
    """One table of all of them. Of a row's tests in one place the worst decides, and is named."""
    cells: dict[tuple[str, Place], str] = {}
    notes: dict[tuple[str, Place], str] = {}
    for each in results:
        at = (each.row, each.place)
        if at not in cells or _ORDER.index(each.outcome) > _ORDER.index(cells[at]):
            cells[at] = each.outcome
            if each.outcome != "passed":
                notes[at] = f"{each.test}: {each.reason}".rstrip(": ")
    return Combined(
        rows=tuple(sorted({row for row, _ in cells})),
        places=tuple(sorted({place for _, place in cells})),
        cells=cells,
        notes=notes,
    )


def render_markdown(table: Combined) -> str:
    """For people: a row a line, a place a column; below it what failed, what was skipped, and what is missing."""
    lines = [
        f"| row | {' | '.join(_cell(str(place)) for place in table.places)} |",
        f"|---|{'---|' * len(table.places)}",
    ]
    for row in table.rows:
        signs = [_SIGNS.get(table.cells.get((row, place), ""), "?") for place in table.places]
        lines.append(f"| {_cell(row)} | {' | '.join(signs)} |")
    lines += ["", "✓ proven · ✗ failed · – skipped · ? not run there"]
    for title, outcome in (("Failed", "failed"), ("Skipped", "skipped")):
        found = [(at, note) for at, note in sorted(table.notes.items()) if table.cells[at] == outcome]
        if found:
            lines += ["", f"{title}:", ""]
            lines += [f"- {_cell(row)} on {_cell(str(place))}: {_cell(note)}" for (row, place), note in found]
    return "\n".join(lines) + "\n"


def render_json(table: Combined) -> str:
    """For programs."""
    return (
        json.dumps(
            {
                "ok": table.ok,
                "places": [{"platform": place.platform, "engine": place.engine} for place in table.places],
                "rows": {
                    row: [
                        {
                            "platform": place.platform,
                            "engine": place.engine,
                            "outcome": table.cells.get((row, place), "missing"),
                            "note": table.notes.get((row, place), ""),
                        }
                        for place in table.places
                    ]
                    for row in table.rows
                },
            },
            ensure_ascii=False,
            indent=1,
        )
        + "\n"
    )


def _cell(text: str) -> str:
    """Text in a table's cell: nothing in it is taken for the table's own, or for HTML."""
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
