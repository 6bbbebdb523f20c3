"""Text that a student's build or container made, harmless to show: escaped, cut, in bounds.

What it must not do: move a terminal's cursor, reverse the reading order, speak to a CI service that reads its
log for commands, break an XML or JSON document, or fill a disk.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Literal, TypeVar

from pytest_dockerlab.findings import Finding

__all__ = ["shown", "shown_finding"]

T = TypeVar("T", str, bytes)

# GitHub trims blanks before it looks for "::name::", and takes "##[name]" anywhere in a line, as Azure
# does "##vso[" and TeamCity "##teamcity[".
_COLONS = re.compile(r"^(\s*)::", re.MULTILINE)
_HASHES = re.compile(r"##(?=[A-Za-z]*\[)")
_PLAIN = re.compile(r"[\n\t\x20-\x7e]*")
_LONGEST_LINE = 1_000
# Room for the longest note on what was cut.
_NOTE = 80
_ESCAPED = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def shown(
    text: str | bytes, *, max_bytes: int = 4_000, max_lines: int = 40, keep: Literal["end", "start"] = "end"
) -> str:
    """Make text from outside harmless. Done twice it changes nothing more.

    Args:
        text: bytes are read as UTF-8; what is not shows as ``\\xff``.
        max_bytes: of the result in UTF-8, the note on what was cut included; at least 200.
        max_lines: of the result, the note included; at least 2.
        keep: ``end`` (a log's end says why it ended) or ``start``.
    """
    max_bytes, max_lines = max(200, max_bytes), max(2, max_lines)
    # A million lines cost no more than what is kept of them.
    size, cut = len(text), len(text) > max_bytes
    if isinstance(text, bytes):
        kept = _ends(text, max_bytes, keep).decode("utf-8", "backslashreplace")
    else:
        kept = _ends(text, max_bytes, keep)
    kept = _commands(_escape(kept.replace("\r\n", "\n").replace("\r", "\n")))
    rows = kept.rstrip("\n").split("\n")
    if cut or len(rows) > max_lines:
        cut, rows = True, rows[-(max_lines - 1) :] if keep == "end" else rows[: max_lines - 1]
    rows = [_short(row) for row in rows]
    while sum(len(row.encode()) + 1 for row in rows) > max_bytes - (_NOTE if cut else 0):
        cut = True
        if len(rows) == 1:
            rows = [_ends(rows[0], (max_bytes - _NOTE) // 4, keep)]
            break
        rows = rows[1:] if keep == "end" else rows[:-1]
    if not cut:
        return "\n".join(rows)
    note = f"… (cut: {size:,} characters in all)" if keep == "start" else f"… (the end of {size:,} characters)"
    # A cut may have bared a command at a line's start.
    return _commands("\n".join([note, *rows] if keep == "end" else [*rows, note])).rstrip("\n")


def shown_finding(finding: Finding, *, max_bytes: int = 1_000, max_lines: int = 20) -> Finding:
    """The same for every part of a finding: what was found may be a student's own words."""
    return finding.mapped(lambda text: shown(text, max_bytes=max_bytes, max_lines=max_lines, keep="start"))


def _ends(text: T, count: int, keep: str) -> T:
    return text[-count:] if keep == "end" else text[:count]


def _short(row: str) -> str:
    return row if len(row) <= _LONGEST_LINE else f"{row[: _LONGEST_LINE - 20]}… ({len(row):,} long)"


def _escape(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    return "".join(char if not _unsafe(char) else _code(char) for char in text)


def _unsafe(char: str) -> bool:
    if char in "\n\t":
        return False
    # The last two of each plane are no characters; XML refuses them.
    return unicodedata.category(char) in _ESCAPED or ord(char) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(char) <= 0xFDEF


def _code(char: str) -> str:
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"


def _commands(text: str) -> str:
    return _HASHES.sub(r"#\\#", _COLONS.sub(r"\1\\::", text))
