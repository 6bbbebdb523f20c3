"""A Dockerfile's text cut into instructions, as BuildKit's parser cuts it.

Source of the rules: BuildKit, ``frontend/dockerfile/parser``. Nothing here knows what an
instruction means; ``dockerfile.py`` does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Heredoc", "Instruction", "Lexed", "goes_on", "lex", "words"]

_DIRECTIVE = re.compile(r"#\s*([A-Za-z][A-Za-z0-9]*)\s*=\s*(.+)")
_HEREDOC = re.compile(r"\d*<<(-?)([^<\s]+)")
_BLANKS = re.compile(r"[\t\v\f\r ]+")
_FLAG = re.compile(r"--([a-zA-Z][\w-]*)(?:=(.*))?", re.DOTALL)
_DIRECTIVES = ("syntax", "escape", "check")
_WITH_HEREDOC = ("RUN", "COPY", "ADD")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heredoc:
    """A here-document of RUN, COPY or ADD.

    Attributes:
        name: the word that ends it, without quotes.
        content: its lines, joined.
        expand: whether variables in it are expanded (the name was not quoted).
    """

    name: str
    content: str
    expand: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction.

    Attributes:
        keyword: in upper case.
        text: as written, continuation lines joined by one space, comments inside left out.
        line, end_line: 1-based, the first and the last line of it (here-documents included).
        flags: ``--name=value`` words right after the keyword; a flag without value has ``"true"``.
        arguments: what follows the keyword and the flags.
        heredocs: its here-documents.
    """

    keyword: str
    text: str
    line: int
    end_line: int
    flags: tuple[tuple[str, str], ...] = ()
    arguments: str = ""
    heredocs: tuple[Heredoc, ...] = ()

    def flag(self, name: str) -> str:
        """The value of the last flag of this name, ``""`` if there is none."""
        return next((value for key, value in reversed(self.flags) if key == name), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lexed:
    """The instructions of a text, its directives, and the lines where a here-document has no end."""

    instructions: tuple[Instruction, ...]
    directives: Mapping[str, str] = field(default_factory=dict)
    unterminated: tuple[tuple[int, str], ...] = ()

    @property
    def escape(self) -> str:
        return self.directives.get("escape", "\\")


def _word(escape: str) -> re.Pattern[str]:
    """A word: quotes and escapes stay in it, and one without its end goes on to the end."""
    e = re.escape(escape)
    return re.compile(rf"(?:{e}.?|'[^']*'?|\"(?:{e}.?|[^\"{e}])*\"?|[^\s'\"{e}]+)+", re.DOTALL)


_WORDS = {escape: _word(escape) for escape in ("\\", "`")}


def words(text: str, escape: str = "\\") -> tuple[str, ...]:
    """Split at blanks outside of quotes; quotes and escapes stay in the words. Never fails."""
    return tuple(_WORDS[escape].findall(text))


_GOES_ON = {escape: re.compile(rf"(?:^|[^{re.escape(escape)}]){re.escape(escape)}[ \t]*$") for escape in ("\\", "`")}


def goes_on(row: str, escape: str) -> bool:
    """Whether the instruction goes on in the next line."""
    return _GOES_ON[escape].search(row) is not None


def lex(text: str) -> Lexed:
    """Cut a Dockerfile's text into instructions. Never fails: what can't be meant is left to the caller."""
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    directives = _directives(lines)
    escape = directives.get("escape", "\\")
    instructions: list[Instruction] = []
    unterminated: list[tuple[int, str]] = []
    at = 0
    while at < len(lines):
        if not lines[at].strip() or lines[at].lstrip().startswith("#"):
            at += 1
            continue
        first = at
        parts: list[str] = []
        while at < len(lines):
            row = lines[at]
            at += 1
            if parts and (not row.strip() or row.lstrip().startswith("#")):
                continue  # comments and empty lines inside of an instruction don't end it
            more = goes_on(row, escape)
            parts.append((row.rstrip()[:-1] if more else row).strip())
            if not more:
                break
        joined = " ".join(part for part in parts if part)
        if not joined:
            continue
        heredocs: list[Heredoc] = []
        for name, expand, strip_tabs in _heredoc_names(joined, escape):
            end = next((i for i in range(at, len(lines)) if _ends(lines[i], name, strip_tabs)), None)
            if end is None:
                unterminated.append((first + 1, name))
                at = len(lines)  # all the rest belongs to it
                break
            body = [row.lstrip("\t") if strip_tabs else row for row in lines[at:end]]
            heredocs.append(Heredoc(name=name, content="".join(f"{row}\n" for row in body), expand=expand))
            at = end + 1
        instructions.append(_instruction(joined, first + 1, at, tuple(heredocs), escape))
    return Lexed(instructions=tuple(instructions), directives=directives, unterminated=tuple(unterminated))


def _directives(lines: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for row in lines:
        match = _DIRECTIVE.fullmatch(row.strip())
        if match is None or match[1].lower() not in _DIRECTIVES or match[1].lower() in found:
            break  # directives stand above everything else, comments included
        found[match[1].lower()] = match[2]
    if found.get("escape", "\\") not in ("\\", "`"):
        del found["escape"]
    return found


def _heredoc_names(joined: str, escape: str) -> list[tuple[str, bool, bool]]:
    first, *rest = words(joined, escape)
    if first.upper() == "ONBUILD" and rest:
        first, *rest = rest
    if first.upper() not in _WITH_HEREDOC:
        return []
    found = []
    for word in rest:
        match = _HEREDOC.fullmatch(word)
        name = match[2].replace("'", "").replace('"', "") if match else ""
        if match and name:
            found.append((name, name == match[2], bool(match[1])))
    return found


def _ends(row: str, name: str, strip_tabs: bool) -> bool:
    return (row.lstrip("\t") if strip_tabs else row) == name


def _instruction(joined: str, line: int, end_line: int, heredocs: tuple[Heredoc, ...], escape: str) -> Instruction:
    keyword, rest = _BLANKS.split(joined, maxsplit=1) if _BLANKS.search(joined) else (joined, "")
    flags: list[tuple[str, str]] = []
    at = 0
    for word in _WORDS[escape].finditer(rest):
        match = _FLAG.fullmatch(word[0])
        if match is None:
            break
        flags.append((match[1], "true" if match[2] is None else match[2]))
        at = word.end()
    return Instruction(
        keyword=keyword.upper(),
        text=joined,
        line=line,
        end_line=end_line,
        flags=tuple(flags),
        arguments=rest[at:].lstrip(),
        heredocs=heredocs,
    )
