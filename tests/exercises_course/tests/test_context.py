"""The checks of the exercise context; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import BuildFailed, assert_context_size, assert_file, assert_no_file
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "context",
    "keeps",
    title={"en": "What is needed is in the image", "ja": "必要なものがイメージにある"},
    hint={
        "en": "COPY . /context brings them; in .dockerignore, !notes/keep.txt below notes lets one file in again.",
        "ja": "COPY . /context で入れます。.dockerignore では notes の下に !notes/keep.txt と書くと除外から外れます。",
    },
)
def test_keeps(submission: Submission) -> None:
    """app.txt and the one note are in the image."""
    build = submission.build()
    assert_file(build, "/context/app.txt")
    assert_file(build, "/context/notes/keep.txt")


@pytest.mark.exercise(
    "context",
    "ignores",
    title={"en": "Logs and drafts are not in the image", "ja": "ログと下書きがイメージにない"},
    hint={
        "en": "Name them in a file .dockerignore beside the Dockerfile: *.log and notes",
        "ja": "Dockerfile の隣の .dockerignore に *.log と notes を書いてください。",
    },
)
def test_ignores(submission: Submission) -> None:
    """debug.log and the draft are not in the image."""
    build = submission.build()
    assert_no_file(build, "/context/debug.log")
    assert_no_file(build, "/context/notes/draft.txt")


@pytest.mark.exercise(
    "context",
    "sent",
    points=2,
    title={"en": "A large log is not sent to the engine", "ja": "大きなログがエンジンに送られない"},
    hint={
        "en": "Only .dockerignore keeps a file from being sent; leaving it out of COPY, or a RUN rm, comes too late.",
        "ja": "送られないようにできるのは .dockerignore だけです。COPY しない、RUN rm で消す、では遅すぎます。",
    },
)
def test_sent(submission: Submission) -> None:
    """With a large log beside it the build sends no more than before."""
    submission.write("large.log", "x" * 1_000_000)
    try:
        build = submission.build(cache=submission.fresh_cache())
    finally:
        submission.write("large.log", "")
    assert_context_size(build, at_most="500k")


@pytest.mark.exercise(
    "context",
    "outside",
    title={"en": "A file outside can't be copied", "ja": "フォルダーの外のファイルはコピーできない"},
    hint={
        "en": "Dockerfile.outside tries to COPY a file of the folder above (../…), and its build fails.",
        "ja": "Dockerfile.outside で上のフォルダーのファイル(../…)を COPY しようとし、ビルドが失敗します。",
    },
)
def test_outside(submission: Submission) -> None:
    """Dockerfile.outside asks for a file above the context, and is refused."""
    try:
        submission.build(dockerfile="Dockerfile.outside")
    except BuildFailed as error:
        rows = submission.read("Dockerfile.outside").splitlines()
        failed = rows[error.line - 1] if error.line else error.what
        assert "../" in failed, f"what fails copies no file of the folder above: {failed}"
    else:
        raise AssertionError("Dockerfile.outside was built, so what it copies is not outside")
