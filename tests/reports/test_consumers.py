"""Reports in the hands of the code that reads them: junitparser, and GitHub Classroom's reporter where it is at hand.

The reporter is no package. With a checkout of classroom-resources/autograding-grading-reporter in which `npm ci` was
run, its own code is tried: ``DOCKERLAB_REPORTER=DIR pytest tests/reports/test_consumers.py``.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from junitparser import JUnitXml

from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.reports.classroom import render_runners
from pytest_dockerlab.reports.formats import render
from pytest_dockerlab.reports.rows import View
from tests.reports.test_reports import submission, submissions

REPORTER = os.environ.get("DOCKERLAB_REPORTER", "")


@given(submissions())
def test_junit_is_read_as_it_was_meant(graded: Graded) -> None:
    """Counts, outcomes and points come out of another's parser as they went in."""
    (suite,) = JUnitXml.fromstring(render("junit", graded).encode())
    outcomes = [check.outcome for check in graded.checks]
    assert (suite.tests, suite.failures, suite.skipped, suite.errors) == (
        len(outcomes),
        outcomes.count("failed"),
        outcomes.count("blocked"),
        0,
    )
    cases = [(f"{case.classname}/{case.name}", case.is_passed) for case in suite]
    assert cases == [(check.id, check.outcome == "passed") for check in graded.checks]
    said = {each.name: each.value for each in suite.properties()}  # type: ignore[no-untyped-call]
    assert (Decimal(said["points"]), Decimal(said["max_points"])) == (graded.points, graded.max_points)


def reported(runners: Mapping[str, str]) -> dict[str, float]:
    """What the reporter sends to the course, from these runners' results."""
    results = {f"{name.upper()}_RESULTS": text for name, text in runners.items()}
    done = subprocess.run(
        ["node", str(Path(REPORTER) / "src" / "main.js")],
        env={"PATH": os.environ["PATH"], "INPUT_RUNNERS": ",".join(runners), **results},
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"title=Autograding report::(\{.*\})", done.stdout)
    assert "TypeError" not in done.stdout + done.stderr
    return dict(json.loads(found[1])) if found else {}


@pytest.mark.skipif(not REPORTER, reason="DOCKERLAB_REPORTER names no checkout of the reporter")
@pytest.mark.parametrize("failing", ["", "curl", "builds", "secret"])
def test_classrooms_reporter_sends_the_points(failing: str) -> None:
    """One runner for all, or one for each check; nothing is sent of what could not be graded."""
    graded = submission(**({failing: "failed"} if failing else {}))
    for runners in ({"dockerlab": render("classroom", graded)}, render_runners(graded, View())):
        sent = reported(runners)
        assert (round(sent["totalPoints"], 6), round(sent["maxPoints"], 6)) == (
            float(graded.points),
            float(graded.max_points),
        )
    lost = submission(curl="not_gradable")
    assert reported({"dockerlab": render("classroom", lost)}) == reported(render_runners(lost, View())) == {}
