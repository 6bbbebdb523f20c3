"""The checks of the exercise two-dockerfiles; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_env, assert_file, assert_no_file, assert_output
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "two-dockerfiles",
    "same-file",
    title={"en": "Both images hold the same app.sh", "ja": "2つのイメージに同じ app.sh がある"},
    hint={
        "en": "docker build -t app -f Dockerfile context, then -t app-dev -f Dockerfile.dev context",
        "ja": "docker build -t app -f Dockerfile context と -t app-dev -f Dockerfile.dev context",
    },
)
def test_same_file(submission: Submission) -> None:
    """Both builds of run.txt copy app.sh of the folder context."""
    text = submission.read("context/app.sh")
    for number in (0, 1):
        assert_file(submission.build(number), "/app.sh", text)


@pytest.mark.exercise(
    "two-dockerfiles",
    "stages",
    title={"en": "STAGE says which image it is", "ja": "STAGE でどちらのイメージか分かる"},
    hint={
        "en": "ENV STAGE=production in Dockerfile, ENV STAGE=development in Dockerfile.dev",
        "ja": "Dockerfile に ENV STAGE=production、Dockerfile.dev に ENV STAGE=development",
    },
)
def test_stages(submission: Submission) -> None:
    """The first image is production, the second development."""
    assert_env(submission.build(0), STAGE="production")
    assert_env(submission.build(1), STAGE="development")


@pytest.mark.exercise(
    "two-dockerfiles",
    "tools",
    title={"en": "Only the development image has tools", "ja": "道具は開発用イメージにだけある"},
    hint={
        "en": "The RUN that makes /tools stands in Dockerfile.dev alone.",
        "ja": "/tools を作る RUN は Dockerfile.dev にだけ書きます。",
    },
)
def test_tools(submission: Submission) -> None:
    """/tools is in the development image alone."""
    assert_file(submission.build(1), "/tools")
    assert_no_file(submission.build(0), "/tools")


@pytest.mark.exercise(
    "two-dockerfiles",
    "runs",
    needs=["same-file", "stages"],
    points=2,
    title={"en": "Each runs in its own way", "ja": "それぞれの動き方をする"},
    hint={
        "en": "docker run --rm app, then docker run --rm app-dev, whose CMD has sh -x to show each command.",
        "ja": "docker run --rm app と docker run --rm app-dev。後者の CMD は sh -x で各コマンドを表示します。",
    },
)
def test_runs(submission: Submission) -> None:
    """The first says that it runs in production; the second shows each command, too."""
    assert_output(submission.run(0).check(), "running in production")
    development = submission.run(1).check()
    assert_output(development, "running in development")
    assert_output(development, "+ echo")
