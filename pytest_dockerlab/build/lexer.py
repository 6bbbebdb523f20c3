"""A Dockerfile's text cut into instructions, as BuildKit's parser cuts it.

Source of the rules: BuildKit, ``frontend/dockerfile/parser``. Nothing here knows what an
instruction means; ``dockerfile.py`` does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Heredoc", "Instruction", "Lexed", "directive_rows", "goes_on", "is_idle", "lex", "words"]

# What Go calls white: `\s` of its expressions, and `unicode.IsSpace`. Python's own sets are larger, and an instruction
# that only one of the two sees is one that nobody judged.
_WHITE = "\t\n\f\r "
_SPACE = _WHITE + "\v\x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
_DIRECTIVE = re.compile(rf"#[{_WHITE}]*([A-Za-z][A-Za-z0-9]*)[{_WHITE}]*=(.+)")
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
        text: as written, continuation lines joined, blanks between them as one, comments inside left out.
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
    """The instructions of a text, its directives, and the lines with what is wrong with these already.

    Attributes:
        unterminated: where a here-document begins that has no end, and its name.
        misused: where a directive stands that can't be, and why.
    """

    instructions: tuple[Instruction, ...]
    directives: Mapping[str, str] = field(default_factory=dict)
    unterminated: tuple[tuple[int, str], ...] = ()
    misused: tuple[tuple[int, str], ...] = ()

    @property
    def escape(self) -> str:
        return self.directives.get("escape", "\\")


def _word(escape: str) -> re.Pattern[str]:
    """A word: quotes and escapes stay in it, and one without its end goes on to the end."""
    e = re.escape(escape)
    return re.compile(rf"(?:{e}.?|'[^']*'?|\"(?:{e}.?|[^\"{e}])*\"?|[^{_SPACE}'\"{e}]+)+", re.DOTALL)


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
    directives, misused = _directives(lines)
    escape = directives.get("escape", "\\")
    instructions: list[Instruction] = []
    unterminated: list[tuple[int, str]] = []
    at = 0
    while at < len(lines):
        if is_idle(lines[at]):
            at += 1
            continue
        first = at
        parts: list[str] = []
        while at < len(lines):
            row = lines[at]
            at += 1
            if parts and is_idle(row):
                continue  # comments and empty lines inside of an instruction don't end it
            more = goes_on(row, escape)
            parts.append(row.rstrip(_SPACE)[:-1] if more else row)
            if not more:
                break
        joined = _joined(parts)
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
    return Lexed(
        instructions=tuple(instructions),
        directives=directives,
        unterminated=tuple(unterminated),
        misused=tuple(misused),
    )


def is_idle(row: str) -> bool:
    """Whether it is empty or a comment."""
    return row.lstrip(_SPACE)[:1] in ("", "#")


def directive_rows(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Name and value of each directive: they are the first lines, above everything else, comments included."""
    for row in lines:
        match = _DIRECTIVE.fullmatch(row.lstrip(_SPACE))
        if match is None or match[1].lower() not in _DIRECTIVES:
            return
        # Of blanks alone one is the value, as the builders' expression has it.
        yield match[1].lower(), match[2].strip(_WHITE) or match[2][-1]


def _directives(lines: Sequence[str]) -> tuple[dict[str, str], list[tuple[int, str]]]:
    found: dict[str, str] = {}
    misused: list[tuple[int, str]] = []
    for line, (name, value) in enumerate(directive_rows(lines), 1):
        if name in found:
            misused.append((line, f"the directive {name} is given twice"))
        elif name == "escape" and value not in _WORDS:
            misused.append((line, f"the escape character can't be {value[:20]!r}"))
        else:
            found[name] = value
    return found, misused


def _joined(parts: Sequence[str]) -> str:
    """The lines as one text: a builder puts nothing between them; of the blanks that are there one is left."""
    found: list[str] = []
    apart = False
    for part in parts:
        text = part.strip(_SPACE)
        apart = apart or not part.startswith(text[:1]) or not text
        if text:
            found += [" ", text] if apart and found else [text]
            apart = not part.endswith(text[-1])
    return "".join(found)


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
        arguments=rest[at:].lstrip(_SPACE),
        heredocs=heredocs,
    )
