"""The checks of the exercise two-users; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import Lab, assert_output
from pytest_dockerlab.grade.submission import Submission

pytestmark = pytest.mark.requires("local_files")


@pytest.fixture(autouse=True)
def homes(lab: Lab, submission: Submission) -> None:
    """The folders home/aaa and home/bbb belong to the users 1111 and 2222, as ``adduser`` makes them."""
    for name in ("aaa", "bbb"):
        submission.write(f"home/{name}/.profile", "")
    script = (
        "for each in aaa:1111 bbb:2222; do chown -R ${each#*:}:${each#*:} /home/${each%:*}; done; chmod 755 /home/*"
    )
    lab.run("alpine", ["sh", "-c", script], volumes={submission.folder / "home": "/home"}, check=True)


@pytest.mark.exercise(
    "two-users",
    "own",
    title={"en": "The user writes the own home", "ja": "自分のホームには書ける"},
    hint={
        "en": 'The first docker run: -u 1111, -v "$PWD/home/aaa:/home/aaa", -v "$PWD/home/bbb:/home/bbb", touch.',
        "ja": '最初の docker run: -u 1111、-v "$PWD/home/aaa:/home/aaa"、-v "$PWD/home/bbb:/home/bbb"、touch を実行。',
    },
)
def test_own(submission: Submission) -> None:
    """The first docker run makes a file in the home of user 1111, as that user."""
    submission.run(0).check()
    submission.read("home/aaa/sample")
    user = submission.commands.runs[0].spec.user.partition(":")[0]
    assert user == "1111", f"it is user {user or 'root'} who wrote it, not 1111"


@pytest.mark.exercise(
    "two-users",
    "other",
    points=2,
    title={"en": "The other's home is closed", "ja": "他人のホームには書けない"},
    hint={
        "en": "The second docker run tries the same in /home/bbb, as user 1111, and is told: Permission denied.",
        "ja": "2番目の docker run は 1111 のまま /home/bbb で同じことを試し、Permission denied になります。",
    },
)
def test_other(submission: Submission) -> None:
    """The second docker run can't write to the home of user 2222."""
    box = submission.run(1)
    assert box.exit_code != 0, "user 1111 could write to the home of user 2222"
    assert_output(box, "Permission denied")
    assert_output(box, "/home/bbb")


@pytest.mark.exercise(
    "two-users",
    "listed",
    title={"en": "ls shows whose homes they are", "ja": "ls で誰のホームか分かる"},
    hint={
        "en": "The third docker run has the same mounts, and ls -ln /home: owners as numbers, mode drwxr-xr-x.",
        "ja": "3番目の docker run は同じマウントで ls -ln /home。所有者の番号と drwxr-xr-x が見えます。",
    },
)
def test_listed(submission: Submission) -> None:
    """The third docker run lists both homes with their owners and modes."""
    rows = [row.split() for row in submission.run(2).check().output.splitlines()]
    listed = {row[-1]: (row[0][:10], row[2]) for row in rows if len(row) > 8}
    assert listed.get("aaa") == ("drwxr-xr-x", "1111"), "aaa is not listed with its mode and its owner 1111"
    assert listed.get("bbb") == ("drwxr-xr-x", "2222"), "bbb is not listed with its mode and its owner 2222"
