"""Who owns a thing, and in which order things go."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.errors import EngineError, FormatError, LabError, NotFound
from pytest_dockerlab.lab.removal import Job

__all__ = ["LABEL_OWNER", "LABEL_RUN", "LABEL_SCOPE", "ClosingStack", "Owner", "Ownership"]

LABEL_RUN = "org.dockerlab.run"
LABEL_OWNER = "org.dockerlab.owner"
LABEL_SCOPE = "org.dockerlab.scope"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named so that no other one ever has the same name.

    A pid comes back after a while, and after a reboot; with the time it started at (clock ticks since
    boot, field 22 of ``/proc/PID/stat``, proc(5)) and the boot's id it does not.
    """

    host: str
    boot: str
    pid: int
    started: str

    @classmethod
    def of(cls, pid: int | None = None) -> Owner:
        """The name of a living process of this host, by default of this one."""
        number = os.getpid() if pid is None else pid
        return cls(platform.node().replace(":", "_"), _boot_id(), number, _started(number))

    @classmethod
    def parse(cls, text: str) -> Owner:
        """Read the label's value.

        Raises:
            FormatError: another form.
        """
        parts = text.split(":")
        if len(parts) != 4 or not parts[2].isdecimal():
            raise FormatError(f"not an owner: {text!r}", remedy="it is written host:boot-id:pid:starttime")
        return cls(parts[0], parts[1], int(parts[2]), parts[3])

    @property
    def alive(self) -> bool | None:
        """Whether the process lives; ``None`` for one of another host, of which nothing can be known here."""
        if self.host != platform.node().replace(":", "_"):
            return None
        return self.boot == _boot_id() and bool(self.started) and _started(self.pid) == self.started

    def __str__(self) -> str:
        return f"{self.host}:{self.boot}:{self.pid}:{self.started}"


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""  # not Linux


def _started(pid: int) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""  # gone, or not Linux
    # The command stands in parentheses and may hold spaces and parentheses itself.
    return text.rpartition(")")[2].split()[19]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What is written on everything that a lab makes."""

    run: str
    owner: Owner
    scope: str

    @property
    def labels(self) -> Mapping[str, str]:
        return {LABEL_RUN: self.run, LABEL_OWNER: str(self.owner), LABEL_SCOPE: self.scope}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    what: str
    close: Callable[[], None]
    labelled: bool
    later: bool


class ClosingStack:
    """Closers, called in reverse order; one that fails stops none of the others.

    ``contextlib.ExitStack`` keeps only the last error, and can't take an entry out again.
    """

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._next = 0
        self._lock = threading.Lock()

    def push(self, what: str, close: Callable[[], None], *, labelled: bool = False, later: bool = False) -> int:
        """Remember how ``what`` is removed; the result takes it out again (``discard``).

        Args:
            labelled: a sweep of the engine would find it, too, by the run's label.
            later: nobody minds if it is still there for a moment; nothing that is pushed before needs it gone
                unless it is itself not for later.
        """
        with self._lock:
            self._next += 1
            self._entries[self._next] = _Entry(what=what, close=close, labelled=labelled, later=later)
            return self._next

    def discard(self, ticket: int) -> None:
        """Forget an entry: its thing is gone already."""
        with self._lock:
            self._entries.pop(ticket, None)

    def __len__(self) -> int:
        return len(self._entries)

    def forget_labelled(self) -> None:
        """Leave to a sweep what it would find."""
        with self._lock:
            self._entries = {ticket: entry for ticket, entry in self._entries.items() if not entry.labelled}

    def retire(self, submit: Callable[[str, Callable[[], None]], Job]) -> None:
        """As ``close``, but what is for later is only handed to ``submit``, several at a time.

        Where anything else is left, that waits for what is for later, and is closed before this returns.

        Raises:
            EngineError: as ``close``, of what was not for later.
        """
        with self._lock:
            later = [ticket for ticket in sorted(self._entries, reverse=True) if self._entries[ticket].later]
            entries = [self._entries.pop(ticket) for ticket in later]
        jobs = [submit(entry.what, entry.close) for entry in entries]
        if self._entries:
            for job in jobs:
                job.done.wait()
            self.close()

    def close(self) -> None:
        """Call every closer, last pushed first. A thing that is gone already is fine.

        Raises:
            EngineError: some could not be removed; it names each with its reason.
            BaseException: an interrupt, after everything else was closed.
        """
        failures: list[tuple[str, Exception]] = []
        interrupt: BaseException | None = None
        total = 0
        while True:
            with self._lock:
                if not self._entries:
                    break
                entry = self._entries.pop(max(self._entries))
            total += 1
            try:
                entry.close()
            except NotFound:
                pass  # Somebody was faster: what was wanted is so.
            except Exception as error:  # the others must go whatever this one's reason is
                failures.append((entry.what, error))
            except BaseException as error:  # Ctrl-C while closing: first finish, then obey
                interrupt = error
        if interrupt is not None:
            raise interrupt
        if failures:
            rows = "\n".join(f"  {what}: {_first_line(error)}" for what, error in failures)
            raise EngineError(
                f"{len(failures)} of {total} things of this lab could not be removed:\n{rows}",
                remedy=f"look for what is left by its label: docker ps -a --filter label={LABEL_RUN}",
            ) from failures[0][1]


def _first_line(error: Exception) -> str:
    text = error.what if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
    return text.splitlines()[0] if text else type(error).__name__
