"""Tests as checks that are worth points: the mark ``exercise``, the fixture ``submission``, the file of results.

Loaded in every suite: what it needs is imported where a test carries the mark.
"""

from __future__ import annotations

import os
import re
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_dockerlab.plugin.current import known_run, run_of

if TYPE_CHECKING:
    from pytest_dockerlab.exercises.model import Check, Course, Outcome, Result
    from pytest_dockerlab.grade.desk import Desk
    from pytest_dockerlab.grade.submission import Submission
    from pytest_dockerlab.lab import Lab

__all__ = ["Grading", "submission"]

_MARK = "exercise"
_NAME = "dockerlab-grading"
_CHECK: pytest.StashKey[Check] = pytest.StashKey()
_OPEN: pytest.StashKey[Submission] = pytest.StashKey()
# Names that are made up for each run: a result must not differ for them.
_MADE_UP = re.compile(r"dockerlab/[a-z0-9]+-[0-9a-f]{6}:")


@pytest.fixture
def submission(request: pytest.FixtureRequest, lab: Lab, lab_session: Lab) -> Iterator[Submission]:
    """What the student handed in for the exercise of this test's mark; the reference, if no submission is named."""
    from pytest_dockerlab.errors import UsageError

    check = request.node.stash.get(_CHECK, None)
    if check is None:
        raise UsageError(
            f"{request.node.nodeid} asks for a submission, of no exercise",
            remedy='give it @pytest.mark.exercise("ex1", "builds")',
        )
    grading = request.config.pluginmanager.get_plugin(_NAME)
    assert isinstance(grading, Grading)
    opened = grading.desk(lab_session).submission(check.exercise, builds=lab_session, runs=lab)
    request.node.stash[_OPEN] = opened
    yield opened
    del request.node.stash[_OPEN]


class Grading:
    """Registered in each process; does something only where a test carries the mark, or a result is asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._course: Course | None = None
        self._results: dict[str, Result] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._desk: Desk | None = None
        self._broken = False

    def desk(self, lab: Lab) -> Desk:
        """Where the submission of this run is taken in."""
        if self._desk is None:
            import hashlib

            from pytest_dockerlab.grade.desk import Desk
            from pytest_dockerlab.grade.intake import policies_of

            settings = run_of(self._config).settings
            folder = settings.submission
            self._desk = Desk(
                folder or settings.dockerfiles,
                settings.dockerfiles,
                policies_of(settings.policy),
                lab.engine.scratch,
                nonce=hashlib.sha256(os.fsencode(folder.resolve())).hexdigest()[:16]
                if folder and not settings.trusted
                else "",
            )
        return self._desk

    # The checks -----------------------------------------------------------------------------------------------------

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        # A module that can't be read has checks that nobody counts.
        self._broken = self._broken or report.failed

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, config: pytest.Config, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        # Before -k takes any away: what a course is worth is no matter of that.
        marked = [item for item in items if item.get_closest_marker(_MARK) is not None]
        wanted = self._wanted()
        if not marked and wanted is None:
            return (yield)
        from pytest_dockerlab.errors import UsageError

        try:
            self._read(marked, wanted)
        except UsageError as error:
            if hasattr(config, "workerinput"):
                # Raised here it would look like a crash, and the worker would be replaced.
                run_of(config).door.fail(error)
            else:
                raise pytest.UsageError(str(error)) from error
        done = yield
        self._sort(items)
        return done

    def _wanted(self) -> Path | None:
        option = self._config.getoption("dockerlab_result") or os.environ.get("DOCKERLAB_RESULT")
        if not option and not self._config.getini("dockerlab_result"):
            return None
        return run_of(self._config).settings.result

    def _read(self, marked: list[pytest.Item], wanted: Path | None) -> None:
        from pytest_dockerlab.errors import UsageError
        from pytest_dockerlab.exercises.graph import course_of
        from pytest_dockerlab.exercises.mark import read_mark

        for item in marked:
            marks = list(item.iter_markers(_MARK))
            if len(marks) > 1:
                raise UsageError(
                    f"{item.nodeid} has {len(marks)} marks @pytest.mark.{_MARK}", remedy="write one test for each check"
                )
            described = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()
            title = described.splitlines()[0] if described else ""
            item.stash[_CHECK] = read_mark(item.nodeid, marks[0].args, marks[0].kwargs, title=title)
        checks = [item.stash[_CHECK] for item in marked]
        partly = any("::" in argument for argument in self._config.args)
        if wanted is not None and (partly or not checks):
            raise UsageError(
                f"{run_of(self._config).settings.source('result')}: "
                + ("only single tests were named" if partly else f"no test has @pytest.mark.{_MARK}"),
                remedy="name the folder of the course's tests",
            )
        if wanted is not None and (hasattr(self._config, "workerinput") or self._config.getoption("numprocesses", 0)):
            raise UsageError(
                f"{run_of(self._config).settings.source('result')} is written by one process alone",
                remedy="run pytest without -n; for a class: dockerlab grade --jobs",
            )
        if partly:
            # Whoever names a test by its id wants that one, without what it needs.
            known = {check.id for check in checks}
            checks = [replace(check, needs=tuple(need for need in check.needs if need in known)) for check in checks]
            for item, check in zip(marked, checks, strict=True):
                item.stash[_CHECK] = check
        self._course = course_of(checks)

    def _sort(self, items: list[pytest.Item]) -> None:
        """Each check after what it needs; everything else stays where it is."""
        if self._course is None:
            return
        from pytest_dockerlab.exercises.graph import run_order

        of_check = {item.stash[_CHECK].id: item for item in items if _CHECK in item.stash}
        places = [place for place, item in enumerate(items) if _CHECK in item.stash]
        for place, check in zip(places, run_order(item.stash[_CHECK] for item in of_check.values()), strict=True):
            items[place] = of_check[check.id]

    # Each check's end -------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        if (check := item.stash.get(_CHECK, None)) is None:
            return
        from pytest_dockerlab.exercises.score import held_back

        # A need that did not run in this process (-k, another worker) is not known to have failed.
        known = replace(check, needs=tuple(need for need in check.needs if need in self._outcomes))
        if (held := held_back(known, self._outcomes)) is not None:
            self._outcomes[check.id] = held
            which = [need for need in known.needs if self._outcomes[need] != "passed"]
            said = {"failed": "failed", "blocked": "is blocked", "not_gradable": "is not gradable"}
            why = ", ".join(f"{need}, which {said[self._outcomes[need]]}" for need in which)
            item.add_marker(pytest.mark.skip(reason=f"blocked: {check.id} needs {why}"))

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        check = item.stash.get(_CHECK, None)
        if check is not None and self._outcomes.get(check.id, "passed") == "passed":
            if call.excinfo is not None:
                self._note(self._failed(item, check.id, call.excinfo.value, call.duration))
            elif call.when == "call":
                from pytest_dockerlab.exercises.faults import result_of

                self._note(result_of(check.id, None, seconds=call.duration))
        return report

    def _note(self, result: Result) -> None:
        self._results[result.check] = result
        self._outcomes[result.check] = result.outcome

    def _failed(self, item: pytest.Item, check: str, error: BaseException, seconds: float) -> Result:
        from pytest_dockerlab.exercises.faults import result_of
        from pytest_dockerlab.exercises.model import Result
        from pytest_dockerlab.findings import CheckFailed

        if isinstance(error, pytest.skip.Exception):
            return Result(check=check, outcome="not_gradable", message=f"the check was skipped: {error}")
        if isinstance(error, pytest.fail.Exception) and item.get_closest_marker("requires") and not self._started(item):
            return Result(check=check, outcome="not_gradable", message=f"the engine is not fit for it: {error}")
        run = known_run(item.config)
        fault = run.fault(error, getattr(item, "fixturenames", ())) if run is not None else None
        opened = item.stash.get(_OPEN, None)
        printed = b""
        if opened is not None and fault is None:
            printed = opened.printed()
            if overruns := opened.overruns:
                error = CheckFailed(overruns)
        found = result_of(check, fault or error, output=printed, seconds=seconds)
        plain = partial(self._plain, opened)
        findings = tuple(each.mapped(plain) for each in found.findings)
        return replace(found, message=plain(found.message), output=plain(found.output), findings=findings)

    def _started(self, item: pytest.Item) -> bool:
        """Whether the test itself, or a fixture of it, had begun: what fails before that is ours (``requires``)."""
        return bool(getattr(item, "funcargs", {}))

    def _plain(self, opened: Submission | None, text: str) -> str:
        text = opened.plain(text) if opened is not None else text
        text = self._desk.plain(text) if self._desk is not None else text
        return _MADE_UP.sub("", text)

    # The end of all ---------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        path = self._wanted() if self._course is not None else None
        if path is None or self._broken or hasattr(session.config, "workerinput"):
            return
        assert self._course is not None
        from pytest_dockerlab.exercises.score import score
        from pytest_dockerlab.reports.formats import render

        run = run_of(self._config)
        reason = str(failure) if (failure := run.door.failure) is not None else ""
        student = run.settings.submission.name if run.settings.submission else "reference"
        graded = score(self._course, self._results.values(), student=student, reason=reason)
        _write(path, render("json", graded))


def _write(path: Path, text: str) -> None:
    """Whole, or not at all."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_text(text, "utf-8")
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise pytest.UsageError(
            f"the result can't be written: {error}\n  → name a file in a folder that exists"
        ) from error
