"""The benchmarks' arithmetic, and the page that they write."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from benchmarks.__main__ import JOBS
from benchmarks.figures import Row, Table, replaced, section

ROOT = Path(__file__).parents[2]

FLOOR = Row(name="floor", seconds=(2.0, 4.0, 3.0))
OTHER = Row(name="other", seconds=(0.5, 0.6, 90.0))


def test_a_row_is_its_median() -> None:
    """One slow round does not count, and of an even number the middle two are taken."""
    assert OTHER.median == 0.6
    assert Row(name="", seconds=(1.0, 2.0, 3.0, 10.0)).median == 2.5


def test_a_ratio_is_to_the_first_row() -> None:
    """Median over median, whatever the order of the others."""
    table = Table(title="", rows=(FLOOR, OTHER))
    assert table.ratio(FLOOR) == 1
    assert table.ratio(OTHER) == pytest.approx(0.2)


def test_a_table_shows_seconds_and_ratios() -> None:
    """Below a second in milliseconds; what each of several costs has a column of its own."""
    assert Table(title="a job", rows=(FLOOR, OTHER)).markdown() == (
        "**a job** (3 rounds)\n\n"
        "|  | median | min | max | ratio |\n"
        "| --- | --: | --: | --: | --: |\n"
        "| floor | 3.00 s | 2.00 s | 4.00 s | 1.00 |\n"
        "| other | 600 ms | 500 ms | 90.00 s | 0.20 |\n"
    )
    each = Table(title="a job", rows=(Row(name="floor", seconds=(3.0,)),), per=20).markdown()
    assert "(1 round)" in each
    assert "| floor | 3.00 s | 3.00 s | 3.00 s | 150 ms | 1.00 |" in each


def test_a_job_is_written_between_its_marks_and_nowhere_else() -> None:
    """Backslashes are text, what stood there is gone, the neighbours stay."""
    page = "a\n<!-- x: written by python -m benchmarks -->\nold\n<!-- end of x -->\nb\n"
    once = replaced(page, "x", section(r"\1 cores", (Table(title="t", rows=(FLOOR,)),)))
    assert once.startswith("a\n<!-- x: written by python -m benchmarks -->\n\\1 cores\n\n**t** (3 rounds)\n")
    assert once.endswith("| floor | 3.00 s | 2.00 s | 4.00 s | 1.00 |\n<!-- end of x -->\nb\n")
    assert replaced(once, "x", "new\n") == page.replace("old", "new")
    with pytest.raises(ValueError, match="no place for y"):
        replaced(page, "y", "")


def test_the_page_has_a_place_for_every_job() -> None:
    """And what is filled in names the day that it was measured on."""
    page = (ROOT / "docs/benchmarks.md").read_text("utf-8")
    for job in (job for job in JOBS if importlib.util.find_spec(f"benchmarks.{job}")):
        replaced(page, job, "")
        (text,) = re.findall(f"<!-- {job}: .*?-->\n(.*?)<!-- end of {job} -->", page, re.DOTALL)
        assert not text or re.match(r"\d+ × .*; \d{4}-\d\d-\d\d\n", text), f"{job} does not say when and where"
