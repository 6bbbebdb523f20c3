"""Whose fault it is."""

from __future__ import annotations

import errno

import pytest

from pytest_dockerlab import errors
from pytest_dockerlab.exercises.faults import fault_of, result_of
from pytest_dockerlab.findings import CheckFailed, Finding

STUDENT = {
    "BuildFailed",
    "BuildTimedOut",
    "BuildOverLimit",
    "ContainerFailed",
    "StartFailed",
    "ExecFailed",
    "WaitTimedOut",
    "NotFound",
}
ENGINE = {
    "EngineError",
    "EngineNotFound",
    "EngineUnreachable",
    "CapabilityMissing",
    "InstallFailed",
    "EngineStartFailed",
    "DiskFull",
    "BaseImageMissing",
}
CHECK = {"LabError", "UsageError", "FormatError", "Conflict"}


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_of_ours_is_somebodys_fault(name: str) -> None:
    """A new error has to be put down here, so that nobody decides by accident."""
    kind: type[errors.LabError] = getattr(errors, name)
    expected = "student" if name in STUDENT else "engine" if name in ENGINE else "check" if name in CHECK else "?"
    assert fault_of(kind("x")) == expected


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (AssertionError("x"), "student"),
        (CheckFailed([Finding(what="x")]), "student"),
        (OSError(errno.ENOSPC, "No space left on device"), "engine"),
        (ConnectionResetError(), "engine"),
        (TimeoutError(), "engine"),
        (MemoryError(), "engine"),
        (TypeError("a bug in the check"), "check"),
        (KeyboardInterrupt(), "check"),
    ],
)
def test_other_errors_too(error: BaseException, fault: str) -> None:
    """Assertions are the student's, the system's are the engine's, and a bug is the check's."""
    assert fault_of(error) == fault


def test_pytests_own_failure_is_the_students() -> None:
    """pytest.fail() in a check is its judgement; pytest.skip() is none."""
    with pytest.raises(pytest.fail.Exception) as failed:
        pytest.fail("wrong")
    assert fault_of(failed.value) == "student"
    with pytest.raises(pytest.skip.Exception) as skipped:
        pytest.skip("no")
    assert fault_of(skipped.value) == "check"


def test_an_assertion_made_of_the_engines_error_is_the_engines() -> None:
    """A helper that raises `from` an EngineError can't turn it into a failure of the student."""
    raised = AssertionError("no answer on port 80")
    raised.__cause__ = errors.EngineUnreachable("gone")
    assert fault_of(raised) == "engine"
    assert result_of("ex1/a", raised).outcome == "not_gradable"


class Group(Exception):
    """As ExceptionGroup, which Python 3.10 has not."""

    def __init__(self, *exceptions: BaseException) -> None:
        super().__init__()
        self.exceptions = exceptions


def test_of_a_group_the_engine_decides() -> None:
    """One error of the engine among assertions makes it not gradable."""
    assert fault_of(Group(AssertionError(), errors.DiskFull("full"))) == "engine"
    assert fault_of(Group(AssertionError(), errors.BuildFailed("no"))) == "student"


def test_words_decide_nothing() -> None:
    """A student who prints the words of a full disk has still failed."""
    error = errors.BuildFailed(
        "the build failed", exit_code=1, log="no space left on device; cannot connect to the Docker daemon"
    )
    assert fault_of(error) == "student"


def test_a_pass_says_nothing() -> None:
    """No message, no output."""
    assert result_of("ex1/a", None, output="x", seconds=2.0).message == ""
    assert result_of("ex1/a", None).outcome == "passed"


def test_a_failed_build_shows_its_step_and_the_end_of_its_log() -> None:
    """What happened, the line, the remedy; the log is output, made harmless."""
    error = errors.BuildFailed(
        "step 2 failed", remedy="spell it right", log="\x1b[31mE: no package\n", file="Dockerfile", line=3
    )
    result = result_of("ex1/builds", error)
    assert result.message == "step 2 failed (Dockerfile:3)\n→ spell it right"
    assert result.output == "\\x1b[31mE: no package"


def test_a_check_is_told_in_its_own_words() -> None:
    """Without the expression that pytest adds; where the check has no words, that is what there is."""
    assert result_of("ex1/a", AssertionError("root wrote it\nassert '0' != '0'")).message == "root wrote it"
    assert result_of("ex1/a", AssertionError("assert 1 == 2")).message == "assert 1 == 2"


def test_what_failed_is_told_in_every_language() -> None:
    """A build's step and a container's end, taken apart; the message stays whole."""
    failed = errors.BuildFailed(
        "the build failed at [2/2] RUN false with exit code 1", file="ex1/Dockerfile", line=2, log="no"
    )
    (finding,) = result_of("ex1/a", failed).findings
    assert (finding.what, finding.where) == ("the build failed at [2/2] RUN false with exit code 1", "ex1/Dockerfile:2")
    assert finding.in_language("ja").what == "ビルドに失敗しました: [2/2] RUN false with exit code 1"
    result = result_of("ex1/a", errors.ContainerFailed("container ex ended with exit code 1\n  its log"))
    assert "its log" in result.message
    assert result.findings[0].what == "container ex ended with exit code 1"
    assert "コンテナー" in result.findings[0].in_language("ja").what
    assert result_of("ex1/a", AssertionError("no")).findings == ()
    assert result_of("ex1/a", errors.EngineError("gone")).findings == ()


def test_findings_are_kept_apart_and_in_the_message() -> None:
    """What was expected and found can be shown in its own place."""
    result = result_of("ex1/a", CheckFailed([Finding(what="port", expected="80", found="::set-output::")]))
    assert result.findings == (Finding(what="port", expected="80", found="\\::set-output::"),)
    assert "\\::set-output::" in result.message


def test_thousands_of_findings_are_cut() -> None:
    """An image with ten thousand wrong files does not fill the report."""
    result = result_of("ex1/a", CheckFailed(Finding(what=f"file {n}") for n in range(10_000)))
    assert len(result.findings) == 20


def test_a_bug_in_a_check_is_named() -> None:
    """The instructor sees which exception it was."""
    result = result_of("ex1/a", ZeroDivisionError("division by zero"))
    assert result.outcome == "not_gradable"
    assert result.message == "the check itself is broken: ZeroDivisionError: division by zero"
