"""The checks of the exercise ex2; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import re

import pytest

from pytest_dockerlab import assert_layer_of, assert_output
from pytest_dockerlab.grade.submission import Submission

CURL, VIM = re.compile(r"install[^|;]*\bcurl\b"), re.compile(r"install[^|;]*\bvim\b")


@pytest.mark.exercise(
    "ex2",
    "curl",
    title={"en": "curl works", "ja": "curl が動く"},
    hint={
        "en": "Begin with ex1's Dockerfile; the first docker run of run.txt: docker run --rm ex2 curl --version",
        "ja": "ex1 の Dockerfile から始めます。run.txt の最初の docker run: docker run --rm ex2 curl --version",
    },
)
def test_curl(submission: Submission) -> None:
    """The first docker run of run.txt starts curl."""
    assert_output(submission.run(0).check(), "curl")


@pytest.mark.exercise(
    "ex2",
    "vim",
    title={"en": "vim works", "ja": "vim が動く"},
    hint={
        "en": "The second docker run of run.txt: docker run --rm ex2 vim --version",
        "ja": "run.txt の2番目の docker run: docker run --rm ex2 vim --version",
    },
)
def test_vim(submission: Submission) -> None:
    """The second docker run of run.txt starts vim."""
    assert_output(submission.run(1).check(), "VIM")


@pytest.mark.exercise(
    "ex2",
    "own-run",
    needs=["curl", "vim"],
    points=2,
    title={"en": "vim has a RUN of its own, after curl's", "ja": "vim は curl の後の別の RUN にある"},
    hint={
        "en": "Leave ex1's RUN as it is, so that its step is reused, and write another one for vim below it.",
        "ja": "ex1 の RUN を変えなければ再利用されます。その下に vim 用の RUN を書いてください。",
    },
)
def test_own_run(submission: Submission) -> None:
    """vim has a layer of its own, above curl's."""
    build = submission.build()
    curl, vim = assert_layer_of(build, CURL), assert_layer_of(build, VIM)
    assert (curl.index or 0) < (vim.index or 0), "curl and vim are not in two RUNs, curl's first"
