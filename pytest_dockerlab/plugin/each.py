"""What is done about each test of a run that uses labs."""

from __future__ import annotations

import pytest

from pytest_dockerlab.plugin import axis, evidence, marks
from pytest_dockerlab.plugin.current import needs_engine
from pytest_dockerlab.plugin.session import Run
from pytest_dockerlab.plugin.summary import place

__all__ = ["Each"]


class Each:
    """Registered with the run, so that tests of suites without labs are not asked about."""

    def __init__(self, run: Run) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        run = self._run
        if not run.axis.begun:
            return
        platform = run.axis.chosen(axis.param_of(item))
        if item.get_closest_marker("row") is not None:
            marks.record_place(item, place(run.engine.info), run.axis.title(platform))
        if not needs_engine(item) or item.get_closest_marker("skip") is not None:
            return
        reason, fails = run.axis.refusal(platform)
        if not reason and item.get_closest_marker("requires") is not None:
            reason, fails = marks.judged(item, run.axis.capabilities(platform), run.settings)
        if reason and fails:
            pytest.fail(reason, pytrace=False)
        if reason:
            # By a mark, so that the report names the test's place and not this one.
            item.add_marker(pytest.mark.skip(reason=reason))

    def pytest_runtest_teardown(self) -> None:
        self._run.note_bases()

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.CollectReport | pytest.TestReport) -> tuple[str, str, str] | None:
        if report.failed and report.when == "call" and evidence.is_marked(report):
            return "error", "E", "ERROR"
        return None
