"""A course's own proof: what is claimed, what does not hold, and that one claim's trouble is no other's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.cli import main
from pytest_dockerlab.exercises.model import CheckScore, Outcome
from pytest_dockerlab.exercises.points import ZERO, to_points
from pytest_dockerlab.grade.course import Course
from pytest_dockerlab.grade.selftest import Claim, claims_of, lay_out, needs_others, problems, rounds, strays, table

# No check here needs an engine: which process carries out what is what these tests are of.
CHECKS = """
import os, pathlib, time
import pytest

def answer(config, exercise):
    return pathlib.Path(config.getoption("dockerlab_submission"), exercise, "answer").read_text().strip()

@pytest.mark.exercise("one", "there")
def test_there(request):
    text = answer(request.config, "one") if (pathlib.Path(request.config.getoption("dockerlab_submission")) / "one" /
        "answer").is_file() else ""
    assert text, "no answer"
    if text == "die":
        os._exit(9)

@pytest.mark.exercise("one", "right", needs="there")
def test_right(request):
    assert answer(request.config, "one") == "1"

@pytest.mark.exercise("two", "right", needs="one/there")
def test_two(request):
    assert answer(request.config, "two") == "2"
"""


@pytest.fixture
def course(tmp_path: Path, lab_session: Lab, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A course of two exercises, the second of which rests on the first."""
    monkeypatch.setenv("DOCKERLAB_ENGINE", lab_session.engine.endpoint.url)
    folder = tmp_path / "course"
    put(folder, {"dockerfiles/one": "1", "dockerfiles/two": "2", "wrong/one/there": "", "wrong/one/right": "3"})
    put(folder, {"wrong/two/right": "3", "near/two/blank": " 2 "})
    (folder / "tests").mkdir()
    (folder / "tests" / "test_it.py").write_text(CHECKS)
    # The run's own engine has no fence.
    (folder / "policy.toml").write_text('build_network = "none"\n')
    return folder


def put(course: Path, answers: Mapping[str, str]) -> None:
    """Answers, by the folder that they are in."""
    for folder, text in answers.items():
        (course / folder).mkdir(parents=True)
        (course / folder / "answer").write_text(text)


def prove(course: Path, capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, list[str]]:
    """Exit code and lines of a self-test."""
    capsys.readouterr()
    code = main(["grade", "--self-test", "--course", str(course), "--jobs", "2", *more])
    return code, capsys.readouterr().out.splitlines()


def test_an_exercise_that_rests_on_another_is_proven(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a claim about the other one blocks is looked at again, with the other one's solution."""
    assert prove(course, capsys) == (
        0,
        [
            "exercise  checks  points  wrong  near",
            "one            2       2      2     0  ✓",
            "two            1       1      1     1  ✓",
            "✓ 8 claims prove 3 checks",
        ],
    )


def test_a_process_that_dies_is_the_fault_of_one_claim(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that were graded along with it are graded for themselves."""
    (course / "wrong" / "one" / "right" / "answer").write_text("die")
    code, said = prove(course, capsys)
    assert code == 1
    assert said[1:] == [
        "one            2       2      2     0  ✗",
        "two            1       1      1     1  ✓",
        "✗ wrong/one/right: one/there is not gradable: the check was not carried out",
        "✗ wrong/one/right: one/right is not gradable: the check was not carried out",
    ]


def test_some_exercises_alone_are_proven(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--only names exercises; one that there is not is told."""
    code, said = prove(course, capsys, "--only", "two")
    assert (code, said[-1]) == (0, "✓ 4 claims prove 1 checks")
    assert main(["grade", "--self-test", "--course", str(course), "--only", "three"]) == 2
    assert "no exercise 'three'\n  → --only takes some of one, two" in capsys.readouterr().err


def test_a_variant_of_nothing_is_told(course: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is named after no exercise, or after no check, proves nothing."""
    put(course, {"wrong/three/right": "", "near/tow/blank": "", "wrong/two/wright": ""})
    code, said = prove(course, capsys)
    assert code == 1
    assert [line for line in said if line.startswith("✗")] == [
        "✗ wrong/two/wright: there is no check two/wright",
        "✗ wrong/three: no check is of an exercise three",
        "✗ near/tow: no check is of an exercise tow",
    ]


def test_claims_are_made_together(tmp_path: Path) -> None:
    """One of each exercise in a round, the solutions in the first, what differs laid over the solution."""
    put(tmp_path, {"dockerfiles/a": "a", "wrong/a/x": "w", "near/a/y": "n", "dockerfiles/b": "b", "wrong/c/z": ""})
    course = Course.at(tmp_path)
    made = rounds(claims_of(course, ["a", "b"]))
    assert [[str(claim) for claim in each] for each in made] == [
        ["reference/a", "reference/b"],
        ["empty/a", "empty/b"],
        ["wrong/a/x"],
        ["near/a/y"],
    ]
    assert strays(course, ["a", "b"]) == ["wrong/c: no check is of an exercise c"]
    lay_out(made[2], course.dockerfiles, tmp_path / "out", others=["b"])
    assert {path.parent.name: path.read_text() for path in (tmp_path / "out").glob("*/*")} == {"a": "w", "b": "b"}
    lay_out(made[1], course.dockerfiles, tmp_path / "none")
    assert not list((tmp_path / "none").glob("*/*"))


def scored(*outcomes: Outcome, by: str = "") -> tuple[CheckScore, ...]:
    """Checks x, y, … of the exercise a, a point each."""
    return tuple(
        CheckScore(
            id=f"a/{name}",
            exercise="a",
            outcome=outcome,
            points=to_points(1) if outcome == "passed" else ZERO,
            max_points=to_points(1),
            message="so" if outcome in ("failed", "not_gradable") else "",
            blocked_by=(by,) if outcome == "blocked" else (),
        )
        for name, outcome in zip("xyz", outcomes, strict=False)
    )


REFERENCE, EMPTY = Claim(kind="reference", exercise="a"), Claim(kind="empty", exercise="a")
WRONG, NEAR = Claim(kind="wrong", exercise="a", variant="x"), Claim(kind="near", exercise="a", variant="n")


@pytest.mark.parametrize(
    ("claim", "checks", "said"),
    [
        (WRONG, scored("failed", "passed"), []),
        (WRONG, scored("failed", "blocked", by="a/x"), []),
        (WRONG, scored("failed", "failed"), ["wrong/a/x: fails a/x, a/y, and not a/x alone"]),
        (WRONG, scored("passed", "passed"), ["wrong/a/x: fails nothing, and not a/x alone"]),
        (WRONG, scored("passed", "failed"), ["wrong/a/x: fails a/y, and not a/x alone"]),
        (WRONG, scored("not_gradable", "passed"), ["wrong/a/x: a/x is not gradable: so"]),
        (NEAR, scored("passed", "passed"), []),
        (NEAR, scored("failed", "blocked", by="a/x"), ["near/a/n: a/x fails: so"]),
        (NEAR, scored("passed", "blocked", by="b/x"), ["near/a/n: a/y is blocked"]),
        (EMPTY, scored("failed", "blocked", by="a/x"), []),
        (EMPTY, scored("passed", "failed"), ["empty/a: passes a/x"]),
        (REFERENCE, scored("passed", "failed"), ["reference/a: a/y fails: so"]),
    ],
)
def test_what_does_not_hold(claim: Claim, checks: tuple[CheckScore, ...], said: list[str]) -> None:
    """For each kind of claim, what is found to be otherwise."""
    lines = problems({claim: checks}).get("a", [])
    assert [line for line in lines if "no wrong submission" not in line] == said


def test_a_check_that_nobody_has_seen_fail_is_told() -> None:
    """The table has a cross for its exercise, and the line names the folder to make."""
    graded = {REFERENCE: scored("passed", "passed"), WRONG: scored("failed", "passed")}
    found = problems(graded)
    assert found == {"a": ["a/y: no wrong submission proves that it can fail: make the folder wrong/a/y"]}
    assert table(graded, found) == ("exercise  checks  points  wrong  near\na              2       2      1     0  ✗\n")


def test_what_rests_on_others_is_graded_for_itself() -> None:
    """What another exercise blocks, and what could not be graded; an empty submission has nothing else anyhow."""
    assert not needs_others(WRONG, scored("failed", "blocked", by="a/x"))
    assert needs_others(WRONG, scored("passed", "blocked", by="b/x"))
    assert not needs_others(EMPTY, scored("failed", "blocked", by="b/x"))
    assert needs_others(EMPTY, scored("failed", "not_gradable"))
