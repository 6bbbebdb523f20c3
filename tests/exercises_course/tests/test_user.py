"""The checks of the exercise user; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_mode, assert_output, assert_owner
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "user",
    "folder",
    title={"en": "The image's folder is root's", "ja": "イメージのフォルダーは root のもの"},
    hint={
        "en": "RUN mkdir created_in_Dockerfile is enough: RUN is root's, and mode 755 is the default.",
        "ja": "RUN mkdir created_in_Dockerfile だけで十分です。RUN は root が実行し、権限は 755 になります。",
    },
)
def test_folder(submission: Submission) -> None:
    """The folder of the image is root's, and others can't write to it."""
    image = submission.build().image
    assert_owner(image, "/created_in_Dockerfile", 0, 0)
    assert_mode(image, "/created_in_Dockerfile", 0o755)


@pytest.mark.requires("local_files")
@pytest.mark.exercise(
    "user",
    "somebody",
    points=1.5,
    title={"en": "Somebody writes to the mounted folder", "ja": "一般ユーザーがマウント先に書ける"},
    hint={
        "en": 'The first docker run: -u "$(id -u):$(id -g)" -v "$PWD/mounted_folder:/created_in_run", and touch.',
        "ja": '最初の docker run: -u "$(id -u):$(id -g)" -v "$PWD/mounted_folder:/created_in_run" と touch。',
    },
)
def test_somebody(submission: Submission) -> None:
    """The first docker run writes to the mounted folder, as somebody who is not root."""
    submission.run(0).check()
    submission.read("mounted_folder/sample")
    assert submission.commands.runs[0].spec.user.partition(":")[0] not in ("", "0", "root"), "root wrote it"


@pytest.mark.exercise(
    "user",
    "refused",
    needs="folder",
    title={"en": "The image's folder is closed to them", "ja": "イメージのフォルダーには書けない"},
    hint={
        "en": "The second docker run has the same -u, and tries touch /created_in_Dockerfile/sample.",
        "ja": "2番目の docker run は同じ -u で touch /created_in_Dockerfile/sample を試します。",
    },
)
def test_refused(submission: Submission) -> None:
    """The second docker run can't write to the folder of the image."""
    box = submission.run(1)
    assert box.exit_code != 0, "the command could write to /created_in_Dockerfile"
    assert_output(box, "Permission denied")


@pytest.mark.exercise(
    "user",
    "modes",
    title={"en": "Programs with five modes", "ja": "5つの権限のプログラム"},
    hint={
        "en": "In Dockerfile.permissions chown comes before chmod, and each program is named after its mode.",
        "ja": "Dockerfile.permissions では chmod の前に chown をします。プログラム名は権限の数字です。",
    },
)
def test_modes(submission: Submission) -> None:
    """Dockerfile.permissions has a program of user and group 1111 for each mode."""
    image = submission.build(dockerfile="Dockerfile.permissions").image
    for mode in (0o400, 0o600, 0o644, 0o755, 0o777):
        assert_mode(image, f"/permissions/{mode:o}", mode)
        assert_owner(image, f"/permissions/{mode:o}", 1111, 1111)
