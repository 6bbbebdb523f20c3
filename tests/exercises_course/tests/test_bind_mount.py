"""The checks of the exercise bind-mount; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import secrets

import pytest

from pytest_dockerlab import assert_output
from pytest_dockerlab.grade.submission import Submission

pytestmark = pytest.mark.requires("local_files")


@pytest.mark.exercise(
    "bind-mount",
    "reads",
    title={"en": "The container reads the host's file", "ja": "コンテナーがホストのファイルを読める"},
    hint={
        "en": 'The first docker run mounts the folder, -v "$PWD/mounted_folder:/new_dir", and prints from_host.txt.',
        "ja": '最初の docker run で -v "$PWD/mounted_folder:/new_dir" とマウントし、from_host.txt を表示します。',
    },
)
def test_reads(submission: Submission) -> None:
    """What is written on the host after the build is read in the container."""
    submission.build()
    fresh = secrets.token_hex(8)
    submission.write("mounted_folder/from_host.txt", f"{fresh}\n")
    assert_output(submission.run(0).check(), fresh)


@pytest.mark.exercise(
    "bind-mount",
    "writes",
    title={"en": "The host reads the container's file", "ja": "コンテナーが書いたファイルがホストにある"},
    hint={
        "en": "The second docker run writes to /new_dir/from_container.txt; for > it needs a shell: sh -c '…'.",
        "ja": "2番目の docker run で /new_dir/from_container.txt に書きます。> には sh -c '…' が必要です。",
    },
)
def test_writes(submission: Submission) -> None:
    """What the container writes is on the host."""
    submission.run(1).check()
    assert submission.read("mounted_folder/from_container.txt").strip(), "from_container.txt is empty"


@pytest.mark.exercise(
    "bind-mount",
    "read-only",
    points=2,
    title={"en": "A read-only mount refuses to be written", "ja": "読み取り専用のマウントには書けない"},
    hint={
        "en": "The third docker run has :ro behind the mount, and tries to touch a file there.",
        "ja": "3番目の docker run ではマウントの後に :ro を付け、そこへの touch を試します。",
    },
)
def test_read_only(submission: Submission) -> None:
    """A read-only mount refuses to be written."""
    box = submission.run(2)
    assert box.exit_code != 0, "the command could write to the mounted folder"
    assert_output(box, "Read-only file system")
