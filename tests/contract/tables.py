"""The contract's results as tables: one for the terminal, and those of ``docs/engines.md``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_dockerlab.engine.capabilities import KNOWN
from tests.contract.results import GROUPS, Case, Column

__all__ = ["BEGIN", "END", "markdown", "replaced", "terminal"]

BEGIN = "<!-- made by `python -m tests.contract --write`: don't edit -->"
END = "<!-- end of what is made -->"


def terminal(columns: Sequence[Column]) -> str:
    """Engine × group: passed, failed, skipped; below it for want of what was skipped, and what was unsteady."""
    head = ["", *GROUPS, "seconds"]
    rows = [[column.name, *(_counts(column, group) for group in GROUPS), f"{column.seconds:.0f}"] for column in columns]
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) for row in [head, *rows]]
    lines += ["", "passed/failed/skipped; skipped for want of:"]
    for column in columns:
        lines.append(f"  {column.name}: {_missing(column) or column.trouble or column.unavailable or 'nothing'}")
    unsteady = [(column.name, case) for column in columns for case in column.cases if case.unsteady]
    if unsteady:
        lines += ["", "unsteady, failed beside others and passed alone:"]
        lines += [f"  {name}: {case.test}: {case.unsteady}" for name, case in unsteady]
    return "\n".join(line.rstrip() for line in lines)


def _counts(column: Column, group: str) -> str:
    return "/".join(str(column.count(group, outcome)) for outcome in ("passed", "failed", "skipped"))


def _missing(column: Column) -> str:
    numbers: dict[str, int] = {}
    for case in column.cases:
        for name in case.missing:
            numbers[name] = numbers.get(name, 0) + 1
    return ", ".join(f"{name} ({number})" for name, number in sorted(numbers.items()))


def markdown(columns: Sequence[Column], date: str) -> str:
    """The part of the page that is made: engines, what each says it can, what was proven on it."""
    head = f"| | {' | '.join(column.name for column in columns)} |\n|---|{'---|' * len(columns)}"
    parts = [BEGIN, "", f"Proven on {date}, by `python -m tests.contract --write`.", "", head]
    for title, value in (
        ("engine", lambda facts: facts.engine),
        ("API", lambda facts: facts.api),
        ("images in", lambda facts: facts.store),
        ("on", lambda facts: f"{facts.platform}, cgroup v{facts.cgroups}"),
    ):
        cells = [value(column.facts) if column.facts else "?" for column in columns]
        parts.append(_row(title, cells))
    parts += ["", "### What the engine says it can, or what was found by trying", "", head]
    notes: dict[str, int] = {}
    names = [name for name in KNOWN if any(column.facts and name in column.facts.capabilities for column in columns)]
    for name in names:
        cells = [_ability(column, name, notes) for column in columns]
        parts.append(_row(f"`{name}`: {KNOWN[name].means}", cells))
    parts += ["", "### What was proven", "", head]
    for group in GROUPS:
        parts.append(_row(f"**{group}**", [_counts(column, group) for column in columns]))
        for claim in dict.fromkeys(case.claim for column in columns for case in column.cases if case.group == group):
            parts.append(_row(claim, [_proof(column, group, claim, notes) for column in columns]))
    parts += [
        "",
        "✓ proven · ✗ failed · – the engine lacks it. In bold the tests of a group: passed/failed/skipped.",
        "",
    ]
    parts += [f"{number}. {note}" for note, number in notes.items()]
    return "\n".join([*parts, "", END])


def _ability(column: Column, name: str, notes: dict[str, int]) -> str:
    reasons: Mapping[str, str] = column.facts.capabilities if column.facts else {}
    if name not in reasons:
        return "?"
    return f"– {_note(reasons[name], notes)}" if reasons[name] else "✓"


def _proof(column: Column, group: str, claim: str, notes: dict[str, int]) -> str:
    cases = [case for case in column.cases if (case.group, case.claim) == (group, claim)]
    ran = [case for case in cases if case.outcome != "skipped"]
    if not cases:
        return "?"
    if not ran:
        return f"– {_note(_why(cases), notes)}"
    return "✗" if any(case.outcome == "failed" for case in ran) else "✓"


def _why(cases: Sequence[Case]) -> str:
    return f"needs {', '.join(f'`{name}`' for name in dict.fromkeys(n for case in cases for n in case.missing))}"


def _note(text: str, notes: dict[str, int]) -> str:
    return f"<sup>{notes.setdefault(text, len(notes) + 1)}</sup>"


def _row(title: str, cells: Sequence[str]) -> str:
    return f"| {title.replace('|', chr(92) + '|')} | {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def replaced(page: str, made: str) -> str:
    """The page with its made part anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"the page lacks its marks: {BEGIN} … {END}")
    return before + made + after
