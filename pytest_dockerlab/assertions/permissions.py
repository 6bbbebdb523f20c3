"""Assertions about what a user may do with a path, by really trying in the container.

Modes and owners are half of the truth: access lists, read-only mounts, sticky bits,
capabilities and security modules have a say, too, and only the kernel knows them all.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pytest_dockerlab.assertions.probe import try_access
from pytest_dockerlab.assertions.things import RunsCommands
from pytest_dockerlab.checks import permissions as check
from pytest_dockerlab.checks.permissions import Access
from pytest_dockerlab.findings import demand

__all__ = [
    "assert_executable",
    "assert_not_executable",
    "assert_not_readable",
    "assert_not_writable",
    "assert_readable",
    "assert_writable",
]

_Wanted = Literal["readable", "writable", "executable"]


def _allowed(box: RunsCommands, path: str, wanted: _Wanted, user: str | int | None, args: Sequence[str] = ()) -> Access:
    return demand(check.allowed(try_access(box, path, wanted, user=user, args=args)))


def _refused(box: RunsCommands, path: str, wanted: _Wanted, user: str | int | None, args: Sequence[str] = ()) -> Access:
    return demand(check.refused(try_access(box, path, wanted, user=user, args=args)))


def assert_readable(box: RunsCommands, path: str, user: str | int | None = None) -> Access:
    """The user can open the file, or list the folder. Returns what was tried.

    Args:
        user: ``"1111:1111"``, ``1111`` (whose group is then 0), ``"name"``; ``None`` is the container's own user.

    Raises:
        CheckFailed: a try was refused; shows each of them with its errno.
        CheckFailed: there is nothing at ``path``, or the container has ended.
        UsageError: the container was not started, or has no shell.
    """
    return _allowed(box, path, "readable", user)


def assert_not_readable(box: RunsCommands, path: str, user: str | int | None = None) -> Access:
    """The user is refused to open the file, or to list the folder. Returns what was tried.

    The same tries succeed elsewhere as the same user, so that what fails is the permission.

    Raises:
        CheckFailed: a try worked, or failed for another reason than a missing permission.
        CheckFailed: there is nothing at ``path``, or the container has ended.
        UsageError: the container was not started, or has no shell.
    """
    return _refused(box, path, "readable", user)


def assert_writable(box: RunsCommands, path: str, user: str | int | None = None) -> Access:
    """The user can create and delete a file in the folder, or open the file to append to it. Returns what was tried.

    Nothing is changed: the probe in a folder is deleted, a file is opened and closed.

    Raises:
        CheckFailed: a try was refused; shows each of them with its errno.
        CheckFailed: there is nothing at ``path``, or the container has ended.
        UsageError: the container was not started, or has no shell.
    """
    return _allowed(box, path, "writable", user)


def assert_not_writable(box: RunsCommands, path: str, user: str | int | None = None) -> Access:
    """The user is refused to create a file in the folder, or to open the file to append to it. Returns what was tried.

    The same tries succeed elsewhere as the same user, so that what fails is the permission.

    Raises:
        CheckFailed: a try worked, or failed for another reason than a missing permission.
        CheckFailed: there is nothing at ``path``, or the container has ended.
        UsageError: the container was not started, or has no shell.
    """
    return _refused(box, path, "writable", user)


def assert_executable(
    box: RunsCommands, path: str, user: str | int | None = None, *, args: Sequence[str] = ("--version",)
) -> Access:
    """The user can start the program, or enter the folder. Returns what was tried.

    The program is really started, with nothing to read, and killed if it still runs two
    seconds later (what it has started in turn is not); its output and exit code don't matter.

    Args:
        args: what it is started with.

    Raises:
        CheckFailed: it could not be started; shows why.
        CheckFailed: there is nothing at ``path``, or the container has ended.
        UsageError: the container was not started, or has no shell.
    """
    return _allowed(box, path, "executable", user, args)


def assert_not_executable(
    box: RunsCommands, path: str, user: str | int | None = None, *, args: Sequence[str] = ("--version",)
) -> Access:
    """The user is refused to start the program, or to enter the folder. Returns what was tried.

    It is really started if it can be; see ``assert_executable``.

    Raises:
        CheckFailed: it started, or failed for another reason than a missing permission.
        CheckFailed: there is nothing at ``path``, or the container has ended.
        UsageError: the container was not started, or has no shell.
    """
    return _refused(box, path, "executable", user, args)
