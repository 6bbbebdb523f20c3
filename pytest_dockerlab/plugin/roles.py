"""The hooks of a run: what every process that runs tests does, what a worker adds, what the leader adds."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import asdict
from typing import Any

import pytest

from pytest_dockerlab.errors import EngineError, LabError
from pytest_dockerlab.plugin import marks
from pytest_dockerlab.plugin.progress import PREFIX, Follower, Progress, Screen, appender
from pytest_dockerlab.plugin.seat import Folder, Seat
from pytest_dockerlab.plugin.session import LABS, PROGRESS, RUN, Run
from pytest_dockerlab.settings import Settings

__all__ = ["Leader", "Tests", "Worker", "register"]

# Options that collect tests and run none.
_DRY = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")


def needs_engine(item: pytest.Item) -> bool:
    """Whether a test uses a lab, or asks for something of the engine."""
    names = getattr(item, "fixturenames", ())  # not every kind of item has fixtures
    return not LABS.keys().isdisjoint(names) or item.get_closest_marker("requires") is not None


def begin(run: Run, session: pytest.Session) -> None:
    """Before the first test: rows are recorded, the engine is there and can be asked for what tests require.

    Raises:
        LabError: no engine, or a mark that can't be meant: the run ends here, once for all tests.
    """
    options = session.config.option
    if any(getattr(options, name, False) for name in _DRY):
        return
    if session.testsfailed and not options.continue_on_collection_errors:
        return
    marks.record_rows(session.items)
    asking = [item for item in session.items if needs_engine(item)]
    if asking:
        marks.check_marks(asking)
        run.find_engine()


class Tests:
    """Registered in each process; does something only where tests use labs."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if not marks.required(item):
            return
        if reason := marks.unmet(item, self._run.engine.capabilities):
            if self._run.settings.strict:
                pytest.fail(f"{reason} ({self._run.settings.source('strict')} asks for all)", pytrace=False)
            # By a mark, so that the report names the test's place and not this one.
            item.add_marker(pytest.mark.skip(reason=reason))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        if call.excinfo is None:
            return (yield)
        from pytest_dockerlab.plugin import evidence

        error = call.excinfo.value
        evidence.hide_our_frames(error)
        report = yield
        if report.failed:
            if isinstance(error, EngineError):
                self._run.tally.unjudged.append(item.nodeid)
            evidence.attach(report, error, self._run.evidence(getattr(item, "fixturenames", ())))
        return report

    def pytest_runtest_logfinish(self) -> None:
        self._run.announce_bases()

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        if op != "==" or not isinstance(left, tuple):
            return None
        from pytest_dockerlab.plugin.evidence import compare_layers

        return compare_layers(left, right)


class Worker:
    """An xdist worker: finds the engine before it says what it has collected, and hands over its tally."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        try:
            begin(self._run, session)
        except LabError as error:
            # An error here would look like a crash, and the worker would be replaced, and fail again.
            self._run.fail(error)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        self._run.close()
        session.config.workeroutput["dockerlab"] = self._run.tally.to_json()  # type: ignore[attr-defined]  # xdist's


class Leader:
    """The process that the user started: runs the tests itself, or watches the workers that do."""

    def __init__(self, run: Run, config: pytest.Config, screen: Screen) -> None:
        self._run = run
        self._config = config
        self._screen = screen
        self._follower: Follower | None = None
        self._shown = False
        self._workers: set[str] = set()
        self._engine = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        try:
            begin(self._run, session)
        except LabError as error:
            raise pytest.UsageError(str(error)) from error
        self._show_engine()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        self._workers.add(node.workerinput["workerid"])
        node.workerinput["dockerlab"] = asdict(self._run.seat)
        if self._follower is None:
            self._follower = Follower(self._run.folder.path / PROGRESS, self._screen)
            self._follower.start()

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        if (failure := self._run.failure) is not None:
            raise pytest.UsageError(str(failure))
        self._show_engine()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        # One that crashed, or was killed when the run was interrupted, has no output.
        if (told := getattr(node, "workeroutput", {}).get("dockerlab")) is not None:
            self._workers.discard(node.workerinput["workerid"])
            self._run.tally.merge(told)

    def _show_engine(self) -> None:
        if not self._shown and (line := self._run.headline):
            self._shown = True
            self._screen(line)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        # The summary needs it after the run's folder is gone.
        self._engine = self._run.headline
        if self._follower is not None:
            self._follower.stop()
        self._run.close(crashed=bool(self._workers))
        if self._run.tally.trouble and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        verbosity, tally = self._config.get_verbosity(), self._run.tally
        if self._engine and (verbosity >= 0 or tally.trouble):
            from pytest_dockerlab.plugin.summary import summary

            terminalreporter.write_sep("=", PREFIX.strip(": "))
            for line in summary(self._engine, tally, verbose=verbosity > 0):
                terminalreporter.write_line(line)


def register(config: pytest.Config, settings: Settings) -> None:
    """Give this process its part in the run."""
    workerinput: dict[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is None:
        screen = Screen(config)
        run = Run(settings, Seat.new(), Progress(screen))
        role: Leader | Worker = Leader(run, config, screen)
    else:
        told = workerinput.get("dockerlab")
        seat = Seat.of_worker(told, workerinput["workerid"]) if told else Seat.new()
        folder = Folder(seat.run)
        run = Run(settings, seat, Progress(appender(folder.path / PROGRESS, folder.make)))
        role = Worker(run)
    config.stash[RUN] = run
    config.pluginmanager.register(Tests(run), "dockerlab-tests")
    config.pluginmanager.register(role, "dockerlab-role")
