"""Command lines read as data: the part of a shell's language that a docker command needs, and no shell.

What is read: quotes, backslashes, continued lines, comments, ``$(id -u)``, ``$(id -g)``, ``$(pwd)``,
``$PWD``, ``$HOME``, ``$UID``, variables that the instructor gives, ``~`` at the start of a word. Everything
else that a shell would act on is refused, with its reason. Source of the rules: POSIX, "Shell Command Language".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_dockerlab.exercises.refusal import Refusal, refuse

__all__ = ["Line", "Shell", "read_lines"]

_MOST_LINES = 200
_LONGEST = 8_000
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_COMMAND = re.compile(r"\$\(\s*(id\s+-u|id\s+-g|pwd)\s*\)", re.ASCII)
_OPERATOR = re.compile(r"&&|\|\||\d*(?:>>|>&|<<-?|<>|>\||<|>)&?\d*|[|&;()]", re.ASCII)
# Files by pattern, and bash's lists in braces.
_WILDCARD = re.compile(r"[*?]|\[[^\s\]]+\]|\{[^{}\s]*,[^{}\s]*\}")
# What word processors and web pages make of ASCII.
_TYPOGRAPHY = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"),
    **dict.fromkeys("\u201c\u201d\u201e\uff02", '"'),
    **dict.fromkeys("\u2018\u2019\u201a\uff07", "'"),
    **dict.fromkeys("\u00a0\u3000\u2003\u2009\u202f", "a blank"),
    **dict.fromkeys("\uff0d", "-"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shell:
    """What the few known substitutions stand for.

    Attributes:
        uid, gid: of ``$(id -u)`` and ``$(id -g)``.
        cwd: of ``$PWD``: the exercise's folder of the submission; absolute.
        home: of ``$HOME`` and ``~``; by default ``cwd``, so that what lies there is the student's own.
        variables: others, given by the instructor (``OPENAI_API_KEY``).
    """

    uid: int = 1000
    gid: int = 1000
    cwd: str = "/submission"
    home: str = ""
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def known(self) -> Mapping[str, str]:
        """All variables."""
        own = {"PWD": self.cwd, "HOME": self.home or self.cwd, "UID": str(self.uid)}
        return {**self.variables, **own}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One command: its words, or why there are none.

    Attributes:
        number: 1-based, of its first line.
        text: as written, continued lines joined.
        words: without quotes; empty if it is refused.
    """

    number: int
    text: str
    words: tuple[str, ...] = ()
    refusals: tuple[Refusal, ...] = ()


def read_lines(text: str, shell: Shell, *, path: str = "run.txt") -> tuple[Line, ...]:
    """The commands of a text. Never fails.

    Args:
        path: for messages.
    """
    found: list[Line] = []
    for number, joined in _logical(text):
        where = f"{path}:{number}"
        if len(found) == _MOST_LINES:
            refusal = refuse("too_long", where, "commands", most=f"{_MOST_LINES:,} lines")
            return (*found, Line(number=number, text="", refusals=(refusal,)))
        if len(joined) > _LONGEST:
            refusal = refuse("too_long", where, joined[:60], most=f"{_LONGEST:,} characters")
            found.append(Line(number=number, text=joined[:_LONGEST], refusals=(refusal,)))
            continue
        reader = _Reader(joined, shell, where)
        words = reader.words()
        refusals = tuple(reader.refusals)
        if words or refusals:
            found.append(Line(number=number, text=joined, words=() if refusals else tuple(words), refusals=refusals))
    return tuple(found)


def _logical(text: str) -> list[tuple[int, str]]:
    """Lines with their number, joined where one ends in a backslash (a comment does not go on)."""
    found: list[tuple[int, str]] = []
    parts: list[str] = []
    first = 1
    for number, row in enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1):
        if not parts:
            first = number
        comment = not parts and row.lstrip().startswith("#")
        odd = (len(row) - len(row.rstrip("\\"))) % 2 == 1
        if odd and not comment:
            parts.append(row[:-1])
            continue
        found.append((first, "".join([*parts, row])))
        parts = []
    if parts:  # a backslash that nothing follows is one
        found.append((first, "".join(parts) + "\\"))
    return found


class _Reader:
    """Cuts one logical line into words."""

    def __init__(self, text: str, shell: Shell, where: str) -> None:
        # People copy the prompt along.
        stripped = text.lstrip()
        self.text = stripped[2:] if stripped.startswith("$ ") else text
        self.shell, self.where = shell, where
        self.at = 0
        self.refusals: list[Refusal] = []

    def words(self) -> list[str]:
        found: list[str] = []
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t":
                self.at += 1
            elif char == "#":
                break
            elif (match := _OPERATOR.match(self.text, self.at)) is not None:
                self._operator(match[0])
            else:
                found.append(self._word())
        return found

    def _word(self) -> str:
        start, word = self.at, self._tilde()
        while self.at < len(self.text):
            char = self.text[self.at]
            if char in " \t|&;()<>":
                break
            if char == "\\":
                word += self.text[self.at + 1 : self.at + 2] or char
                self.at += 2
            elif char == "'":
                word += self._single()
            elif char == '"':
                word += self._double()
            elif char in "$`":
                word += self._substitution(quoted=False)
            else:
                word += self._plain(char, start)
        return word

    def _plain(self, char: str, start: int) -> str:
        self.at += 1
        if _WILDCARD.match(self.text, self.at - 1):
            self._refuse("wildcard", self._here(start))
        elif char in _TYPOGRAPHY:
            self._refuse("typography", self._here(start), meant=_TYPOGRAPHY[char])
        else:
            self._control(char)
        return char

    def _control(self, char: str) -> None:
        if (ord(char) < 0x20 and char not in "\t\n") or 0x7F <= ord(char) < 0xA0:
            self._refuse("control", char)

    def _tilde(self) -> str:
        if self.text[self.at] != "~":
            return ""
        end = next((i for i in range(self.at + 1, len(self.text)) if self.text[i] in " \t/:|&;()<>"), len(self.text))
        name = self.text[self.at : end]
        self.at = end
        if name != "~":
            self._refuse("substitution", name)
            return ""
        return self.shell.known["HOME"]

    def _single(self) -> str:
        end = self.text.find("'", self.at + 1)
        if end < 0:
            return self._open()
        inside = self.text[self.at + 1 : end]
        self.at = end + 1
        for char in inside:
            self._control(char)
        return inside

    def _double(self) -> str:
        start, word = self.at, ""
        self.at += 1
        while self.at < len(self.text):
            char = self.text[self.at]
            if char == '"':
                self.at += 1
                return word
            if char == "\\" and self.text[self.at + 1 : self.at + 2] in ("$", "`", '"', "\\"):
                word += self.text[self.at + 1]
                self.at += 2
            elif char in "$`":
                word += self._substitution(quoted=True)
            else:
                self._control(char)
                word += char
                self.at += 1
        self.at = start
        return self._open()

    def _open(self) -> str:
        self._refuse("quotes", self.text[self.at :])
        self.at = len(self.text)
        return ""

    def _substitution(self, *, quoted: bool) -> str:
        rest = self.text[self.at :]
        if rest[0] == "`":
            end = rest.find("`", 1)
            self._refuse("backticks", rest[: end + 1] if end > 0 else rest)
            self.at += end + 1 if end > 0 else len(rest)
            return ""
        if (match := _COMMAND.match(rest)) is not None:
            self.at += match.end()
            what = match[1].split()
            return self.shell.cwd if what == ["pwd"] else str(self.shell.uid if what[1] == "-u" else self.shell.gid)
        if rest.startswith("$("):
            end = _closing(rest)
            self._refuse("substitution", rest[:end])
            self.at += end
            return ""
        name = _NAME.match(rest, 1)
        if rest.startswith("${"):
            name = _NAME.match(rest, 2)
            if name is None or rest[name.end() : name.end() + 1] != "}":
                end = rest.find("}") + 1 or len(rest)
                self._refuse("substitution", rest[:end])
                self.at += end
                return ""
            self.at += name.end() + 1
            return self._variable(name[0])
        if name is not None:
            self.at += name.end()
            return self._variable(name[0])
        # $'…' and $"…" are a shell's own quotes, $? and $1 its parameters; a lone $ is a dollar.
        if rest[1:2] and (rest[1] in "?!$#@*-[0123456789" or (rest[1] in "'\"" and not quoted)):
            self._refuse("substitution", rest[:2])
            self.at += 2
            return ""
        self.at += 1
        return "$"

    def _variable(self, name: str) -> str:
        value = self.shell.known.get(name)
        if value is None:
            self._refuse("variable", f"${name}", known=", ".join(f"${each}" for each in self.shell.known))
            return ""
        return value

    def _operator(self, operator: str) -> None:
        code = {"|": "pipe", "&": "background", "(": "subshell", ")": "subshell"}.get(operator)
        if code is None:
            code = "sequence" if operator in ("&&", "||", ";") else "redirection"
        self._refuse(code, self.text[self.at :])
        # The rest is another command's.
        self.at = len(self.text)

    def _here(self, start: int) -> str:
        return self.text[start:].split(" ")[0]

    def _refuse(self, code: str, value: str, **values: object) -> None:
        if all(refusal.code != code for refusal in self.refusals):
            self.refusals.append(refuse(code, self.where, value, **values))


def _closing(text: str) -> int:
    depth = 0
    for index, char in enumerate(text):
        depth += (char == "(") - (char == ")")
        if char == ")" and depth == 0:
            return index + 1
    return len(text)
