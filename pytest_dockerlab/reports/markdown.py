"""The report that a student reads, in Markdown. What came from outside is never markup in it."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_dockerlab.exercises.model import Graded, pick
from pytest_dockerlab.exercises.points import show
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.findings import PARTS, Finding
from pytest_dockerlab.reports.rows import Row, View, rows_of
from pytest_dockerlab.reports.words import OUTCOMES, word

__all__ = ["render"]

_MARKUP = re.compile(r"([\\`*_{}\[\]()<>#+!|&~:@$-])")
_SIGNS = {"passed": "✅", "failed": "❌", "blocked": "⏸", "not_gradable": "❔"}


def render(graded: Graded, view: View) -> str:
    """What passed, what did not, why, and what to try."""
    return "\n".join(_lines(graded, view)) + "\n"


def _lines(graded: Graded, view: View) -> Iterator[str]:
    rows = rows_of(graded, view)
    yield f"# {_inline(graded.student)}"
    yield ""
    if graded.outcome == "graded":
        yield f"**{word('points', view.lang, points=show(graded.points), most=show(graded.max_points))}**"
    else:
        yield f"**{word('not_gradable', view.lang)}**"
        if view.everything and graded.reason:
            yield from ("", *_block(graded.reason))
    for exercise in dict.fromkeys(row.exercise for row in rows):
        own = [row for row in rows if row.exercise == exercise]
        title = own[0].title if exercise == "hidden" else pick(graded.exercises.get(exercise, {}), view.lang)
        yield from ("", f"## {_inline(title or exercise)}", "")
        yield f"| {word('check', view.lang)} | {word('result', view.lang)} | {word('worth', view.lang)} |"
        yield "|---|---|---|"
        for row in own:
            yield f"| {_inline(row.title)} | {_outcome(row, view)} | {_points(row, view)} |"
    missing = [row for row in rows if row.outcome != "passed"]
    if not missing and graded.outcome == "graded":
        yield from ("", word("all_passed", view.lang))
    if missing:
        yield from ("", f"## {word('to_mend', view.lang)}")
    for row in missing:
        yield from ("", f"### {_SIGNS[row.outcome]} {_inline(row.title)}", "")
        yield from _why(row, view)


def _why(row: Row, view: View) -> Iterator[str]:
    if row.outcome != "failed" or row.id == "hidden":
        yield _inline(row.message)
        return
    hint = f"**{word('hint', view.lang)}:** {_inline(row.hint)}" if row.hint else ""
    if row.foreign:
        # What helps most comes first; what is in another language is said to be.
        yield from (*([hint, ""] if hint else []), word("details", view.lang), "")
    for finding in row.findings:
        yield from _finding(finding, view)
    if not row.findings and row.message:
        yield from _block(row.message)
    if hint and not row.foreign:
        yield from ("", hint)
    if row.output:
        yield from ("", f"{word('output', view.lang)}:", "", *_block(row.output))


def _finding(finding: Finding, view: View) -> Iterator[str]:
    yield f"- {_inline(finding.what)}"
    for part in PARTS[1:]:
        value = getattr(finding, part)
        if not value:
            continue
        label = word(part, view.lang)
        if part in ("why", "hint"):
            yield f"  - {label}: {_inline(value)}"
        elif "\n" in value:
            yield from (f"  - {label}:", "", *(f"    {line}" for line in _block(value)))
        else:
            yield f"  - {label}: {_code(value)}"


def _outcome(row: Row, view: View) -> str:
    return f"{_SIGNS[row.outcome]} {OUTCOMES[view.lang][row.outcome]}"


def _points(row: Row, view: View) -> str:
    if row.outcome == "not_gradable":
        return f"? / {show(row.max_points)}"
    text = f"{show(row.points)} / {show(row.worth)}"
    return f"{text} ({word('bonus', view.lang)})" if row.bonus else text


def _inline(text: str) -> str:
    """Text in a line or a cell of a table; nothing in it is markup."""
    return _MARKUP.sub(r"\\\1", " ".join(shown(text, keep="start").split()))


def _code(text: str) -> str:
    ticks = "`" * (_longest(text) + 1)
    # A blank inside keeps a tick at the edge from joining the fence.
    return f"{ticks} {text} {ticks}"


def _block(text: str) -> list[str]:
    fence = "`" * max(3, _longest(text) + 1)
    return [f"{fence}text", *shown(text).split("\n"), fence]


def _longest(text: str) -> int:
    return max((len(run) for run in re.findall(r"`+", text)), default=0)
