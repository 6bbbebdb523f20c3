"""What a user may do with a path, judged from real tries in a container.

A refusal counts only with its reason (EACCES, EPERM, EROFS) and with a control:
the same script, as the same user, succeeded elsewhere. So a missing shell, a wrong
path or a full disk is never taken for a permission.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_dockerlab.checks.words import listing
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked, Finding

__all__ = ["REFUSALS", "Access", "Attempt", "allowed", "errno_of", "refused"]

# What the kernel says to somebody who may not, errno(3).
REFUSALS = ("EACCES", "EPERM", "EROFS")

# strerror texts; glibc and musl agree on these.
_TEXTS = {
    "permission denied": "EACCES",
    "operation not permitted": "EPERM",
    "read-only file system": "EROFS",
    "no such file or directory": "ENOENT",
    "not a directory": "ENOTDIR",
    "is a directory": "EISDIR",
    "text file busy": "ETXTBSY",
    "no space left on device": "ENOSPC",
    "disk quota exceeded": "EDQUOT",
    "too many levels of symbolic links": "ELOOP",
    "exec format error": "ENOEXEC",
    "not found": "ENOENT",
    "nonexistent directory": "ENOENT",
    "directory nonexistent": "ENOENT",
    # dash's cd names no reason; the path was seen to be a directory before.
    "can't cd to": "EACCES",
}


def errno_of(message: str) -> str:
    """The errno that a shell's message speaks of (``EACCES``), ``""`` for none that is known."""
    text = message.lower()
    return next((name for part, name in _TEXTS.items() if part in text), "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One try.

    Attributes:
        action: ``test -w``, ``create a file in it``, …
        worked: whether it succeeded.
        message: what the shell said.
    """

    action: str
    worked: bool
    message: str = ""

    @property
    def errno(self) -> str:
        return "" if self.worked else errno_of(self.message)

    def __str__(self) -> str:
        if self.worked:
            return f"{self.action}: worked"
        return f"{self.action}: " + (f"{self.errno} ({self.message})" if self.errno else self.message or "no")


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Everything that was tried with one path, as one user.

    Attributes:
        wanted: ``readable``, ``writable`` or ``executable``.
        user: as asked for, ``""`` for the container's own.
        identity: numeric ``uid:gid`` that the tries had, ``""`` if the container has no ``id``.
        attempts: on the path; ``test`` first.
        control: the same on a place where this user surely may.
        owner: the same on the path as its owner, to compare with; may be empty.
        path_is: owner and mode, in words.
    """

    path: str
    wanted: str
    user: str
    attempts: tuple[Attempt, ...]
    control: tuple[Attempt, ...] = ()
    owner: tuple[Attempt, ...] = ()
    identity: str = ""
    path_is: str = ""

    @property
    def who(self) -> str:
        """The user, in words."""
        if not self.user:
            return f"the container's user ({self.identity})" if self.identity else "the container's user"
        return f"user {self.user}" + (f" ({self.identity})" if self.identity and self.identity != self.user else "")

    @property
    def worked(self) -> bool:
        return bool(self.attempts) and all(attempt.worked for attempt in self.attempts)


def _controlled(access: Access) -> None:
    if not access.attempts or not access.control or not all(attempt.worked for attempt in access.control):
        raise UsageError(
            f"permissions can't be tried in this container as {access.who}: the control failed\n"
            + listing(access.control),
            remedy="the image needs a shell, and the user a place to write (/dev/shm or /tmp); "
            "assert_mode and assert_owner need neither",
        )


def allowed(access: Access) -> Checked[Access]:
    """Every try on the path succeeded. Evidence: all tries."""
    if access.worked:
        return Checked(evidence=access)
    _controlled(access)
    reasons = {attempt.errno for attempt in access.attempts if not attempt.worked}
    finding = Finding(
        what=f"{access.path} is not {access.wanted} for {access.who}",
        where=access.path,
        expected=access.wanted,
        found=listing(access.attempts) + (f"\nit is {access.path_is}" if access.path_is else ""),
        why=_why_refused(reasons, access),
        hint=_hint_refused(reasons, access),
    )
    return Checked(evidence=access, findings=(finding,))


def refused(access: Access) -> Checked[Access]:
    """Every try on the path was refused, for want of permission. Evidence: all tries."""
    _controlled(access)
    # What test says is a forecast (some say yes to root on a read-only mount); the tries are the weather.
    tries = [attempt for attempt in access.attempts if not attempt.action.startswith("test ")]
    worked = [attempt for attempt in tries if attempt.worked]
    odd = [attempt for attempt in tries if not attempt.worked and attempt.errno not in REFUSALS]
    if tries and not worked and not odd:
        return Checked(evidence=access)
    if worked:
        finding = Finding(
            what=f"{access.path} is {access.wanted} for {access.who}",
            where=access.path,
            expected=f"not {access.wanted}",
            found=listing(access.attempts) + (f"\nit is {access.path_is}" if access.path_is else ""),
            why=_why_allowed(access),
            hint="ask as a user with its group (1111:1111): a bare uid without a passwd entry gets group 0"
            if access.user.isdigit() and access.identity.endswith(":0")
            else "take the permission away with chmod, or give the path to another owner with chown",
        )
    else:
        finding = Finding(
            what=f"{access.path} is not {access.wanted} for {access.who}, but not for want of permission",
            where=access.path,
            expected=f"refused with one of {', '.join(REFUSALS)}",
            found=listing(access.attempts),
            why="a test that passes because of a missing or busy file proves nothing about permissions",
            hint="mend what the message speaks of, then ask again",
        )
    return Checked(evidence=access, findings=(finding,))


def _why_refused(reasons: set[str], access: Access) -> str:
    if "EROFS" in reasons:
        return "it is on a read-only mount or root file system: nobody may write there, root included"
    if access.owner:
        able = all(attempt.worked for attempt in access.owner)
        return f"its owner {'may' if able else 'may not either'}; the one class (owner, group, other) that fits counts"
    return "modes count for the one class (owner, group, other) that fits the user; every folder above needs x, too"


def _hint_refused(reasons: set[str], access: Access) -> str:
    if "EROFS" in reasons:
        return "mount a volume or tmpfs there, or drop :ro or read_only"
    if access.wanted == "executable" and "ENOENT" in reasons:
        return "the program's interpreter (its #! line) or its loader is missing in the image"
    if access.wanted == "executable":
        return f"RUN chmod +x {access.path}, or COPY --chmod=755 with BuildKit"
    return "chown it to that user (COPY --chown=…, RUN chown), or open its mode to the user's class"


def _why_allowed(access: Access) -> str:
    if access.identity.startswith("0:") or access.user in ("0", "root", "0:0"):
        return "root in a container ignores modes (CAP_DAC_OVERRIDE); only read-only mounts stop it"
    return "whoever runs the container as this user can do so, too"
