"""Tests with the mark ``exercise``: what is refused, in which order they run, what is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

COURSE = """
import pytest

def check(*args, **kwargs):
    return pytest.mark.exercise("ex1", *args, **kwargs)

@check("last", needs="middle", points=4)
def test_last(): raise RuntimeError("carried out all the same")

@check("middle", needs="first", points=2)
def test_middle(): pass

@check("first")
def test_first(): assert 1 == 2, "\\x1b[1m::error::one is two"

@check("alone", points=0.5)
def test_alone(): pass

@check("broken", points=8)
def test_broken(): None.nothing
"""


def result(pytester: pytest.Pytester, *args: str) -> dict[str, Any]:
    """What an inner run with these arguments writes."""
    pytester.runpytest_subprocess("--dockerlab-result=result.json", *args)
    found: dict[str, Any] = json.loads((pytester.path / "result.json").read_text("utf-8"))
    return found


WRONG = {
    '@pytest.mark.exercise("ex1")': "*test_it.py::test_a: @pytest.mark.exercise takes an exercise and*",
    '@pytest.mark.exercise("ex1", "a", point=1)': "*::test_a: @pytest.mark.exercise: unknown point*",
    '@pytest.mark.exercise("ex1", "a", needs="c")': "*::test_a: ex1/a needs ex1/c, which is no check of this run",
    '@pytest.mark.exercise("ex1", "a", needs="a")': "*::test_a: checks need each other in a circle: ex1/a*",
    '@pytest.mark.exercise("ex1", "b")': "*::test_b: the check ex1/b is there already: *::test_a",
    '@pytest.mark.exercise("e", "a")\n@pytest.mark.exercise("e", "c")': "*::test_a has 2 marks @pytest.mark*",
}


@pytest.mark.parametrize(
    ("marks", "workers"),
    [*((marks, ()) for marks in WRONG), ('@pytest.mark.exercise("ex1", "a", needs="a")', ("-n1",))],
)
def test_a_mark_that_cant_be_meant_ends_the_run(
    pytester: pytest.Pytester, marks: str, workers: tuple[str, ...]
) -> None:
    """Before any test runs, with the test's name; with workers, too."""
    second = '@pytest.mark.exercise("ex1", "b")\ndef test_b(): pass'
    pytester.makepyfile(test_it=f"import pytest\n{marks}\ndef test_a(): pass\n{second}\n")
    ended = (pytester.runpytest_subprocess if workers else pytester.runpytest_inprocess)(*workers)
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines([f"ERROR: {WRONG[marks]}", "*→ *"])


def test_a_check_runs_after_what_it_needs_and_not_in_vain(pytester: pytest.Pytester) -> None:
    """One whose need failed is skipped, and says what that was; what is needed comes first, whatever its place."""
    pytester.makepyfile(test_it=COURSE)
    ran = pytester.runpytest_subprocess("-v")
    ran.assert_outcomes(passed=1, failed=2, skipped=2)
    ran.stdout.fnmatch_lines(
        ["*::test_first FAILED*", "*::test_middle SKIPPED*", "*::test_last SKIPPED*", "*::test_alone PASSED*"]
    )
    pytester.runpytest_subprocess("-rs").stdout.fnmatch_lines_random(
        ["*blocked: ex1/middle needs ex1/first, which failed", "*blocked: ex1/last needs ex1/middle, which is blocked"]
    )


def test_one_check_may_be_run_by_its_id(pytester: pytest.Pytester) -> None:
    """Without what it needs; its result would be no result of the course, and is not written."""
    pytester.makepyfile(test_it=COURSE)
    pytester.runpytest_subprocess("test_it.py::test_middle").assert_outcomes(passed=1)
    refused = pytester.runpytest_subprocess("test_it.py::test_middle", "--dockerlab-result=result.json")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["ERROR: --dockerlab-result: only single tests were named", "*→ name the folder*"])


def test_the_result_has_all_checks_whatever_happened(pytester: pytest.Pytester) -> None:
    """A check that is broken itself is not gradable; what was printed is harmless; the total is the course's."""
    pytester.makepyfile(test_it=COURSE)
    found = result(pytester)
    assert (found["outcome"], found["points"], found["max_points"]) == ("not_gradable", 0.5, 15.5)
    checks = {check["id"]: check for check in found["checks"]}
    assert {name: check["outcome"] for name, check in checks.items()} == {
        "ex1/last": "blocked",
        "ex1/middle": "blocked",
        "ex1/first": "failed",
        "ex1/alone": "passed",
        "ex1/broken": "not_gradable",
    }
    assert r"\x1b[1m" in checks["ex1/first"]["message"]
    assert "\x1b" not in str(found)
    assert checks["ex1/last"]["blocked_by"] == ["ex1/first"]
    assert not list(pytester.path.glob(".result*"))


@pytest.mark.parametrize("args", [("-k", "alone"), ("--collect-only",)])
def test_what_was_not_carried_out_is_not_lost(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    """A part of a course is worth no less in all than the whole, and nothing of it is graded."""
    pytester.makepyfile(test_it=COURSE)
    found = result(pytester, *args)
    assert (found["outcome"], found["max_points"], len(found["checks"])) == ("not_gradable", 15.5, 5)


def test_a_module_that_cant_be_read_gives_no_result(pytester: pytest.Pytester) -> None:
    """Its checks are not known: the course would be worth less than it is."""
    pytester.makepyfile(test_it=COURSE, test_other="import nothing_of_this_name")
    pytester.runpytest_subprocess("--dockerlab-result=result.json")
    assert not (pytester.path / "result.json").exists()


def test_without_an_engine_nothing_is_gradable(pytester: pytest.Pytester) -> None:
    """The reason is the engine's, and no points are lost."""
    pytester.makepyfile(
        test_it='import pytest\n@pytest.mark.exercise("ex1", "builds")\ndef test_it(submission): submission.build()'
    )
    found = result(pytester, "--dockerlab-engine=unix:///nowhere.sock")
    assert found["outcome"] == "not_gradable"
    assert "does not answer" in found["reason"]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (("-n1",), "--dockerlab-result is written by one process alone"),
        (("-k", "test"), "--dockerlab-result: no test has @pytest.mark.exercise"),
    ],
)
def test_a_result_that_cant_be_had_is_told(pytester: pytest.Pytester, args: tuple[str, ...], said: str) -> None:
    """With workers nobody knows of all checks; without checks there is nothing to know."""
    marked = "@pytest.mark.exercise('ex1', 'a')\n" if "-n1" in args else ""
    pytester.makepyfile(test_it=f"import pytest\n{marked}def test_it(): pass")
    ended = pytester.runpytest_subprocess("--dockerlab-result=result.json", *args)
    assert ended.ret == pytest.ExitCode.USAGE_ERROR
    ended.stderr.fnmatch_lines([f"ERROR: {said}", "*→ *"])
    assert not Path(pytester.path, "result.json").exists()


def test_a_submission_belongs_to_an_exercise(pytester: pytest.Pytester, engine: object) -> None:
    """A test that asks for one without the mark is told how to say which."""
    pytester.makepyfile("def test_it(submission): pass")
    ended = pytester.runpytest_subprocess()
    ended.assert_outcomes(errors=1)
    ended.stdout.fnmatch_lines(["*asks for a submission, of no exercise", "*→ give it @pytest.mark.exercise*"])


def test_an_engine_that_lacks_something_costs_no_points(pytester: pytest.Pytester, engine: object) -> None:
    """Not even where that fails a test (``--dockerlab-strict``)."""
    pytester.makepyfile(
        test_it="""
        import pytest
        @pytest.mark.requires("hub", "rootless", "userns_remap")
        @pytest.mark.exercise("ex1", "a")
        def test_it(lab): pass
        """
    )
    for more in ((), ("--dockerlab-strict",)):
        found = result(pytester, *more)
        assert (found["outcome"], found["checks"][0]["outcome"]) == ("not_gradable", "not_gradable")
        assert "rootless" in found["reason"] or "hub" in found["reason"]
