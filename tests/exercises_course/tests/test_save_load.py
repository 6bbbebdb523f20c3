"""The checks of the exercise save-load; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab import Build, Container, Image, assert_output
from pytest_dockerlab.grade.submission import Submission
from pytest_dockerlab.image.archive import open_image


@pytest.mark.exercise(
    "save-load",
    "saved",
    title={"en": "The archive holds the image", "ja": "書庫にイメージが入っている"},
    hint={
        "en": "docker save -o myimage.tar save-load: -o names the file, as > does in your shell.",
        "ja": "docker save -o myimage.tar save-load。-o はシェルの > と同じくファイルを指定します。",
    },
)
def test_saved(submission: Submission) -> None:
    """The archive holds the image that was built."""
    done = submission.carry_out()
    assert open_image(done.get("save", Path)).id == done.get("build", Build).id, "another image was saved"


@pytest.mark.exercise(
    "save-load",
    "removed",
    needs="saved",
    title={"en": "It is removed before it is loaded", "ja": "読み込む前に消しておく"},
    hint={
        "en": "docker rmi save-load between docker save and docker load: as on a machine that has never seen it.",
        "ja": "docker save と docker load の間に docker rmi save-load。初めての別のマシンと同じ状態にします。",
    },
)
def test_removed(submission: Submission) -> None:
    """docker rmi takes the image away before docker load brings it back."""
    done = submission.carry_out()
    done.get("rmi", type(None))
    order = [each.verb for each in done.done if each.verb in ("save", "rmi", "load")]
    assert order[:2] == ["save", "rmi"], f"docker rmi comes elsewhere: {', '.join(order)}"


@pytest.mark.exercise(
    "save-load",
    "loaded",
    needs="saved",
    points=2,
    title={"en": "What is loaded is the same image", "ja": "読み込んだものは同じイメージ"},
    hint={
        "en": "docker load -i myimage.tar: the file that docker save wrote.",
        "ja": "docker load -i myimage.tar。docker save が書いたファイルです。",
    },
)
def test_loaded(submission: Submission) -> None:
    """What docker load brings has the id of what was built."""
    done = submission.carry_out()
    assert done.get("load", Image).id == done.get("build", Build).id, "another image was loaded"


@pytest.mark.exercise(
    "save-load",
    "runs",
    needs="loaded",
    title={"en": "The loaded image runs", "ja": "読み込んだイメージが動く"},
    hint={"en": "docker run --rm save-load ls /test", "ja": "docker run --rm save-load ls /test"},
)
def test_runs(submission: Submission) -> None:
    """A container of the loaded image has the file."""
    assert_output(submission.carry_out().get("run", Container).check(), "/test")
