"""Each test that is a check: held back while what it needs has failed, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator
from dataclasses import replace
from functools import partial

import pytest

from pytest_dockerlab.exercises.faults import result_of
from pytest_dockerlab.exercises.model import Check, Outcome, Result
from pytest_dockerlab.exercises.score import held_back
from pytest_dockerlab.findings import CheckFailed
from pytest_dockerlab.grade.submission import Submission
from pytest_dockerlab.plugin.current import known_run

__all__ = ["CHECK", "OPEN", "Judging"]

CHECK: pytest.StashKey[Check] = pytest.StashKey()
#: What the test works on, while it does.
OPEN: pytest.StashKey[Submission] = pytest.StashKey()
# Names that are made up for each run: a result must not differ for them.
_MADE_UP = re.compile(r"dockerlab/[a-z0-9]+-[0-9a-f]{6}:")


class Judging:
    """Registered where a test is a check.

    Attributes:
        results: by the checks' ids, of those that have ended.
    """

    def __init__(self, plainly: Callable[[str], str]) -> None:
        """Args:
        plainly: takes names of this machine out of a text.
        """
        self.results: dict[str, Result] = {}
        self._outcomes: dict[str, Outcome] = {}
        self._plainly = plainly

    # A wrapper, so that it is before what else is said of the test.
    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Generator[None, None, None]:
        if (check := item.stash.get(CHECK, None)) is not None:
            self._hold_back(item, check)
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        report = yield
        check = item.stash.get(CHECK, None)
        if check is not None and self._outcomes.get(check.id, "passed") == "passed":
            if call.excinfo is not None:
                self._note(self._failed(item, check.id, call.excinfo.value, call.duration))
            elif call.when == "call":
                self._note(result_of(check.id, None, seconds=call.duration))
        return report

    def _hold_back(self, item: pytest.Item, check: Check) -> None:
        # A need that did not run in this process (-k, another worker) is not known to have failed.
        known = replace(check, needs=tuple(need for need in check.needs if need in self._outcomes))
        if (held := held_back(known, self._outcomes)) is not None:
            self._outcomes[check.id] = held
            which = [need for need in known.needs if self._outcomes[need] != "passed"]
            said = {"failed": "failed", "blocked": "is blocked", "not_gradable": "is not gradable"}
            why = ", ".join(f"{need}, which {said[self._outcomes[need]]}" for need in which)
            item.add_marker(pytest.mark.skip(reason=f"blocked: {check.id} needs {why}"))

    def _note(self, result: Result) -> None:
        self.results[result.check] = result
        self._outcomes[result.check] = result.outcome

    def _failed(self, item: pytest.Item, check: str, error: BaseException, seconds: float) -> Result:
        if isinstance(error, pytest.skip.Exception):
            return Result(check=check, outcome="not_gradable", message=f"the check was skipped: {error}")
        if isinstance(error, pytest.fail.Exception) and item.get_closest_marker("requires") and not self._started(item):
            return Result(check=check, outcome="not_gradable", message=f"the engine is not fit for it: {error}")
        run = known_run(item.config)
        fault = run.fault(error, getattr(item, "fixturenames", ())) if run is not None else None
        opened = item.stash.get(OPEN, None)
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
        text = self._plainly(text)
        return _MADE_UP.sub("", text)
