"""Whose fault it is that a check did not pass: the student's, or not to be judged.

Decided by the error's type alone, never by what a build or a container printed: words can be forged.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pytest_dockerlab.errors import (
    BuildFailed,
    ContainerFailed,
    EngineError,
    FormatError,
    LabError,
    NotFound,
    UsageError,
)
from pytest_dockerlab.exercises.model import Result
from pytest_dockerlab.exercises.refusal import refuse
from pytest_dockerlab.exercises.shown import shown, shown_finding
from pytest_dockerlab.findings import CheckFailed, Finding

__all__ = ["Fault", "fault_of", "result_of"]

Fault = Literal["student", "engine", "check"]
"""``student``: failed. ``engine`` (or network, base, disk) and ``check`` (broken itself): not gradable."""

_STUDENT = (AssertionError, BuildFailed, ContainerFailed, NotFound)
_MOST_FINDINGS = 20


def fault_of(error: BaseException) -> Fault:
    """Whose fault an exception is.

    An assertion that was raised *from* an error of the engine is the engine's; of a group, anything that
    is not the student's decides. What is unknown is the check's: nobody loses points for a bug in it.
    """
    faults = {_own(each) for each in _causes(error)}
    return "engine" if "engine" in faults else "check" if "check" in faults else "student"


def result_of(check: str, error: BaseException | None, *, output: str | bytes = "", seconds: float = 0.0) -> Result:
    """What carrying out a check gave.

    Args:
        check: its id.
        error: that ended it, ``None`` if it passed.
        output: what the student's container printed; the log of a failed build step is found in the error.
    """
    if error is None:
        return Result(check=check, outcome="passed", seconds=seconds)
    fault = fault_of(error)
    failed = next((each for each in _causes(error) if isinstance(each, BuildFailed)), None)
    if failed is not None and failed.log and not output:
        output = failed.log
    findings = tuple(
        shown_finding(finding)
        for each in _causes(error)
        if isinstance(each, CheckFailed) and fault == "student"
        for finding in each.findings[:_MOST_FINDINGS]
    )
    message = "\n".join(map(str, findings)) or shown(_message(error, fault), keep="start")
    if fault == "student" and not findings:
        findings = tuple(_taken_apart(error))
    return Result(
        check=check,
        outcome="failed" if fault == "student" else "not_gradable",
        message=message,
        findings=findings,
        output=shown(output) if output else "",
        seconds=seconds,
    )


def _taken_apart(error: BaseException) -> Iterator[Finding]:
    """What a failed build or container has to say, in every language; its log is shown beside it."""
    for each in _causes(error):
        if isinstance(each, BuildFailed):
            where = f"{each.file}:{each.line}" if each.file and each.line else ""
            step = each.what.removeprefix("the build failed at ")
            yield refuse("build_failed", where, each.what, step=step).finding()
        elif isinstance(each, ContainerFailed):
            yield refuse("container_failed", "", each.what.partition("\n")[0]).finding()


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what it was explicitly raised from, and the members of a group; each once."""
    pending, seen = [error], set[int]()
    while pending:
        each = pending.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        members = getattr(each, "exceptions", None)  # ExceptionGroup is not in Python 3.10
        if isinstance(members, tuple) and members:
            pending.extend(members)
        else:
            yield each
        if each.__cause__ is not None:
            pending.append(each.__cause__)


def _own(error: BaseException) -> Fault:
    if isinstance(error, (EngineError, OSError, MemoryError)):
        return "engine"
    if isinstance(error, _STUDENT) or _is_pytest_fail(error):
        return "student"
    return "check"


def _is_pytest_fail(error: BaseException) -> bool:
    # pytest.fail() raises its own BaseException, which says that it lives in builtins; only plugin/ may import it.
    kinds = [(kind.__module__, kind.__name__) for kind in type(error).__mro__]
    return ("builtins", "Failed") in kinds or ("_pytest.outcomes", "Failed") in kinds


def _message(error: BaseException, fault: Fault) -> str:
    if fault == "check" and not isinstance(error, LabError):
        return f"the check itself is broken: {type(error).__name__}: {error}"
    if isinstance(error, (UsageError, FormatError)):
        return f"the check could not be carried out: {error}"
    if isinstance(error, BuildFailed):
        where = f" ({error.file}:{error.line})" if error.file and error.line else ""
        return error.what + where + (f"\n→ {error.remedy}" if error.remedy else "")
    if isinstance(error, AssertionError):
        # Below what the check says pytest shows the expression, which is of use to the check's author alone.
        return str(error).partition("\nassert ")[0] or "the check failed"
    return str(error) or type(error).__name__
