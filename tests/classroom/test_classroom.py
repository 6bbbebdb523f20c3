"""A class of ten, made of a course's own variants: graded as it must be, killed in the middle and gone on with."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.grade.course import Course
from pytest_dockerlab.grade.new_course import write_course
from tests.classroom.made import Expected, checks_of, differences, make

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The one that dockerlab new-course writes: small, and as good as any."""
    folder = tmp_path_factory.mktemp("new") / "course"
    write_course(folder)
    return Course.at(folder)


def test_a_class_is_the_same_for_the_same_seed(course: Course, tmp_path: Path) -> None:
    """Another order gives others the same submissions; another seed is another class."""
    checks = checks_of(course, tmp_path)
    classes = {
        name: make(course, checks, tmp_path / name, size=30, seed=seed, order=order)
        for name, seed, order in (("one", 1, 0), ("same", 1, 0), ("order", 1, 5), ("other", 2, 0))
    }
    assert classes["one"] == classes["same"]
    assert list(classes["one"]) != list(classes["order"])
    assert list(classes["one"].values()) == list(classes["order"].values())
    assert list(classes["one"].values()) != list(classes["other"].values())
    kinds = {kind.split()[0] for each in classes["one"].values() for kind in each.what.values()}
    assert kinds == {"right", "near", "wrong", "missing", "harm"}


def test_a_difference_is_found(tmp_path: Path) -> None:
    """Points, a check that should not fail, what is not gradable or missing, and who is in no class."""

    def result(student: str, points: float, *failed: str, outcome: str = "graded") -> None:
        checks = [{"id": each, "outcome": "failed"} for each in failed]
        record = {"outcome": outcome, "reason": "no engine", "points": points, "checks": checks}
        (tmp_path / f"{student}.json").write_text(json.dumps(record))

    wanted = Expected(points=Decimal("1.5"), failed=frozenset({"ex/a"}), what={"ex": "wrong a"})
    for student, points, failed in (("ann", 1.5, "ex/a"), ("bob", 1.5, "ex/b"), ("cat", 2, "ex/a"), ("eve", 1.5, "")):
        result(student, points, *filter(None, [failed]), outcome="not_gradable" if student == "eve" else "graded")
    (tmp_path / "ghost.json").touch()
    assert [
        line.split(": ")[0]
        for line in differences(tmp_path, dict.fromkeys(["ann", "bob", "cat", "dan", "eve"], wanted))
    ] == [
        "bob (ex",
        "cat (ex",
        "dan",
        "eve (ex",
        "ghost",
    ]


@pytest.mark.requires("memory_limit", "cpu_limit", "pids_limit")
def test_a_class_is_graded_as_it_must_be_though_its_batch_is_killed(
    course: Course, tmp_path: Path, lab_session: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """kill -9 in the middle, --resume: the points are those of what each handed in."""
    lab_session.image("alpine")
    monkeypatch.setenv("DOCKERLAB_ENGINE", lab_session.engine.endpoint.url)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    expected = make(course, checks_of(course, tmp_path), tmp_path / "class", size=10, seed=11)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "pytest_dockerlab", "grade", str(tmp_path / "class"), "--out", str(out)]
    command += ["--course", str(course.folder), "--jobs", "2"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as batch:
        while len(list(out.glob("*.json"))) < 4 and batch.poll() is None:
            time.sleep(0.02)
        batch.send_signal(signal.SIGKILL)
    before = {path.name: path.stat().st_mtime_ns for path in out.glob("*.json")}
    assert 4 <= len(before) < 10
    done = subprocess.run([*command, "--resume"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert f"{len(before)} are there already" in done.stderr
    assert differences(out, expected) == []
    assert before.items() <= {path.name: path.stat().st_mtime_ns for path in out.glob("*.json")}.items()
