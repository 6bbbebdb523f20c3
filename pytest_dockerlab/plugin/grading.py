"""Tests as checks that are worth points: the mark ``exercise``, the fixture ``submission``, the file of results.

Loaded in every suite: what it needs is imported where a test carries the mark.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_dockerlab.plugin.current import run_of

if TYPE_CHECKING:
    from pytest_dockerlab.exercises.model import Course
    from pytest_dockerlab.grade.desk import Desk
    from pytest_dockerlab.grade.submission import Submission
    from pytest_dockerlab.lab import Lab
    from pytest_dockerlab.plugin.judging import Judging

__all__ = ["Grading", "submission"]

_MARK = "exercise"
_NAME = "dockerlab-grading"


@pytest.fixture
def submission(request: pytest.FixtureRequest, lab: Lab, lab_session: Lab) -> Iterator[Submission]:
    """What the student handed in for the exercise of this test's mark; the reference, if no submission is named."""
    from pytest_dockerlab.errors import UsageError
    from pytest_dockerlab.plugin.judging import CHECK, OPEN

    check = request.node.stash.get(CHECK, None)
    if check is None:
        raise UsageError(
            f"{request.node.nodeid} asks for a submission, of no exercise",
            remedy='give it @pytest.mark.exercise("ex1", "builds")',
        )
    grading = request.config.pluginmanager.get_plugin(_NAME)
    assert isinstance(grading, Grading)
    opened = grading.desk(lab_session).submission(check.exercise, builds=lab_session, runs=lab)
    request.node.stash[OPEN] = opened
    yield opened
    del request.node.stash[OPEN]


class Grading:
    """Registered in each process; does something only where a test carries the mark, or a result is asked for."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._course: Course | None = None
        self._judging: Judging | None = None
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
        from pytest_dockerlab.plugin.judging import CHECK, Judging

        for item in marked:
            marks = list(item.iter_markers(_MARK))
            if len(marks) > 1:
                raise UsageError(
                    f"{item.nodeid} has {len(marks)} marks @pytest.mark.{_MARK}", remedy="write one test for each check"
                )
            described = (getattr(getattr(item, "function", None), "__doc__", None) or "").strip()
            title = described.splitlines()[0] if described else ""
            item.stash[CHECK] = read_mark(item.nodeid, marks[0].args, marks[0].kwargs, title=title)
        checks = [item.stash[CHECK] for item in marked]
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
                item.stash[CHECK] = check
        self._course = course_of(checks)
        if checks:
            self._judging = Judging(lambda text: self._desk.plain(text) if self._desk is not None else text)
            self._config.pluginmanager.register(self._judging, "dockerlab-judging")

    def _sort(self, items: list[pytest.Item]) -> None:
        """Each check after what it needs; everything else stays where it is."""
        if self._course is None:
            return
        from pytest_dockerlab.exercises.graph import run_order
        from pytest_dockerlab.plugin.judging import CHECK

        of_check = {item.stash[CHECK].id: item for item in items if CHECK in item.stash}
        places = [place for place, item in enumerate(items) if CHECK in item.stash]
        for place, check in zip(places, run_order(item.stash[CHECK] for item in of_check.values()), strict=True):
            items[place] = of_check[check.id]

    # The end of all ---------------------------------------------------------------------------------------------------

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if self._course is None or (path := self._wanted()) is None:
            return
        if self._broken or hasattr(session.config, "workerinput"):
            return
        from pytest_dockerlab.exercises.score import score
        from pytest_dockerlab.reports.formats import render

        run = run_of(self._config)
        reason = str(failure) if (failure := run.door.failure) is not None else ""
        student = run.settings.submission.name if run.settings.submission else "reference"
        results = self._judging.results.values() if self._judging is not None else ()
        graded = score(self._course, results, student=student, reason=reason)
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
