"""Paths, content, modes and owners, on hand-made entries."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_dockerlab.checks.files import absent, contains, content, mode, mode_text, owner, present
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked
from pytest_dockerlab.image.model import FileKind, FileStat

FILE = FileStat(path="/a", kind=FileKind.FILE, mode=0o644, uid=0, gid=0, size=3)
FOLDER = FileStat(path="/a", kind=FileKind.DIRECTORY, mode=0o755, uid=0, gid=0)


def said(checked: Checked[Any]) -> str:
    assert len(checked.findings) == 1
    return str(checked.findings[0])


@pytest.mark.parametrize(
    ("bits", "shown"),
    [
        (0o755, "0o755 (rwxr-xr-x)"),
        (0o7, "0o007 (------rwx)"),
        (0o4755, "0o4755 (rwsr-xr-x)"),
        (0o2640, "0o2640 (rw-r-S---)"),
        (0o1777, "0o1777 (rwxrwxrwt)"),
    ],
)
def test_a_mode_is_shown_both_ways(bits: int, shown: str) -> None:
    """As chmod takes it and as ls shows it."""
    assert mode_text(bits) == shown


def test_a_missing_path_and_another_kind_are_told_apart() -> None:
    """One says that nothing is there, the other what is."""
    assert present("/a", FILE, of="image x").evidence is FILE
    assert present("/a", FOLDER, of="image x", kind=None).ok
    assert "image x has no /a" in said(present("/a", None, of="image x"))
    text = said(present("/a", FOLDER, of="image x"))
    assert "/a of image x is a directory" in text
    assert "expected: a file" in text


def test_a_path_that_should_not_be_there_is_described() -> None:
    """With its kind, size and mode."""
    assert absent("/a", None, of="image x").ok
    assert "found:    a file, 3 bytes, mode 0o644 (rw-r--r--)" in said(absent("/a", FILE, of="image x"))


def test_content_is_compared_whole_or_searched() -> None:
    """Text and bytes are all of it, a pattern is found in it."""
    assert content("/a", b"hi\n", "hi\n", of="x").evidence == b"hi\n"
    assert content("/a", b"hi\n", b"hi\n", of="x").ok
    assert content("/a", b"hi\n", re.compile("^h"), of="x").ok
    assert contains("/a", b"say hi\n", "hi", of="x").ok


@pytest.mark.parametrize(
    ("data", "hint"),
    [
        (b"hi", "only white space at the ends differs"),
        (b"hi\r\n", "only white space"),
        (b"ho\n", "look at the command"),
    ],
)
def test_another_content_is_shown_with_the_likely_cause(data: bytes, hint: str) -> None:
    """A missing newline is not taken for another text."""
    text = said(content("/a", data, "hi\n", of="image x"))
    assert "/a of image x has another content" in text
    assert "expected: 'hi\\n'" in text
    assert hint in text


def test_windows_line_ends_are_recognised() -> None:
    """In the middle of a file, too."""
    assert "CRLF" in said(content("/a", b"a\r\nb\r\n", "a\nb\n", of="x"))


def test_what_is_not_found_in_a_file_is_shown_with_its_end() -> None:
    """A pattern stands between slashes."""
    assert "text that matches /x+/" in said(content("/a", b"hi", re.compile("x+"), of="x"))
    text = said(contains("/a", b"hi\n", "ho", of="image x"))
    assert "/a of image x does not hold what it should" in text
    assert "found:    3 bytes, the last lines:\n            hi" in text


def test_another_mode_is_shown_with_the_chmod_that_mends_it() -> None:
    """And a mode that was written in decimal is recognised."""
    assert mode("/a", FILE, 0o644, of="x").evidence == 0o644
    text = said(mode("/a", FILE, 0o755, of="image x"))
    assert "expected: 0o755 (rwxr-xr-x)\n  found:    0o644 (rw-r--r--)" in text
    assert "chmod 755 /a" in text
    assert "write the mode as an octal number: 0o644, not 644" in said(mode("/a", FILE, 644, of="x"))


@pytest.mark.parametrize("value", [-1, 0o10000, "755", True])
def test_what_is_no_mode_is_refused(value: int) -> None:
    """With its value."""
    with pytest.raises(UsageError, match="not a file mode"):
        mode("/a", FILE, value, of="x")


def test_owners_are_compared_by_number() -> None:
    """One of the two may be left out, both may not."""
    assert owner("/a", FILE, uid=0, gid=None, of="x").evidence == (0, 0)
    text = said(owner("/a", FILE, uid=1111, gid=None, of="image x"))
    assert "/a of image x belongs to 0:0\n  where:    /a\n  expected: 1111:*" in text
    assert "expected: *:5" in said(owner("/a", FILE, uid=None, gid=5, of="x"))
    with pytest.raises(UsageError, match="no owner to compare /a with"):
        owner("/a", FILE, uid=None, gid=None, of="x")
    with pytest.raises(UsageError, match="knows no owner"):
        owner("/a", FileStat(path="/a", kind=FileKind.FILE, mode=0o644), uid=0, gid=None, of="x")
