"""``.dockerignore``'s patterns: which paths of a context they leave out.

Rules: moby/patternmatcher, which the docker and BuildKit clients share: ``*`` and ``?`` stay within a folder's
name, ``**`` goes through any number of folders, ``!`` takes back, and the last pattern that matches a path or a
folder above it decides. No pattern makes matching slow: one with many wildcards is not left to ``re``, which
would try all ways one after the other.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator

from pytest_dockerlab.errors import UsageError

__all__ = ["IgnoreRules"]

# A pattern is a row of tokens: a character, a class (as ``re`` writes it), or one of these.
_STAR, _FOLDERS, _ALL = "[^/]*", "(?:.*/)?", ".*"
_ANY = "[^/]"
# How much trying out is left to ``re``: names have at most 255 characters, paths 4096.
_FEW_STARS, _FEW_FOLDERS = 3, 1
_LONGEST = 1024


class IgnoreRules:
    """The patterns of an ignore file, in order.

    Raises:
        UsageError: a pattern that no builder would take.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._patterns = [_Pattern(text) for text in patterns if _cleaned(text.removeprefix("!"))]
        self._back = [each for each in self._patterns if each.negative]

    def ignores(self, path: str) -> bool:
        """Whether a path (relative, ``/`` between its parts) is left out."""
        ignored = False
        lineage = [path[:at] for at, char in enumerate(path) if char == "/"][::-1]
        for pattern in self._patterns:
            # What changes nothing need not be looked at.
            if pattern.negative is ignored and any(map(pattern.matches, (path, *lineage))):
                ignored = not ignored
        return ignored

    def may_keep_below(self, folder: str) -> bool:
        """Whether something below a folder that is left out may be taken back by a ``!``."""
        return any(each.may_match_below(folder) for each in self._back)


class _Pattern:
    def __init__(self, written: str) -> None:
        if len(written) > _LONGEST:
            raise _refused(written, f"is longer than {_LONGEST} characters", "split it")
        self.negative = written.startswith("!")
        self._text = _cleaned(written.removeprefix("!"))
        self._tokens = tuple(_tokens(self._text, written))
        self._literal = "".join(self._tokens) if all(len(token) == 1 for token in self._tokens) else None
        self._folders = self._tokens.count(_FOLDERS)
        quick = self._tokens.count(_STAR) <= _FEW_STARS and self._folders <= _FEW_FOLDERS
        escaped = (re.escape(token) if len(token) == 1 else token for token in self._tokens)
        self._regex = re.compile("".join(escaped), re.DOTALL) if quick else None
        self._machine = None if quick else _Machine(self._tokens)

    def matches(self, path: str) -> bool:
        if self._literal is not None:
            return path == self._literal
        if self._regex is not None:
            return self._regex.fullmatch(path) is not None
        return self._machine is not None and self._machine.matches(path)

    def may_match_below(self, folder: str) -> bool:
        return self._literal is None or f"{self._literal}/".startswith(f"{folder}/")


class _Machine:
    """Follows all ways through a pattern at once, as long as the path is and no longer."""

    def __init__(self, tokens: Iterable[str]) -> None:
        # Folders need two places: before them, and within them, where only a slash leads on.
        self._tokens = [place for token in tokens for place in ((token, "within") if token == _FOLDERS else (token,))]
        self._classes = {token: re.compile(token) for token in self._tokens if token.startswith("[") and len(token) > 1}

    def matches(self, path: str) -> bool:
        places = self._closed({0})
        for char in path:
            places = self._closed({place for at in places for place in self._step(at, char)})
            if not places:
                return False
        return len(self._tokens) in places

    def _step(self, at: int, char: str) -> Iterator[int]:
        token = self._tokens[at] if at < len(self._tokens) else _FOLDERS
        if token == "within":
            yield at
            if char == "/":
                yield at + 1
        elif token == _ALL or (token == _STAR and char != "/"):
            yield at
        elif token == char or (token in self._classes and token != _STAR and self._classes[token].fullmatch(char)):
            yield at + 1

    def _closed(self, places: set[int]) -> set[int]:
        """With the places that are reached without a character."""
        todo, found = [*places], set[int]()
        while todo:
            at = todo.pop()
            if at in found:
                continue
            found.add(at)
            token = self._tokens[at] if at < len(self._tokens) else ""
            if token in (_STAR, _ALL):
                todo.append(at + 1)
            elif token == _FOLDERS:
                todo += [at + 1, at + 2]
        return found


def _cleaned(text: str) -> str:
    """As Go's ``filepath.Clean`` has it, slashes at the ends taken off; ``""`` for what means nothing."""
    return posixpath.normpath(f"/{text.strip()}").lstrip("/")


def _tokens(text: str, written: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        char = text[at]
        at += 1
        if char == "*" and text[at : at + 1] == "*":
            at = len(text) - len(text[at:].lstrip("*"))
            at += text[at : at + 1] == "/"
            yield _ALL if at == len(text) else _FOLDERS
        elif char == "*":
            yield _STAR
        elif char == "?":
            yield _ANY
        elif char == "[":
            token, at = _class(text, at, written)
            yield token
        elif char == "\\":
            if at == len(text):
                raise _refused(written)
            yield text[at]
            at += 1
        else:
            yield char


def _class(text: str, at: int, written: str) -> tuple[str, int]:
    """``[a-c]``, ``[^a-c]``; a backslash takes the next character's meaning away."""
    negated = text[at : at + 1] == "^"
    at += negated
    ranges: list[str] = []
    while text[at : at + 1] != "]" or not ranges:
        low, at = _member(text, at, written)
        high = low
        if text[at : at + 1] == "-":
            high, at = _member(text, at + 1, written)
        if high < low:
            raise _refused(written)
        ranges.append(f"{re.escape(low)}-{re.escape(high)}")
    return f"[{'^/' if negated else ''}{''.join(ranges)}]", at + 1


def _member(text: str, at: int, written: str) -> tuple[str, int]:
    if text[at : at + 1] == "\\":
        at += 1
    elif text[at : at + 1] in ("-", "]"):
        raise _refused(written)
    if at >= len(text):
        raise _refused(written)
    return text[at], at + 1


_REMEDY = "close its [ with a ], put the lower end of a range first, or write \\[ for a bracket itself"


def _refused(written: str, reason: str = "can't be read", remedy: str = _REMEDY) -> UsageError:
    return UsageError(f"a pattern of the ignore file {reason}: {written[:200]!r}", remedy=remedy)
