"""One pytest run: its name, its engine (found once for all workers), its labs, its end."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import EngineError, EngineUnreachable, LabError
from pytest_dockerlab.plugin import ending, engines, keeping, watch
from pytest_dockerlab.plugin.axis import Axis
from pytest_dockerlab.plugin.current import LABS
from pytest_dockerlab.plugin.door import Door
from pytest_dockerlab.plugin.progress import Follower, Progress
from pytest_dockerlab.plugin.seat import Folder, Seat
from pytest_dockerlab.plugin.sharing import Sharing
from pytest_dockerlab.plugin.tally import Tally
from pytest_dockerlab.settings import Settings

if TYPE_CHECKING:
    from pytest_dockerlab.bases.provide import Bases
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.lab import Lab
    from pytest_dockerlab.lab.events import Recorder
    from pytest_dockerlab.lab.ownership import Owner, Ownership
    from pytest_dockerlab.lab.prebuilt import Prebuilt
    from pytest_dockerlab.lab.removal import Remover
    from pytest_dockerlab.lab.stock import Stock
    from pytest_dockerlab.platforms import Platform
    from pytest_dockerlab.plugin.presence import Presence

__all__ = ["PROGRESS", "Run"]

# In the run's folder: what workers tell of.
PROGRESS = "progress"


class Run:
    """What one process knows of its run.

    Attributes:
        named: the user's choices.
        number: which of the engines that were named this process works on, from 0.
        settings: the choices for this engine.
        seat: which process this is.
        progress: tells of what takes long.
        door: the way to its engine.
    """

    def __init__(self, settings: Settings, seat: Seat, progress: Progress) -> None:
        self.named = settings
        self.number = engines.chosen(settings, seat.worker)
        self.settings = engines.numbered(settings, self.number)
        self.seat = seat
        self.progress = progress
        self.tally = Tally()
        self.labs: dict[str, Lab] = {}
        # A worker's lab_run stays when its tests go on to another platform: others may use what it made.
        self._run_labs: dict[Platform, Lab] = {}
        # Where it looks ahead (plugin.lookahead).
        self.stock: Stock | None = None
        self.prebuilt: Prebuilt | None = None
        self.remover: Remover | None = None
        self.folder = Folder(seat.run)
        self.sharing = Sharing(self.folder, self.number, seat.worker)
        self.door = Door(settings, self.number, seat, self.folder, self.sharing, progress.now)
        self.axis = Axis(self.settings, self.folder, self.number, lambda: self.engine, progress.now)
        self._engine: Engine | None = None
        self._bases: Bases | None = None
        self._recorder: Recorder | None = None
        self._owner: Owner | None = None
        self._follower: Follower | None = None
        self._presence: Presence | None = None
        self._over = False
        self._crashed = False
        self._lost = False

    # The engine ---------------------------------------------------------------------------------------------------

    def idle_engines(self, workers: int) -> str:
        """What to tell of engines that were named and are not used, ``""`` if all are."""
        return engines.idle(self.named, workers)

    @property
    def engine(self) -> Engine:
        """The run's engine; found, or started, by the first process that asks.

        Raises:
            EngineError: there is none. It is the same error for each process that asks.
        """
        if self._engine is None:
            self._engine = self.door.open()
        return self._engine

    def find_engine(self) -> None:
        """Have the engine found before the first test needs it.

        Raises:
            EngineError: there is none.
        """
        self._engine = self.engine

    @property
    def bases(self) -> Bases:
        """Base images on that engine."""
        if self._bases is None:
            from pytest_dockerlab.bases.provide import Bases

            self._bases = Bases(self.engine, self.settings, self.progress.now)
        return self._bases

    def note_bases(self) -> None:
        """Remember how base images came, and say of stand-ins that they are, once each."""
        for provided in self._bases.report() if self._bases is not None else ():
            if provided.title not in self.tally.bases:
                self.tally.bases[provided.title] = "stand-in" if provided.standin else provided.kind
                if provided.standin:
                    self.progress.now(f"{provided.title} is a stand-in, made from the distribution's packages")

    def watch_workers(self) -> dict[str, Any]:
        """Show from now on what workers tell of. Returns what a worker has to know."""
        if self._follower is None:
            self._follower = Follower(self.folder.path / PROGRESS, self.progress.say)
            self._follower.start()
        return asdict(self.seat)

    # Labs ---------------------------------------------------------------------------------------------------------

    def open_lab(self, fixture: str, platform: Platform) -> Lab:
        """A new lab for a fixture and a platform; the fixture ends with ``close_lab``."""
        from pytest_dockerlab.lab import Lab
        from pytest_dockerlab.lab.events import Recorder

        if LABS[fixture] == "run" and (there := self._run_labs.get(platform)) is not None:
            self.labs[fixture] = there
            return there
        if self._recorder is None:
            self._recorder = Recorder()
        kind: Callable[..., Lab] = Lab
        if LABS[fixture] == "run":
            from pytest_dockerlab.plugin.shared import RunLab

            kind = partial(RunLab, sharing=self.sharing, folder=self.folder, tell=self.progress.now)
        lab = self.labs[fixture] = kind(
            self.engine,
            self.bases,
            scope=LABS[fixture],
            run=self.seat.run,
            settings=self.settings,
            recorder=self._recorder,
            owner=self.ownership(LABS[fixture]).owner,
            on_progress=self.progress.later,
            # Alone, a process waits for nobody, and need not look at what it sends.
            turn=None if self.seat.leads else self.sharing.turn,
            stock=self.stock,
            platform=self.axis.foreign(platform),
            prebuilt=self.prebuilt,
        )
        self.presence.opened(fixture)
        if LABS[fixture] == "run" and not self.seat.leads:
            self._run_labs[platform] = lab
        return lab

    @property
    def presence(self) -> Presence:
        """Whether the engine is still there."""
        if self._presence is None:
            from pytest_dockerlab.plugin.presence import Presence

            self._presence = Presence(self.engine.endpoint, self.settings.timeout)
        return self._presence

    def fault(self, error: BaseException, fixtures: Iterable[str]) -> BaseException | None:
        """The engine's fault by which a test with these fixtures failed; ``None`` if it is the test's own."""
        if isinstance(error, EngineError):
            return error
        names = [name for name in fixtures if name in self.labs]
        return self.presence.judge(names) if names else None

    def lost(self) -> EngineError | None:
        """After a fault of the engine: why the run can't go on, if it can't."""
        return self.presence.lost() if self._engine is not None else None

    def ownership(self, scope: str) -> Ownership:
        """What labs of a scope write on all that they make."""
        from pytest_dockerlab.lab.ownership import Owner, Ownership

        if self._owner is None:
            self._owner = Owner.of(self.seat.owner)
        return Ownership(run=self.seat.run, owner=self._owner, scope=scope)

    def close_lab(self, fixture: str) -> None:
        """Remove what a fixture's lab made; a worker's ``lab_run`` stays until all workers are done.

        Raises:
            EngineError: something could not be removed.
        """
        if LABS[fixture] != "run" or self.seat.leads:
            if self.settings.keep == "always":
                self.keep([fixture], keeping.whose(LABS[fixture]))
            lab = self.labs.pop(fixture)
            lab.close() if self.remover is None else lab.retire(self.remover)

    def evidence(self, fixtures: Iterable[str]) -> list[tuple[str, str]]:
        """What the labs among a test's fixtures can say about its failure: (title, text)."""
        labs = [self.labs[name] for name in fixtures if name in self.labs]
        return [section for lab in labs for section in lab.describe_failure()]

    def keep(self, fixtures: Iterable[str], test: str) -> None:
        """Have the containers of the labs among these fixtures stay, and tell how to get at them in the summary."""
        for lab in [self.labs[name] for name in fixtures if name in self.labs]:
            try:
                if (kept := keeping.keep(lab, test, self.folder.path)) is not None:
                    self.tally.kept.append(kept)
            except LabError as error:
                self.tally.trouble.append(f"{test}: its containers could not be kept: {error}")

    # The end ------------------------------------------------------------------------------------------------------

    def close(self, *, crashed: bool = False) -> None:
        """Let go of the engine; the process that leads the run also takes down what its processes shared.

        What can't be removed is told in the summary: the tests have their results.

        Args:
            crashed: a worker ended without having removed what it made; of a worker, it was interrupted itself.
        """
        # Called again after a Ctrl-C that broke off the first attempt, it knows less than that one did.
        crashed = self._crashed = crashed or self._crashed
        self.note_bases()
        for ahead in (self.prebuilt, self.stock):  # what is made of images goes before what makes it is gone
            if ahead is not None:
                self._guard(ahead.close)
        if crashed and not self.seat.leads:
            self._part()
        self.sharing.leave()
        if self._follower is not None:
            self._follower.stop()
            self._follower = None
        if self.settings.keep == "always":
            self.keep(tuple(self.labs), keeping.whose("run"))
        if self.remover is not None:
            self.remover.wait()  # a longer lab's images and networks are free then
        labs = dict.fromkeys((*self.labs.values(), *self._run_labs.values()))
        for what in (*labs, self.remover, self._bases, self._engine, self._presence):
            if what is not None:
                self._guard(what.close)
        self.labs.clear()
        self._run_labs.clear()
        self.axis.close()
        if self.remover is not None:
            self.tally.trouble.extend(self.remover.trouble)
        self.prebuilt = self.stock = self.remover = None
        if self._recorder is not None:
            self.tally.merge({"events": self._recorder.to_json()})
        self._bases = self._engine = self._recorder = self._presence = None
        if self.seat.leads and not self._over:
            self._crashed = True
            self._take_down(crashed)
            others = any(not endpoint.private for endpoint in self.door.endpoints)
            self._over = watch.end(self.folder, left=crashed or self._lost)
            if self._over and self._lost and others:
                self.tally.trouble.append(watch.WAITS)
        self._crashed = False

    def _part(self) -> None:
        """Not to wait for the others: they may wait for this one to say that it has collected the tests."""
        self.sharing.part()
        self.labs.pop("lab_run", None)
        while self._run_labs:
            self._guard(self._run_labs.popitem()[1].leave)

    def _guard(self, action: Callable[[], object]) -> None:
        try:
            action()
        except LabError as error:
            self._lost = self._lost or isinstance(error, EngineUnreachable)
            self.tally.trouble.append(str(error))

    def _take_down(self, crashed: bool) -> None:
        for endpoint in self.door.endpoints:
            self._guard(partial(self._empty, endpoint, crashed))

    def _empty(self, endpoint: Endpoint, crashed: bool) -> None:
        own = ending.is_own(endpoint)
        if crashed or not own:
            self._guard(partial(self._remove_left, endpoint, crashed))
        if own:
            ending.stop(endpoint)

    def _remove_left(self, endpoint: Endpoint, crashed: bool) -> None:
        left = ending.remove_left(endpoint, self.folder, self.seat.run, crashed=crashed, timeout=self.settings.timeout)
        self._lost = self._lost or bool(left)
        self.tally.trouble.extend(left)
