"""The checks of all exercises are proven: `tox -e course` proves those that take minutes, too."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.cli import main
from pytest_dockerlab.grade.batch import Batch
from pytest_dockerlab.grade.course import Course

ROOT = Path(__file__).parents[2]
COURSES = [ROOT / "tests" / name for name in ("exercises_course", "exercises_course_slow")]

# Those whose variants start servers and install much: `tox -e course` has them.
SLOW = {"data-science", "jupyter"}
EXERCISES = sorted({path.name for path in (ROOT / "dockerfiles").iterdir() if path.is_dir()} - SLOW)


@pytest.mark.requires("local_files", "loopback_ports", "memory_limit", "cpu_limit", "pids_limit")
def test_the_checks_of_our_exercises_are_proven(
    lab_session: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Solutions get all, empty submissions nothing, each wrong one fails what it is made for and no more."""
    monkeypatch.setenv("DOCKERLAB_ENGINE", lab_session.engine.endpoint.url)
    code = main(["grade", "--self-test", "--course", str(COURSES[0]), "--jobs", "2", "--only", *EXERCISES])
    told = capsys.readouterr().out
    assert code == 0, told
    rows = [row.split() for row in told.splitlines()[1:-1]]
    assert sorted(row[0] for row in rows) == EXERCISES
    # exercise, checks, points, wrong, near: a wrong one for each check, and a near one at least.
    assert all(row[1] == row[3] and 2 <= int(row[1]) <= 5 and int(row[4]) >= 1 for row in rows), told


@pytest.mark.parametrize("folder", COURSES, ids=[folder.name for folder in COURSES])
def test_students_are_told_in_both_languages(folder: Path, tmp_path: Path) -> None:
    """Each check has a title and a hint, in English and in Japanese."""
    known = Batch(course=Course.at(folder), environ={}, scratch=tmp_path, tell=print).known()
    for check in known.checks:
        for text in (check.title, check.hint):
            assert set(text) == {"en", "ja"}, check.id
        # A hint may be a command, the same in each language.
        assert re.search("[ぁ-んァ-ン一-龯]", check.title["ja"]), check.id
