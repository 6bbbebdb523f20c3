"""The checks of the exercise ex3; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_cmd, assert_label, assert_no_file, assert_output
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "ex3",
    "label",
    title={"en": "The image has the label example=3", "ja": "ラベル example=3 がある"},
    hint={"en": "LABEL example=3", "ja": "LABEL example=3"},
)
def test_label(submission: Submission) -> None:
    """The image has the label example=3."""
    assert_label(submission.build(), "example", "3")


@pytest.mark.exercise(
    "ex3",
    "shell",
    title={"en": "By default a shell is started", "ja": "既定でシェルが起動する"},
    hint={
        "en": 'CMD ["/bin/sh", "-c", "bash"], with double quotes: single ones make it a text for the shell.',
        "ja": 'CMD ["/bin/sh", "-c", "bash"] と二重引用符で書きます。単一引用符ではシェルの文になります。',
    },
)
def test_shell(submission: Submission) -> None:
    """By default a shell is started."""
    assert_cmd(submission.build(), ["/bin/sh", "-c", "bash"])


@pytest.mark.requires("local_files")
@pytest.mark.exercise(
    "ex3",
    "script",
    points=2,
    title={"en": "The script runs from the mounted folder", "ja": "マウントしたフォルダーのスクリプトが動く"},
    hint={
        "en": 'run.txt: docker run --rm -v "$PWD:/ex3" ex3 python /ex3/hello-world.py',
        "ja": 'run.txt: docker run --rm -v "$PWD:/ex3" ex3 python /ex3/hello-world.py',
    },
)
def test_script(submission: Submission) -> None:
    """The command of run.txt runs the script, which is mounted and not in the image."""
    assert_no_file(submission.build(), "/ex3/hello-world.py")
    assert_output(submission.run().check(), "Hello World!")
