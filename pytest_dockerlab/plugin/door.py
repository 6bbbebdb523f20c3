"""The way to a run's engine: found, or started, by the first of its processes that asks; a failure is everybody's."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pytest_dockerlab import errors
from pytest_dockerlab.errors import LabError
from pytest_dockerlab.plugin import engines, watch
from pytest_dockerlab.reaping import beside

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.plugin.seat import Folder, Seat
    from pytest_dockerlab.plugin.sharing import Sharing
    from pytest_dockerlab.settings import Settings

__all__ = ["Door"]

# In the run's folder: the addresses of its engines (by number), why the run can't go on.
_ENGINE, _FAILURE = "engine-", "failure.json"


class Door:
    """One process's way to its engine, and what all processes of the run know of their engines.

    Args:
        named: the user's choices.
        number: which of the engines that were named, from 0.
        seat: which process this is.
        folder: the run's.
        sharing: this process's part in what is shared.
        tell: gets a line for people.
    """

    def __init__(
        self, named: Settings, number: int, seat: Seat, folder: Folder, sharing: Sharing, tell: Callable[[str], None]
    ) -> None:
        self._named = named
        self._number = number
        self._settings = engines.numbered(named, number)
        self._seat = seat
        self._folder = folder
        self._sharing = sharing
        self._tell = tell

    @property
    def failure(self) -> LabError | None:
        """What ended the run for all of its processes."""
        record = self._folder.read(_FAILURE)
        if record is None:
            return None
        kind = getattr(errors, record["kind"], LabError)
        error = kind(record["what"], remedy=record["remedy"])
        assert isinstance(error, LabError)
        return error

    def fail(self, error: LabError) -> None:
        """Tell all processes of the run that it can't go on."""
        self._folder.write(_FAILURE, {"kind": type(error).__name__, "what": error.what, "remedy": error.remedy})

    @property
    def headlines(self) -> list[str]:
        """Each engine that is in use, in one line."""
        return [record["headline"] for record in self._folder.records(_ENGINE) if record["headline"]]

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where the run's engines are."""
        return [_endpoint(record) for record in self._folder.records(_ENGINE)]

    def open(self) -> Engine:
        """The engine, ready.

        Raises:
            EngineError: there is none. It is the same error for each process that asks.
        """
        name = f"{_ENGINE}{self._number}"
        with self._folder.lock(name):
            if failure := self.failure:
                raise failure
            scratch = self._join()
            record = self._folder.read(f"{name}.json")
            endpoint = _endpoint(record) if record is not None else self._obtain(name)
        # Not under the lock: loading docker-py takes each process its time, and all may take it at once.
        if record is not None:
            return self._opened(endpoint, scratch)
        from pytest_dockerlab.reaping.sweep import sweep_at_start

        with self._told():
            engine = self._opened(endpoint, scratch)
            sweep_at_start(engine, self._tell)
            from pytest_dockerlab.plugin.summary import headline

            title = engines.title(self._named, self._number)
            said = f"{title}: {headline(engine)}" if title else headline(engine)
            self._folder.write(f"{name}.json", {"endpoint": asdict(endpoint), "headline": said})
        return engine

    def _obtain(self, name: str) -> Endpoint:
        """Find the engine, or start it, and write down for the others where it is."""
        from pytest_dockerlab.engine.discovery import obtain

        with self._told():
            settings = self._settings
            if settings.submission is not None:
                from pytest_dockerlab.grade.fence import fence_of
                from pytest_dockerlab.grade.intake import policies_of

                settings = replace(settings, fence=fence_of(policies_of(settings.policy)))
            endpoint = obtain(settings, owner_pid=self._seat.owner, on_progress=self._tell)
            # Written before it is tried: what was started must be stopped, whether it answers or not.
            self._folder.write(f"{name}.json", {"endpoint": asdict(endpoint), "headline": ""})
            watch.begin(self._folder)
        return endpoint

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """What fails in here ends the run for all of its processes."""
        try:
            yield
        except LabError as error:
            self.fail(failure := engines.blamed(self._named, self._number, error))
            raise failure from error.__cause__

    def _join(self) -> Path:
        """Take part in the run: what the others make for it stays until this process leaves. Its scratch folder."""
        self._sharing.join()
        # Not the engine's lock: a run may have several engines.
        with self._folder.lock("claim"):
            scratch = self._folder.claim(self._seat.owner)
        if not self._seat.leads:
            beside.join(self._folder.path, self._seat.worker)
        return scratch

    def _opened(self, endpoint: Endpoint, scratch: Path) -> Engine:
        """What its verbs make by themselves goes with the run, too."""
        # Imported when an address has answered: docker-py takes longer to load than a wrong address takes to be found.
        from pytest_dockerlab.engine.engine import Engine
        from pytest_dockerlab.reaping.owner import Owner, owned_by

        engine = Engine(endpoint, timeout=self._settings.timeout)
        engine.labels = owned_by(self._seat.run, Owner.of(self._seat.owner), "run")
        engine.scratch = scratch
        return engine


def _endpoint(record: Mapping[str, Any]) -> Endpoint:
    return beside.endpoint_of(record["endpoint"])
