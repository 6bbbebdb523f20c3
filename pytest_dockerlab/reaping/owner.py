"""Who owns what is made: a process, named so that it can be told whether it lives."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.errors import FormatError

__all__ = ["LABEL_KEPT", "LABEL_OWNER", "LABEL_RUN", "LABEL_SCOPE", "Owner", "owned_by"]

LABEL_RUN = "org.dockerlab.run"
LABEL_OWNER = "org.dockerlab.owner"
LABEL_SCOPE = "org.dockerlab.scope"
#: On the volume that says what else is kept on request: no label of a thing can be changed once it is made.
LABEL_KEPT = "org.dockerlab.kept"

# The first pid namespace's inode (linux/proc_ns.h, PROC_PID_INIT_INO): that of everything outside of containers.
_FIRST = "pid:[4026531836]"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named so that no other one ever has the same name.

    A pid comes back after a while, and after a reboot; with the time it started at (clock ticks since
    boot, field 22 of ``/proc/PID/stat``, proc(5)) and the boot's id it does not.

    Attributes:
        host: the machine's name; within a container with the number of its pid namespace, since a pid means
            another process there, and two containers may have one name.
        started: ``""`` where it can't be known (no ``/proc``).
    """

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int | None = None) -> Owner:
        """The name of a living process of this host, by default of this one."""
        number = os.getpid() if pid is None else pid
        return cls(_host(), _boot_id(), number, _stat(number)[1])

    @classmethod
    def parse(cls, text: str) -> Owner:
        """Read the label's value.

        Raises:
            FormatError: another form.
        """
        parts = text.split(":")
        # A pid has at most 7 digits (proc(5), pid_max); isdecimal alone also takes a thousand of any script's.
        if len(parts) != 4 or not (parts[2].isascii() and parts[2].isdecimal() and len(parts[2]) <= 10):
            raise FormatError(f"not an owner: {text[:200]!r}", remedy="it is written host:boot-id:pid:starttime")
        return cls(parts[0], parts[1], int(parts[2]), parts[3])

    @property
    def here(self) -> bool:
        """Whether it is, or was, a process of this host."""
        return self.host == _host()

    @property
    def alive(self) -> bool | None:
        """Whether the process lives, be it suspended; ``None`` where that can't be known for sure from here."""
        if not self.here:
            return None
        if self.boot != _boot_id():
            return False
        state, started = _stat(self.pid)
        if state and self.started:
            return state not in "ZX" and started == self.started
        # No /proc, or another user's process that it hides (proc(5), hidepid).
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except (OSError, OverflowError):
            return None
        return None

    def __str__(self) -> str:
        return f"{self.host}:{self.boot}:{self.pid}:{self.started}"


def owned_by(run: str, owner: Owner, scope: str) -> Mapping[str, str]:
    """The labels on everything that a run makes."""
    return {LABEL_RUN: run, LABEL_OWNER: str(owner), LABEL_SCOPE: scope}


def _host() -> str:
    name = platform.node().replace(":", "_")
    try:
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return name  # not Linux
    return name if space == _FIRST else f"{name}/{space.strip('pid:[]')}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""  # not Linux


def _stat(pid: int) -> tuple[str, str]:
    """State and start time, ``""`` where they can't be read."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return "", ""  # gone, or hidden, or not Linux
    # The command stands in parentheses and may hold spaces and parentheses itself.
    fields = text.rpartition(")")[2].split()
    return fields[0], fields[19]
