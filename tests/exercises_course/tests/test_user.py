"""The checks of the exercise user; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_mode, assert_owner
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise("user", "folder")
def test_folder(submission: Submission) -> None:
    """The folder of the image is root's, and others can't write to it."""
    image = submission.build().image
    assert_owner(image, "/created_in_Dockerfile", 0, 0)
    assert_mode(image, "/created_in_Dockerfile", 0o755)


@pytest.mark.requires("local_files")
@pytest.mark.exercise("user", "somebody", points=1.5)
def test_somebody(submission: Submission) -> None:
    """The command of run.txt writes to the mounted folder, as somebody who is not root."""
    submission.run().check()
    written = submission.folder / "mounted_folder" / "sample"
    assert written.is_file(), "there is no file sample in mounted_folder"
    assert submission.commands.runs[0].spec.user.partition(":")[0] not in ("", "0", "root"), "root wrote it"
