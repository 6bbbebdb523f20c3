"""Text from students: nothing in it does anything."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_dockerlab.exercises.shown import shown, shown_finding
from pytest_dockerlab.findings import Finding


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("plain", "plain"),
        ("日本語", "日本語"),
        (b"caf\xc3\xa9 \xff\xfe", "café \\xff\\xfe"),
        ("\x1b[2J\x1b[31mred\x07", "\\x1b[2J\\x1b[31mred\\x07"),
        ("a\x00b\x7f\x9b", "a\\x00b\\x7f\\x9b"),
        ("10%\r20%\r\n30%", "10%\n20%\n30%"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\ufeffa\u200bb\u2028c", "\\ufeffa\\u200bb\\u2028c"),
        ("\ud800\uffff\U000e0041", "\\ud800\\uffff\\U000e0041"),
        ("::notice::won", "\\::notice::won"),
        ("ok\n  ::add-mask::x", "ok\n  \\::add-mask::x"),
        ("\u3000::error::x", "\u3000\\::error::x"),
        ("a::b", "a::b"),
        ("x ##[set-output name=result;]x", "x #\\#[set-output name=result;]x"),
        ("##vso[task.complete] ##teamcity[x]", "#\\#vso[task.complete] #\\#teamcity[x]"),
        ("## a title [link]", "## a title [link]"),
        ("end\n\n\n", "end"),
        ("", ""),
    ],
)
def test_what_could_do_something_is_escaped(text: str | bytes, said: str) -> None:
    """Control and invisible characters, invalid UTF-8, commands of CI services; ordinary text stays."""
    assert shown(text) == said


def test_a_million_lines_are_cut_to_their_end() -> None:
    """The end stays, with a note of how much there was."""
    text = shown(b"spam\n" * 1_000_000 + b"the reason\n")
    rows = text.split("\n")
    assert rows[0] == "… (the end of 5,000,011 characters)"
    assert rows[-1] == "the reason"
    assert len(rows) == 40


def test_one_endless_line_is_cut() -> None:
    """Ten megabytes without a line's end."""
    text = shown("x" * 10_000_000, max_bytes=2_000)
    assert len(text.encode()) <= 2_000
    assert "10,000,000" in text


def test_the_start_is_kept_where_that_is_asked_for() -> None:
    """For messages, whose first line says what happened."""
    rows = shown("\n".join(f"row {n}" for n in range(100)), max_lines=3, keep="start").split("\n")
    assert rows[:2] == ["row 0", "row 1"]
    assert rows[2].startswith("… (cut: ")


ODD = st.one_of(
    st.text(),
    st.binary(),
    st.text(alphabet="a\n\r:#[ \x1b\u202e\u3000日"),
    st.lists(st.sampled_from(["::x", "\n", "##["])).map("".join),
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ODD, st.integers(200, 600), st.integers(2, 9), st.sampled_from(["end", "start"]), st.integers(1, 400))
def test_it_is_always_in_bounds_and_harmless(text: str | bytes, size: int, lines: int, keep: str, times: int) -> None:
    """Bytes and lines are kept to, nothing unsafe is left, and doing it again changes nothing."""
    done = shown(text * times, max_bytes=size, max_lines=lines, keep=keep)  # type: ignore[arg-type]
    assert len(done.encode()) <= size
    assert done.count("\n") < lines
    assert not [char for char in done if char not in "\n\t" and unicodedata.category(char)[0] == "C" and char.isascii()]
    assert not re.search(r"^\s*::", done, re.MULTILINE)
    assert not re.search(r"##[A-Za-z]*\[", done)
    assert shown(done, max_bytes=size, max_lines=lines, keep=keep) == done  # type: ignore[arg-type]


def test_every_part_of_a_finding_is_made_harmless() -> None:
    """What was found may be the student's own words."""
    finding = shown_finding(
        Finding(what="w\x1b", expected="e\x1b", found="::notice::", why="y", hint="h\x07", where="q\x00")
    )
    assert finding == Finding(
        what="w\\x1b", expected="e\\x1b", found="\\::notice::", why="y", hint="h\\x07", where="q\\x00"
    )
