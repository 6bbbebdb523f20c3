"""Assertions about files of images and containers. None of them needs a shell, or a running container."""

from __future__ import annotations

import re

from pytest_dockerlab.assertions.things import Sight, Thing, demanded, read, sight
from pytest_dockerlab.checks import files as check
from pytest_dockerlab.checks.words import Expected
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import demand
from pytest_dockerlab.image.model import FileKind, FileStat

__all__ = ["assert_file", "assert_mode", "assert_no_file", "assert_owner"]


def assert_file(
    thing: Thing,
    path: str,
    content: str | bytes | re.Pattern[str] | None = None,
    *,
    contains: Expected | None = None,
    kind: FileKind | str | None = FileKind.FILE,
) -> FileStat:
    """The image or container has a file at ``path``, with this content. Returns its entry; symlinks are followed.

    Args:
        content: all of it, as text or bytes, or a pattern to be found in it.
        contains: text to be found in it.
        kind: ``"directory"`` for a folder; ``None`` for anything.

    Raises:
        CheckFailed: nothing is there, it is of another kind, or has another content.
    """
    if kind is not None:
        try:
            kind = FileKind(kind)
        except ValueError:
            raise UsageError(
                f"not a kind of file: {kind!r}", remedy=f"one of {', '.join(each.value for each in FileKind)}"
            ) from None
    seen = sight(thing)
    of = seen.of
    found = demanded(check.present(path, seen.lookup(path), of=of, kind=kind))
    if content is None and contains is None:
        return found
    if found.kind is not FileKind.FILE:
        raise UsageError(f"a {found.kind} has no content: {path}", remedy="leave content and contains out")
    if isinstance(content, (str, bytes)) and contains is None and check.is_content(found, content):
        return found
    data = read(thing, found)
    if content is not None:
        demand(check.content(path, data, content, of=of))
    if contains is not None:
        demand(check.contains(path, data, contains, of=of))
    return found


def assert_no_file(thing: Thing, path: str) -> None:
    """The image or container has nothing at ``path``: no file, folder or link.

    Raises:
        CheckFailed: something is there.
    """
    seen = sight(thing)
    demand(check.absent(path, seen.lookup(path, follow=False), of=seen.of))


def _there(seen: Sight, path: str, *, owner: bool) -> FileStat:
    return demanded(check.present(path, seen.lookup(path, owner=owner), of=seen.of, kind=None))


def assert_mode(thing: Thing, path: str, mode: int) -> int:
    """The file or folder at ``path`` has exactly these permission bits. Returns them; symlinks are followed.

    Args:
        mode: an octal number, with set-uid, set-gid and sticky: ``0o755``, ``0o1777``.

    Raises:
        CheckFailed: another mode, or nothing is there.
    """
    seen = sight(thing)
    return demand(check.mode(path, _there(seen, path, owner=False), mode, of=seen.of))


def assert_owner(
    thing: Thing, path: str, uid: int | None = None, gid: int | None = None
) -> tuple[int | None, int | None]:
    """The file or folder at ``path`` belongs to this user and group. Returns uid and gid; symlinks are followed.

    Args:
        uid, gid: numbers; ``None`` leaves one out.

    Raises:
        CheckFailed: another owner, or nothing is there.
        UsageError: neither number was given.
    """
    seen = sight(thing)
    return demand(check.owner(path, _there(seen, path, owner=True), uid=uid, gid=gid, of=seen.of))
