"""dockerlab grade: results on disk, killed and gone on with, what could not be graded, a course's own proof."""

from __future__ import annotations

import json
import marshal
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pytest_dockerlab
from pytest_dockerlab import Lab
from pytest_dockerlab.cli import main
from pytest_dockerlab.engine.things import labelled
from pytest_dockerlab.grade.results import held

ROOT = Path(__file__).parents[2]
# No check here needs an engine: what a batch does with its processes is what these tests are of.
CHECKS = """
import os, pathlib, time
import pytest

def answer(config):
    return (config.getoption("dockerlab_submission") + "/ex/answer", )[0]

@pytest.mark.exercise("ex", "there")
def test_there(request):
    assert pathlib.Path(answer(request.config)).is_file(), "no answer"

@pytest.mark.exercise("ex", "right", needs="there", points=2)
def test_right(request):
    text = pathlib.Path(answer(request.config)).read_text().strip()
    if text == "engine" and not (pathlib.Path(__file__).parents[1] / "mended").exists():
        raise OSError("the disk is full")
    if text == "hang":
        time.sleep(1000)
    if text == "die":
        os._exit(9)
    assert text == "42"
"""


@pytest.fixture
def place(tmp_path: Path, lab_session: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course, and the folder of a class; the run's own engine is the batch's, too."""
    monkeypatch.setenv("DOCKERLAB_ENGINE", lab_session.engine.endpoint.url)
    tests = tmp_path / "course" / "tests"
    tests.mkdir(parents=True)
    (tests / "test_it.py").write_text(CHECKS)
    # The run's own engine has no fence.
    (tests.parent / "policy.toml").write_text('build_network = "none"\n')
    return tmp_path


def hand_in(place: Path, **answers: str) -> None:
    """Answers, by student."""
    for student, text in answers.items():
        own = place / "class" / student / "ex"
        own.mkdir(parents=True)
        (own / "answer").write_text(text)


def command(place: Path, *more: str, out: str = "out") -> list[str]:
    """A command line for this class."""
    return ["grade", str(place / "class"), "--course", str(place / "course"), "--out", str(place / out), *more]


def results(place: Path, out: str = "out") -> dict[str, Any]:
    """What a batch wrote, without how long it took."""
    found = {path.stem: json.loads(path.read_text("utf-8")) for path in (place / out).glob("*.json")}
    for each in found.values():
        for check in each["checks"]:
            del check["seconds"]
    return found


def test_what_cant_be_graded_is_graded_again(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The engine's fault, a process that dies and one that hangs lose nobody's points; the others are graded."""
    hand_in(place, ann="42", bob="41", cat="engine", dan="die")
    assert main(command(place, "--jobs", "2")) == 3
    assert "about" in capsys.readouterr().err
    hand_in(place, eve="hang")
    assert main(command(place, "--only", "eve", "--timeout", "4s", "--format", "markdown,csv", "--lang", "ja")) == 3
    found = results(place)
    assert {name: (each["outcome"], each["points"]) for name, each in found.items()} == {
        "ann": ("graded", 3),
        "bob": ("graded", 1),
        "cat": ("not_gradable", 1),
        "dan": ("not_gradable", 0),
        "eve": ("not_gradable", 0),
    }
    assert {each["max_points"] for each in found.values()} == {3}
    assert "the disk is full" in found["cat"]["reason"]
    assert found["dan"]["reason"].startswith("its process ended with 9")
    assert found["eve"]["reason"] == "it took more than 4 s"
    said = capsys.readouterr()
    assert "3 not gradable, no points lost" in said.err
    assert "ann" in said.out
    assert {path.name for path in (place / "out").iterdir() if path.name != ".lock"} == {
        "class.csv",
        *(f"{name}{suffix}" for name in found for suffix in (".json", ".md")),
    }
    (place / "course" / "mended").touch()
    for student in ("dan", "eve"):
        (place / "class" / student / "ex" / "answer").write_text("42")
    assert main(command(place, "--rerun", "not-gradable")) == 0
    again = results(place)
    assert {name: each["points"] for name, each in again.items()} == {"ann": 3, "bob": 1, "cat": 1, "dan": 3, "eve": 3}
    assert "1/3" in capsys.readouterr().err


def test_killed_and_gone_on_with_it_gives_the_same(place: Path) -> None:
    """kill -9 in the middle leaves whole results only; --resume makes the others, and keeps those."""
    hand_in(place, ann="42", bob="41", cat="", dan="42")
    batch = start(place)
    until(lambda: list((place / "out").glob("*.json")) or batch.poll() is not None)
    batch.send_signal(signal.SIGKILL)
    batch.wait()
    (place / "out" / "cat.json").write_text('{"version": 1, "stud')
    before = (place / "out" / "ann.json").stat().st_mtime_ns
    assert main(command(place, "--resume")) == 0
    assert (place / "out" / "ann.json").stat().st_mtime_ns == before
    assert main(command(place, "--jobs", "2", out="whole")) == 0
    assert results(place) == results(place, "whole")


def test_a_result_counts_as_long_as_what_it_was_made_from(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--resume grades again whose submission has changed, and all when the course or our version has; others tell."""
    hand_in(place, ann="42", bob="41")
    assert main(command(place, "--jobs", "2")) == 0
    assert "2 of 2 done in" in capsys.readouterr().err
    (place / "class" / "bob" / "ex" / "answer").write_text("42")
    assert main(command(place, "--resume")) == 0
    told = capsys.readouterr().err
    assert "the submission has changed: bob: graded again" in told
    assert "1/1 bob: 3 of 3" in told
    (place / "course" / "tests" / "test_it.py").write_text(CHECKS.replace("points=2", "points=4"))
    assert main(command(place, "--only", "ann")) == 0
    assert "the course has changed: bob: their results stay as they are" in capsys.readouterr().err
    assert {name: each["max_points"] for name, each in results(place).items()} == {"ann": 5, "bob": 3}
    result = place / "out" / "ann.json"
    result.write_text(result.read_text().replace('"version": "', '"version": "0.0.1+'))
    assert main(command(place, "--resume")) == 0
    told = capsys.readouterr().err
    assert "version 0.0.1+" in told
    assert "the course has changed: bob: graded again" in told
    assert {each["points"] for each in results(place).values()} == {5}
    assert main(command(place, "--resume")) == 0
    assert "graded again" not in (told := capsys.readouterr().err)
    assert "grading" not in told


def test_two_batches_do_not_write_to_one_folder(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one is told, and a killed one is in nobody's way."""
    hand_in(place, ann="42")
    with held(place / "out"):
        assert main(command(place)) == 2
    assert "another batch is writing to" in capsys.readouterr().err
    assert main(command(place)) == 0


def test_what_is_told_is_the_same_each_time(place: Path, lab_session: Lab) -> None:
    """No id, no folder and no name that was made up for one run is in a result."""
    (place / "course" / "tests" / "test_it.py").write_text(
        "import pytest\n"
        "@pytest.mark.exercise('ex', 'builds')\n"
        "def test_builds(submission): submission.build(1)\n"
        "@pytest.mark.exercise('ex', 'ends')\n"
        "def test_ends(submission): submission.run().check()\n"
        "@pytest.mark.exercise('ex', 'works')\n"
        "def test_works(submission): submission.run(1).exec(['ls', '/nothing']).check()\n"
    )
    for folder in (place / "class" / "ann" / "ex", place / "course" / "dockerfiles" / "ex"):
        folder.mkdir(parents=True)
        (folder / "Dockerfile").write_text("FROM alpine\n")
        (folder / "Dockerfile.wrong").write_text("FROM alpine\nRUN false\n")
        (folder / "run.txt").write_text(
            "docker build -t ex .\ndocker build -f Dockerfile.wrong .\n"
            "docker run ex false\ndocker run -d ex sleep 100\n"
        )
    lab_session.image("alpine")
    assert main(command(place)) == main(command(place, out="again")) == 0
    assert results(place) == results(place, "again")
    assert [check["outcome"] for check in results(place)["ann"]["checks"]] == ["failed"] * 3


def test_a_batch_that_is_killed_takes_its_processes_along(place: Path, lab_session: Lab) -> None:
    """The check that runs then ends with it, and its container is removed."""
    label = f"org.example.{place.parent.name}-{place.name}".replace("_", "-")
    (place / "course" / "tests" / "test_it.py").write_text(
        "import os, pathlib, time, pytest\n"
        "@pytest.mark.exercise('ex', 'hangs')\n"
        "def test_hangs(submission):\n"
        "    submission.run()\n"
        f"    pathlib.Path({str(place / 'pid')!r}).write_text(str(os.getpid()))\n"
        "    time.sleep(1000)\n"
    )
    solution = place / "course" / "dockerfiles" / "ex"
    solution.mkdir(parents=True)
    (solution / "Dockerfile").write_text(f"FROM alpine\nLABEL {label}=1\n")
    (solution / "run.txt").write_text("docker run -d ex sleep 1000\n")
    shutil.copytree(solution, place / "class" / "ann" / "ex")
    lab_session.image("alpine")
    batch = start(place)
    until(lambda: (place / "pid").exists() or batch.poll() is not None)
    assert [thing.kind for thing in labelled(lab_session.engine, {label: ""})] == ["container", "image"]
    pid = int((place / "pid").read_text())
    batch.send_signal(signal.SIGKILL)
    batch.wait()
    until(lambda: not Path(f"/proc/{pid}/cmdline").exists() or not Path(f"/proc/{pid}/cmdline").read_bytes())
    until(lambda: not labelled(lab_session.engine, {label: ""}))


def start(place: Path) -> subprocess.Popen[bytes]:
    """A batch in a process of its own."""
    environ = {**os.environ, "PYTHONPATH": str(Path(pytest_dockerlab.__file__).parents[1])}
    program = "import sys; from pytest_dockerlab.cli import main; sys.exit(main(sys.argv[1:]))"
    return subprocess.Popen(
        [sys.executable, "-c", program, *command(place)],
        env=environ,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def until(done: Callable[[], object], patience: float = 120.0) -> None:
    """Wait for something, as long as a slow machine needs."""
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "nobody"), "no submission of 'nobody'"),
        (("--format", "pdf"), "--format: no such format: 'pdf'"),
        (("--jobs", "0"), "--jobs: 0"),
        (("--course", "nowhere"), "no course at nowhere"),
    ],
)
def test_a_wrong_command_line_is_told(
    place: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    """Before anything is graded, with exit code 2."""
    hand_in(place, ann="42")
    assert main(command(place, *arguments)) == 2
    told = capsys.readouterr().err
    assert said in told
    assert "→" in told
    assert not list(place.glob("out/*"))


def test_results_are_not_written_over_unasked(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder with results needs a word on what is to become of them; --only grades its students again."""
    hand_in(place, ann="42", bob="42")
    assert main(command(place, "--only", "ann")) == 0
    assert main(command(place)) == 2
    assert "has results of 1 students" in capsys.readouterr().err
    assert main(command(place, "--only", "bob")) == 0
    assert set(results(place)) == {"ann", "bob"}


def test_a_course_that_cant_be_read_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With what pytest says of it."""
    hand_in(place, ann="42")
    (place / "course" / "tests" / "test_more.py").write_text("import nothing_of_this_name")
    assert main(command(place)) == 2
    told = capsys.readouterr().err
    assert "can't be collected" in told
    assert "nothing_of_this_name" in told


def test_a_check_that_proves_nothing_is_found(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--self-test: one that an empty submission passes, one that no wrong submission fails, one that fails too much."""
    course = place / "course"
    (course / "tests" / "test_more.py").write_text(
        "import pytest\n@pytest.mark.exercise('ex', 'always')\ndef test_always(): pass\n"
    )
    for folder, text in {
        "dockerfiles/ex": "42",
        "wrong/ex/right": "41",
        "wrong/ex/always": "41",
        "near/ex/spaces": " 42 ",
        "near/ex/words": "forty-two",
    }.items():
        (course / folder).mkdir(parents=True)
        (course / folder / "answer").write_text(text)
    assert main(["grade", "--self-test", "--course", str(course), "--jobs", "2"]) == 1
    said = [line for line in capsys.readouterr().out.splitlines() if line.startswith("✗")]
    assert [line.partition(": ")[0] + ": " + line.partition(": ")[2][:25] for line in said] == [
        "✗ ex/there: no wrong submission prove",
        "✗ empty/ex: passes ex/always",
        "✗ wrong/ex/always: fails ex/right, and not e",
        "✗ near/ex/words: ex/right fails: assert 'f",
    ]


def test_modules_are_compiled_once_but_those_of_the_course(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next batch finds them, but in a folder that others may write to; of a course nothing stays."""
    hand_in(place, ann="42")
    cache = place / "cache"
    monkeypatch.setenv("DOCKERLAB_CACHE", str(cache))
    assert main(command(place)) == 0
    compiled = list((cache / "compiled").rglob("*.pyc"))
    assert not any(path.is_relative_to(f"{cache}/compiled{place}") for path in compiled)
    assert not list((place / "course").rglob("*.pyc"))
    (path,) = (path for path in compiled if path.parent.name == "pytest" and path.name.startswith("__init__."))
    path.write_bytes(path.read_bytes()[:16] + marshal.dumps(compile("raise SystemExit(77)", "planted", "exec")))
    assert main(command(place, out="planted")) == 2
    (cache / "compiled").chmod(0o777)
    assert main(command(place, out="open")) == 0
