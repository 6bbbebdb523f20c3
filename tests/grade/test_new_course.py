"""dockerlab new-course: what it writes is a course whose checks are proven."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.cli import main
from pytest_dockerlab.grade.results import read_result

ROOT = Path(__file__).parents[2]


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """A course that was written just now."""
    assert main(["new-course", str(tmp_path / "course")]) == 0
    return tmp_path / "course"


@pytest.mark.requires("memory_limit", "cpu_limit", "pids_limit")
def test_it_is_proven(
    course: Path, lab_session: Lab, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each check passes where it must, and is seen to fail where it must."""
    lab_session.image("alpine")
    monkeypatch.setenv("DOCKERLAB_ENGINE", lab_session.engine.endpoint.url)
    code = main(["grade", "--self-test", "--course", str(course), "--jobs", "2"])
    told = capsys.readouterr().out
    assert code == 0, told
    assert "✓ 13 claims prove 7 checks" in told


def test_students_are_told_in_both_languages(course: Path, tmp_path: Path) -> None:
    """Each check has a title and a hint in English and in Japanese, and each exercise a task in both."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "dockerlab", "-p", "no:cacheprovider"),
            *("tests", f"--dockerlab-result={tmp_path / 'result.json'}"),
        ],
        cwd=course,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    known = read_result(tmp_path / "result.json")
    assert known is not None, done.stdout + done.stderr
    assert len(known.checks) == 7
    for check in known.checks:
        assert set(check.title) == set(check.hint) == {"en", "ja"}, check.id
        assert re.search("[ぁ-ん]", check.title["ja"] + check.hint["ja"])
    for exercise in known.exercises:
        assert re.search("[ぁ-ん]", (course / "tasks" / f"{exercise}.md").read_text("utf-8"))


def test_its_ci_file_is_one(course: Path) -> None:
    """It holds against GitHub's schema, and gives our workflow what it takes."""
    path = course / ".github" / "workflows" / "course.yml"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    given = re.search(r"with: \{ (.*) \}", path.read_text("utf-8"))
    assert given is not None
    ours = (ROOT / ".github" / "workflows" / "course.yml").read_text("utf-8")
    for name in re.findall(r"(\w+):", given[1]):
        assert re.search(rf"^      {name}:$", ours, re.MULTILINE), name


def test_it_is_not_written_over_anything(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with something in it stays as it is, a file too; an empty one is filled."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    assert main(["new-course", str(tmp_path / "full")]) == main(["new-course", str(tmp_path / "file")]) == 2
    assert "is there already, and not empty" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine"]
    assert main(["new-course", str(tmp_path / "empty")]) == 0
    assert "grade --self-test --course" in capsys.readouterr().out
