"""The checks of the exercise ex1; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import re

import pytest

from pytest_dockerlab import assert_env, assert_label, assert_layer_of, assert_layers_added, assert_output
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "ex1",
    "label",
    title={"en": "The image has the label example=1", "ja": "ラベル example=1 がある"},
    hint={"en": "LABEL example=1", "ja": "LABEL example=1"},
)
def test_label(submission: Submission) -> None:
    """The image has the label example=1."""
    assert_label(submission.build(), "example", "1")


@pytest.mark.exercise(
    "ex1",
    "variable",
    title={"en": "PYTHON_VER is 3.10 in the image", "ja": "環境変数 PYTHON_VER が 3.10"},
    hint={
        "en": "ENV PYTHON_VER=3.10 lasts; RUN export ends with its own step.",
        "ja": "ENV PYTHON_VER=3.10 は残ります。RUN export はその手順だけで終わります。",
    },
)
def test_variable(submission: Submission) -> None:
    """PYTHON_VER is 3.10 in the image."""
    assert_env(submission.build(), PYTHON_VER="3.10")


@pytest.mark.exercise(
    "ex1",
    "curl",
    points=2,
    title={"en": "A RUN installs curl, and it works", "ja": "RUN で curl を入れ、動く"},
    hint={
        "en": "RUN apt-get update && apt-get install -y curl; then in run.txt: docker run --rm ex1 curl --version",
        "ja": "RUN apt-get update && apt-get install -y curl。run.txt には docker run --rm ex1 curl --version",
    },
)
def test_curl(submission: Submission) -> None:
    """A RUN installs curl, and the command of run.txt starts it."""
    assert_layer_of(submission.build(), re.compile(r"install[^|;]*\bcurl\b"))
    assert_output(submission.run().check(), "curl")


@pytest.mark.exercise(
    "ex1",
    "one-layer",
    title={"en": "The image has one layer more than its base", "ja": "ベースより1層だけ多い"},
    hint={
        "en": "Each RUN, COPY and ADD makes a layer: join the commands of one RUN with &&.",
        "ja": "RUN、COPY、ADD はそれぞれ層を作ります。1つの RUN に && でまとめてください。",
    },
)
def test_one_layer(submission: Submission) -> None:
    """The image has exactly one layer more than its base."""
    build = submission.build()
    assert_layers_added(build, over=build.base, count=1)
