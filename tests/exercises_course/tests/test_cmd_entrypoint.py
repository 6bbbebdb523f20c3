"""The checks of the exercise cmd-entrypoint; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_cmd, assert_entrypoint
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise("cmd-entrypoint", "builds", title={"en": "The image builds", "ja": "ビルドできる"})
def test_builds(submission: Submission) -> None:
    """The image builds."""
    submission.build()


@pytest.mark.exercise(
    "cmd-entrypoint",
    "entrypoint",
    needs="builds",
    hint={"en": "ENTRYPOINT with brackets", "ja": "ENTRYPOINT を角括弧で書きます"},
)
def test_entrypoint(submission: Submission) -> None:
    """The image always starts ls."""
    assert_entrypoint(submission.build(), ["ls"])


@pytest.mark.exercise("cmd-entrypoint", "cmd", needs="builds", points=0.5)
def test_cmd(submission: Submission) -> None:
    """By default it shows the help."""
    assert_cmd(submission.build(), ["--help"])


@pytest.mark.exercise("cmd-entrypoint", "lists", needs="entrypoint", points=2)
def test_lists(submission: Submission) -> None:
    """The command of run.txt lists one file alone."""
    assert submission.run().check().output == "/test\n"
