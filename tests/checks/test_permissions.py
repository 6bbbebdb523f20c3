"""What a user may do, judged from recorded tries."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_dockerlab.checks.permissions import Access, Attempt, allowed, errno_of, refused
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked

GOOD = Attempt(action="create a file in it", worked=True)
TEST = Attempt(action="test -w", worked=True)
NO_TEST = Attempt(action="test -w", worked=False)
DENIED = Attempt(action="create a file in it", worked=False, message="cannot create /d/x: Permission denied")
READ_ONLY = Attempt(action="create a file in it", worked=False, message="can't create /d/x: Read-only file system")
FULL = Attempt(action="create a file in it", worked=False, message="cannot create /d/x: No space left on device")


def access(*attempts: Attempt, user: str = "1111:1111", wanted: str = "writable") -> Access:
    return Access(path="/d", wanted=wanted, user=user, identity="1111:1111", attempts=attempts, control=(GOOD,))


def said(checked: Checked[Any]) -> str:
    assert len(checked.findings) == 1
    return str(checked.findings[0])


@pytest.mark.parametrize(
    ("message", "errno"),
    [
        ("cannot create /d/x: Permission denied", "EACCES"),
        ("can't create /d/x: Read-only file system", "EROFS"),
        ("/x: Operation not permitted", "EPERM"),
        ("cannot create /n/x: Directory nonexistent", "ENOENT"),
        ("cd: can't cd to /root", "EACCES"),
        ("/x: not found", "ENOENT"),
        ("something else", ""),
    ],
)
def test_the_errno_is_read_from_what_shells_say(message: str, errno: str) -> None:
    """dash, bash and busybox put the kernel's words at the end."""
    assert errno_of(message) == errno


def test_every_try_has_to_succeed() -> None:
    """One refused try is enough to say no; it is shown with its errno."""
    assert allowed(access(TEST, GOOD)).ok
    text = said(allowed(access(TEST, DENIED)))
    assert text.startswith("/d is not writable for user 1111:1111\n")
    assert "test -w: worked" in text
    assert "create a file in it: EACCES (cannot create /d/x: Permission denied)" in text


def test_a_refusal_is_compared_with_the_owners_try() -> None:
    """Whether the owner may tells a wrong mode from a wrong owner."""
    assert "its owner may;" in said(allowed(replace(access(NO_TEST, DENIED), owner=(GOOD,))))
    assert "its owner may not either" in said(allowed(replace(access(NO_TEST, DENIED), owner=(DENIED,))))


def test_a_read_only_mount_is_recognised() -> None:
    """It is no question of modes, and the hint says what to mount."""
    text = said(allowed(access(NO_TEST, READ_ONLY)))
    assert "read-only mount" in text
    assert "mount a volume or tmpfs there" in text


def test_refused_means_every_try_for_want_of_permission() -> None:
    """EROFS is a refusal, too."""
    assert refused(access(NO_TEST, DENIED)).ok
    assert refused(access(NO_TEST, READ_ONLY)).ok


def test_a_try_that_worked_is_a_finding() -> None:
    """With all tries, and a word on root, who ignores modes."""
    text = said(refused(access(TEST, GOOD)))
    assert text.startswith("/d is writable for user 1111:1111\n")
    assert "expected: not writable" in text
    root = replace(access(TEST, GOOD, user=""), identity="0:0")
    assert "the container's user (0:0)" in said(refused(root))
    assert "root in a container ignores modes" in said(refused(root))


def test_a_bare_uid_is_hinted_at() -> None:
    """Without a passwd entry it has group 0."""
    text = said(refused(replace(access(TEST, GOOD, user="1111"), identity="1111:0")))
    assert "ask as a user with its group (1111:1111)" in text


def test_a_full_disk_is_no_permission() -> None:
    """What fails for another reason proves nothing."""
    text = said(refused(access(NO_TEST, FULL)))
    assert "not for want of permission" in text
    assert "ENOSPC" in text


def test_without_a_control_nothing_is_judged() -> None:
    """A script that fails everywhere says nothing about the path."""
    for control in ((), (DENIED,)):
        broken = replace(access(NO_TEST, DENIED), control=control)
        with pytest.raises(UsageError, match="the control failed"):
            refused(broken)
        with pytest.raises(UsageError, match="the control failed"):
            allowed(broken)


def test_a_missing_interpreter_is_recognised() -> None:
    """A script whose #! line leads nowhere is not started, whatever its mode."""
    missing = Attempt(action="start it", worked=False, message="/x: not found")
    assert "#! line" in said(allowed(access(TEST, missing, wanted="executable")))
    assert "chmod +x" in said(allowed(access(NO_TEST, DENIED, wanted="executable")))
