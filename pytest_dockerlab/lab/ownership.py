"""Who owns a thing, and in which order things go."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace

from pytest_dockerlab.errors import EngineError, EngineUnreachable, LabError, NotFound
from pytest_dockerlab.lab.removal import Job
from pytest_dockerlab.reaping.owner import LABEL_OWNER, LABEL_RUN, LABEL_SCOPE, Owner, owned_by

__all__ = ["LABEL_OWNER", "LABEL_RUN", "LABEL_SCOPE", "LABEL_SHARED", "ClosingStack", "Owner", "Ownership"]

# On a container that the processes of a run share: which one.
LABEL_SHARED = "org.dockerlab.shared"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """What is written on everything that a lab makes."""

    run: str
    owner: Owner
    scope: str

    @property
    def labels(self) -> Mapping[str, str]:
        return owned_by(self.run, self.owner, self.scope)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    what: str
    close: Callable[[], None]
    labelled: bool
    thing: str
    later: bool


class ClosingStack:
    """Closers, called in reverse order; one that fails stops none of the others.

    ``contextlib.ExitStack`` keeps only the last error, and can't take an entry out again.
    """

    def __init__(self) -> None:
        self._entries: dict[int, _Entry] = {}
        self._next = 0
        self._lock = threading.Lock()

    def push(
        self,
        what: str,
        close: Callable[[], None],
        *,
        labelled: bool = False,
        later: bool = False,
        thing: str = "",
    ) -> int:
        """Remember how ``what`` is removed; the result takes it out again (``discard``).

        Args:
            labelled: a sweep of the engine would find it, too, by the run's label.
            later: nobody minds if it is still there for a moment; nothing that is pushed before needs it gone
                unless it is itself not for later.
            thing: by which ``spare`` finds it: a container's or network's id, a volume's or image's name, a path.
        """
        with self._lock:
            self._next += 1
            entry = _Entry(what=what, close=close, labelled=labelled, later=later, thing=thing)
            self._entries[self._next] = entry
            return self._next

    def discard(self, ticket: int) -> None:
        """Forget an entry: its thing is gone already."""
        with self._lock:
            self._entries.pop(ticket, None)

    def name(self, ticket: int, thing: str) -> None:
        """Say what an entry's thing is called, where that was not known when it was pushed."""
        with self._lock:
            if (entry := self._entries.get(ticket)) is not None:
                self._entries[ticket] = replace(entry, thing=thing)

    @property
    def things(self) -> frozenset[str]:
        """What the entries' things are called."""
        with self._lock:
            return frozenset(entry.thing for entry in self._entries.values() if entry.thing)

    def spare(self, things: Collection[str]) -> None:
        """Forget the entries of these things: somebody else removes them."""
        with self._lock:
            self._entries = {ticket: entry for ticket, entry in self._entries.items() if entry.thing not in things}

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

        An engine that does not answer is not asked for each thing anew: what a sweep would find is left to it.

        Raises:
            EngineError: some could not be removed; it names each with its reason. ``EngineUnreachable`` if that is why.
            BaseException: an interrupt, after everything else was closed.
        """
        failures: list[tuple[str, Exception | None]] = []
        lost: EngineUnreachable | None = None
        interrupt: BaseException | None = None
        total = 0
        while True:
            with self._lock:
                if not self._entries:
                    break
                entry = self._entries.pop(max(self._entries))
            total += 1
            if lost is not None and entry.labelled:
                failures.append((entry.what, None))
                continue
            try:
                entry.close()
            except NotFound:
                pass  # Somebody was faster: what was wanted is so.
            except EngineUnreachable as error:
                lost = error
                failures.append((entry.what, error))
            except Exception as error:  # the others must go whatever this one's reason is
                failures.append((entry.what, error))
            except BaseException as error:  # Ctrl-C while closing: first finish, then obey
                interrupt = error
        if interrupt is not None:
            raise interrupt
        if failures:
            rows = "\n".join(f"  {what}: {_first_line(why)}" if why else f"  {what}" for what, why in failures)
            what = f"{len(failures)} of {total} things of this lab could not be removed:\n{rows}"
            if lost is not None:
                raise EngineUnreachable(what, remedy=f"{lost.remedy}; they go when it answers again") from lost
            raise EngineError(
                what,
                remedy=f"look for what is left by its label: docker ps -a --filter label={LABEL_RUN}",
            ) from failures[0][1]


def _first_line(error: Exception) -> str:
    text = error.what if isinstance(error, LabError) else f"{type(error).__name__}: {error}"
    return text.splitlines()[0] if text else type(error).__name__
