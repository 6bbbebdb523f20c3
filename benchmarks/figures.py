"""What was measured, and how it is shown: medians, ratios, tables. Pure."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass

__all__ = ["Listing", "Row", "Table", "replaced", "section"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One contender: its name, and the seconds of each round."""

    name: str
    seconds: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Contenders that did the same job in turns.

    Attributes:
        title: what the job was, in a few words.
        rows: the first one is what the others are compared with.
        per: how often each did it in a round, where that is worth a column of its own; 0 for not.
    """

    title: str
    rows: tuple[Row, ...]
    per: int = 0

    def ratio(self, row: Row) -> float:
        """Its median over the first one's. Raises: ZeroDivisionError: the first one took no time."""
        return row.median / self.rows[0].median

    def markdown(self) -> str:
        """Seconds, and the ratio to the first row."""
        head = ["", "median", "min", "max", *(["each"] if self.per else []), "ratio"]
        lines = [head, ["---", *["--:"] * (len(head) - 1)]]
        for row in self.rows:
            each = [_seconds(row.median / self.per)] if self.per else []
            times = [_seconds(row.median), _seconds(min(row.seconds)), _seconds(max(row.seconds))]
            lines.append([row.name, *times, *each, f"{self.ratio(row):.2f}"])
        rounds = len(self.rows[0].seconds)
        text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"**{self.title}** ({rounds} {'round' if rounds == 1 else 'rounds'})\n\n{text}\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """What is no time, or has no peer.

    Attributes:
        head: of the columns; the first one names the rows.
    """

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """As it stands."""
        lines = [self.head, ("---", *["--:"] * (len(self.head) - 1)), *self.rows]
        text = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        return f"**{self.title}**\n\n{text}\n"


def _seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.0f} ms"


def section(about: str, tables: tuple[Table | Listing, ...]) -> str:
    """What stands between a job's marks on the page.

    Args:
        about: machine, engine, date.
    """
    return "\n".join([f"{about}\n", *(table.markdown() for table in tables)])


def replaced(page: str, job: str, text: str) -> str:
    """The page with ``text`` between the marks of ``job``.

    Raises:
        ValueError: the page has no such marks.
    """
    begin, end = f"<!-- {job}: written by python -m benchmarks -->", f"<!-- end of {job} -->"
    pattern = re.compile(f"({re.escape(begin)}\n).*?({re.escape(end)})", re.DOTALL)
    if not pattern.search(page):
        raise ValueError(f"the page has no place for {job}: write these two lines into it: {begin} {end}")
    return pattern.sub(lambda found: f"{found[1]}{text}{found[2]}", page)
