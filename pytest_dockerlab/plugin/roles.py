"""The hooks of a run: what every process that runs tests does, what a worker adds, what the leader adds.

They are called in every suite of whoever installs the plugin: what they need is loaded when a suite uses labs.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dockerlab.plugin.current import known_run, needs_engine, run_of

if TYPE_CHECKING:
    from pytest_dockerlab.errors import LabError

__all__ = ["Leader", "Tests", "Worker"]

# Options that collect tests and run none.
_DRY = ("collectonly", "setupplan", "showfixtures", "show_fixtures_per_test")
_MARKS = {"row", "requires", "platforms"}
# After these, a process of the run may have been anywhere in its work.
_BROKEN = (pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR)


def begin(session: pytest.Session) -> LabError | None:
    """Before the first test: rows are recorded, the engine is there and can be asked for what tests require.

    Returns:
        Why the run ends here, once for all tests: no engine, or a mark that can't be meant.
    """
    options = session.config.option
    if any(getattr(options, name, False) for name in _DRY):
        return None
    if session.testsfailed and not options.continue_on_collection_errors:
        return None
    marked = [item for item in session.items if not _MARKS.isdisjoint(mark.name for mark in item.iter_markers())]
    wanted = any(needs_engine(item) for item in session.items)
    if not marked and not wanted:
        return None
    from pytest_dockerlab.errors import LabError
    from pytest_dockerlab.plugin import lookahead, marks

    try:
        marks.record_rows(marked)
        marks.check_marks(marked)
        if wanted:
            run_of(session.config).find_engine()
            run_of(session.config).axis.begin(item for item in session.items if needs_engine(item))
            lookahead.begin(session, run_of(session.config))
    except LabError as error:
        return error
    return None


class Tests:
    """Registered in each process; does something only where tests use labs, or fail.

    What is done about each test of such a run is `each.py`'s.
    """

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "lab_platform" not in metafunc.fixturenames:
            return
        from pytest_dockerlab.errors import UsageError
        from pytest_dockerlab.plugin import axis

        try:
            axis.parametrize(metafunc, run_of(metafunc.config).named)
        except UsageError as error:
            raise pytest.UsageError(str(error)) from error

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        if call.excinfo is None:
            return (yield)
        from pytest_dockerlab.plugin import evidence

        evidence.hide_our_frames(call.excinfo.value, full=item.config.option.fulltrace)
        report = yield
        if report.failed and (run := known_run(item.config)) is not None:
            if call.when != "teardown" and evidence.lacks(item, call.excinfo.value, strict=run.settings.strict):
                evidence.skip(item, report, call.excinfo.value)
                return report
            if run.settings.keep == "failed" and call.when != "teardown":
                run.keep(getattr(item, "fixturenames", ()), item.nodeid)
            names = getattr(item, "fixturenames", ())
            fault = run.fault(call.excinfo.value, names)
            evidence.attach(report, call.excinfo.value, fault, run.evidence(names))
            if fault is not None:
                evidence.mark(item, report)
                if item.nodeid not in run.tally.unjudged:
                    run.tally.unjudged.append(item.nodeid)
                if (lost := run.lost()) is not None:
                    # Every other test would only say the same, one after another.
                    item.session.shouldstop = str(lost)
        return report

    def pytest_assertrepr_compare(self, op: str, left: object, right: object) -> list[str] | None:
        if op != "==" or not isinstance(left, tuple):
            return None
        from pytest_dockerlab.plugin.evidence import compare_layers

        return compare_layers(left, right)


class Worker:
    """An xdist worker: finds the engine before it says what it has collected, and hands over its tally."""

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        # An error raised here would look like a crash, and the worker would be replaced, and fail again.
        if (error := begin(session)) is not None:
            run_of(session.config).door.fail(error)

    # Innermost of the wrappers, so that xdist's own sends what is said here; a wrapper at all, because an interrupted
    # session's fixtures are taken down in this hook, and may fail: the others would wait for this worker for ever.
    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Generator[None, None, None]:
        torn = True
        try:
            yield
            torn = False
        finally:
            told: dict[str, Any] = {}
            if (run := known_run(session.config)) is not None:
                run.close(crashed=torn or session.exitstatus in _BROKEN)
                told = run.tally.to_json()
            session.config.workeroutput["dockerlab"] = told  # type: ignore[attr-defined]  # xdist's


class Leader:
    """The process that the user started: runs the tests itself, or watches the workers that do."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._engines: list[str] = []
        self._platforms: list[str] = []
        self._workers: set[str] = set()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_finish(self, session: pytest.Session) -> None:
        if (error := begin(session)) is not None:
            raise pytest.UsageError(str(error)) from error
        self._show_engine()

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        self._workers.add(node.workerinput["workerid"])
        node.workerinput["dockerlab"] = run_of(self._config).watch_workers()
        # xdist itself hides it from its workers: whether tests of one file are all one worker's.
        node.workerinput["dockerlab_dist"] = self._config.getoption("dist", "no")

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: Any, ids: Sequence[str]) -> None:
        if (failure := run_of(self._config).door.failure) is not None:
            raise pytest.UsageError(str(failure))
        self._show_engine()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: object) -> None:
        # One that crashed, or was killed when the run was interrupted, has no output.
        if (told := getattr(node, "workeroutput", {}).get("dockerlab")) is not None:
            self._workers.discard(node.workerinput["workerid"])
            run_of(self._config).tally.merge(told)

    def _show_engine(self) -> None:
        if (run := known_run(self._config)) is None:
            return
        for headline in run.door.headlines:
            if headline not in self._engines:
                if not self._engines and (idle := run.idle_engines(len(self._workers))):
                    run.progress.now(idle)
                self._engines.append(headline)
                run.progress.now(headline)
        for line in run.axis.headlines():
            if line not in self._platforms:
                self._platforms.append(line)
                run.progress.now(line)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if (run := known_run(self._config)) is not None:
            # A test that asks for a lab only while it runs has its engine found late.
            self._engines = run.door.headlines or self._engines
            self._platforms = run.axis.headlines() or self._platforms
            run.close(crashed=session.exitstatus in _BROKEN or bool(self._workers))
            if run.tally.learned:
                from pytest_dockerlab.plugin import learned

                learned.save(self._config, run.tally.learned)
            if run.tally.trouble and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        if not self._engines or (run := known_run(self._config)) is None:
            return
        verbosity = self._config.get_verbosity()
        if verbosity >= 0 or run.tally.trouble or run.tally.kept:
            from pytest_dockerlab.plugin.summary import summary

            terminalreporter.write_sep("=", "dockerlab")
            for line in summary(sorted(self._engines), run.tally, self._platforms, verbose=verbosity > 0):
                terminalreporter.write_line(line)
