"""A path of an image or a container: there or not, its content, mode and owner."""

from __future__ import annotations

import re
from hashlib import sha256

from pytest_dockerlab.checks.words import Expected, clip, matches, tail, wanted
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.image.model import FileKind, FileStat

__all__ = ["absent", "contains", "content", "is_content", "mode", "mode_text", "owner", "present"]


def mode_text(mode: int) -> str:
    """A mode both ways: ``0o755 (rwxr-xr-x)``."""
    letters = ""
    for shift, special, mark in ((6, 0o4000, "s"), (3, 0o2000, "s"), (0, 0o1000, "t")):
        bits = mode >> shift
        letters += "r" if bits & 4 else "-"
        letters += "w" if bits & 2 else "-"
        execute = bool(bits & 1)
        letters += (mark if execute else mark.upper()) if mode & special else ("x" if execute else "-")
    return f"0o{mode & 0o7777:03o} ({letters})"


def _is(stat: FileStat) -> str:
    article = "an" if stat.kind.value[0] in "aeiou" else "a"
    return f"{article} {stat.kind}" + (f" to {stat.link}" if stat.kind is FileKind.SYMLINK else "")


def present(
    path: str, stat: FileStat | None, *, of: str, kind: FileKind | None = FileKind.FILE
) -> Checked[FileStat | None]:
    """``path`` exists, as ``kind`` unless that is ``None``. Evidence: what is there."""
    if stat is None:
        finding = Finding(
            what=f"{of} has no {path}",
            where=path,
            expected=f"a {kind or 'file or directory'}",
            found="nothing at this path",
            why="later commands that need it will fail with 'No such file or directory'",
            hint="look at the COPY or RUN that should make it; relative targets depend on WORKDIR",
        )
        return Checked(evidence=None, findings=(finding,))
    if kind is None or stat.kind is kind:
        return Checked(evidence=stat)
    finding = Finding(
        what=f"{path} of {of} is {_is(stat)}",
        where=path,
        expected=f"a {kind}",
        found=_is(stat),
        hint="COPY a folder copies what is in it; end the target with / where it should be a folder",
    )
    return Checked(evidence=stat, findings=(finding,))


def absent(path: str, stat: FileStat | None, *, of: str) -> Checked[None]:
    """Nothing is at ``path``."""
    if stat is None:
        return Checked(evidence=None)
    finding = Finding(
        what=f"{of} has {path}",
        where=path,
        expected="nothing at this path",
        found=f"{_is(stat)}, {stat.size} bytes, mode {mode_text(stat.mode)}",
        why="what is in an image is in everybody's copy of it",
        hint="leave it out with .dockerignore, or delete it in the RUN that made it",
    )
    return Checked(evidence=None, findings=(finding,))


def is_content(stat: FileStat, expected: str | bytes) -> bool:
    """Whether the file is known to hold exactly this without being read: an index knows its digest."""
    data = expected.encode() if isinstance(expected, str) else expected
    return bool(stat.digest) and stat.digest == f"sha256:{sha256(data).hexdigest()}"


def content(path: str, data: bytes, expected: str | bytes | re.Pattern[str], *, of: str) -> Checked[bytes]:
    """The file holds exactly the text (or bytes), or the pattern is found in it. Evidence: its content."""
    if isinstance(expected, bytes):
        same = data == expected
    elif isinstance(expected, str):
        same = data == expected.encode()
    else:
        same = bool(expected.search(data.decode("utf-8", "replace")))
    if same:
        return Checked(evidence=data)
    text = data.decode("utf-8", "replace")
    hint = "look at the command that writes it; echo appends a newline, printf does not"
    if isinstance(expected, str) and text.strip() == expected.strip():
        hint = "only white space at the ends differs: echo appends a newline, printf does not"
    elif isinstance(expected, str) and text.replace("\r\n", "\n") == expected:
        hint = "only line ends differ: the file was written with Windows line ends (CRLF)"
    finding = Finding(
        what=f"{path} of {of} has another content",
        where=path,
        expected=_quoted(expected),
        found=repr(text) if len(text) <= 200 else f"{len(data)} bytes, the last lines:\n{tail(text)}",
        hint=hint,
    )
    return Checked(evidence=data, findings=(finding,))


def _quoted(expected: str | bytes | re.Pattern[str]) -> str:
    if isinstance(expected, re.Pattern):
        return wanted(expected)
    return clip(repr(expected), 200)


def contains(path: str, data: bytes, expected: Expected, *, of: str) -> Checked[bytes]:
    """The text stands somewhere in the file, or the pattern is found in it. Evidence: its content."""
    text = data.decode("utf-8", "replace")
    if matches(expected, text):
        return Checked(evidence=data)
    finding = Finding(
        what=f"{path} of {of} does not hold what it should",
        where=path,
        expected=wanted(expected),
        found=f"{len(data)} bytes, the last lines:\n{tail(text)}",
        hint="look at the command that writes it",
    )
    return Checked(evidence=data, findings=(finding,))


def mode(path: str, stat: FileStat, expected: int, *, of: str) -> Checked[int]:
    """The permission bits (set-uid, set-gid and sticky, too) are these. Evidence: the mode."""
    if type(expected) is not int or not 0 <= expected <= 0o7777:
        raise UsageError(f"not a file mode: {expected!r}", remedy="write it as an octal number, such as 0o755")
    if stat.mode == expected:
        return Checked(evidence=stat.mode)
    hint = f"RUN chmod {expected:o} {path}, or COPY --chmod={expected:o} with BuildKit"
    if f"{stat.mode:o}" == str(expected):
        hint = f"write the mode as an octal number: 0o{expected}, not {expected}"
    finding = Finding(
        what=f"{path} of {of} has mode {mode_text(stat.mode)}",
        where=path,
        expected=mode_text(expected),
        found=mode_text(stat.mode),
        why="the three groups of rwx are what its owner, its group and all others may do",
        hint=hint,
    )
    return Checked(evidence=stat.mode, findings=(finding,))


def owner(
    path: str, stat: FileStat, *, uid: int | None, gid: int | None, of: str
) -> Checked[tuple[int | None, int | None]]:
    """Owner and group have these numbers; ``None`` leaves one out. Evidence: uid and gid.

    Raises:
        UsageError: neither is asked for, or the source knows no owners.
    """
    if uid is None and gid is None:
        raise UsageError(f"no owner to compare {path} with", remedy="give uid=, gid= or both")
    if stat.uid is None or stat.gid is None:
        raise UsageError(f"the source of {of} knows no owner of {path}", remedy="ask the image or a container of it")
    evidence = (stat.uid, stat.gid)
    if uid in (None, stat.uid) and gid in (None, stat.gid):
        return Checked(evidence=evidence)
    user, group = ("*" if number is None else str(number) for number in (uid, gid))
    finding = Finding(
        what=f"{path} of {of} belongs to {stat.uid}:{stat.gid}",
        where=path,
        expected=f"{user}:{group}",
        found=f"{stat.uid}:{stat.gid}",
        why="COPY makes files that belong to root, whatever USER says; RUN makes them as USER",
        hint="COPY --chown=…, or RUN chown in the step that makes it",
    )
    return Checked(evidence=evidence, findings=(finding,))
