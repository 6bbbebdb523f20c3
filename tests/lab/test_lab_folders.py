"""Folders and volumes that containers write to."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from pytest_dockerlab.errors import EngineError, UsageError
from pytest_dockerlab.lab.folders import Folders
from pytest_dockerlab.lab.lab import Lab

ROOT = os.geteuid() == 0


@pytest.fixture(params=[pytest.param(True, marks=pytest.mark.skipif(not ROOT, reason="chown needs root")), False])
def made(request: pytest.FixtureRequest, lab: Lab) -> Folders:
    """Folders as root has them, and as somebody who has to ask a container."""
    return Folders(lab.engine, lambda ref: ref, lab.ownership.labels, direct=request.param)


@pytest.mark.skipif(not ROOT, reason="looks at numbers that a rootless engine maps")
def test_a_folder_of_anybody(made: Folders, lab: Lab) -> None:
    """A folder belongs to the user asked for, whoever we are, and goes with what containers wrote into it."""
    folder = made.make(1111, 2222, 0o750)
    found = folder.stat()
    assert (found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)) == (1111, 2222, 0o750)
    box = lab.run("alpine", ["mkdir", "-m", "700", "/d/a"], user="1111:1111", volumes={folder: "/d"}, network="none")
    assert box.exit_code == 0
    box.remove()
    made.remove(folder)
    assert not folder.parent.exists()
    made.remove(folder)


def test_a_lab_gives_and_removes_folders(lab: Lab) -> None:
    """owned_dir is a source of volumes; user 1111 writes to it, 2222 does not, and it is gone with its lab."""
    folder = lab.owned_dir(1111)
    writes = ["sh", "-c", "touch /d/x"]
    assert lab.run("alpine", writes, user="1111:1111", volumes={folder: "/d"}, network="none").exit_code == 0
    other = lab.run("alpine", writes, user="2222:2222", volumes={folder: "/d"}, network="none")
    assert other.exit_code == 1
    assert "Permission denied" in other.stderr
    assert (folder / "x").exists()
    lab.close()
    assert not folder.exists()


@pytest.mark.parametrize(
    ("uid", "gid", "mode", "message"),
    [
        (-1, 0, 0o755, "uid -1 is no user's or group's number"),
        (0, True, 0o755, "gid True is no user's or group's number"),
        (0, 0, 0o17777, "mode 8191 is not a mode"),
    ],
)
def test_what_is_no_owner_or_mode(lab: Lab, uid: int, gid: int, mode: int, message: str) -> None:
    """Numbers that can't be meant are refused."""
    with pytest.raises(UsageError, match=f"owned_dir: {message}"):
        lab.owned_dir(uid, gid, mode)


@pytest.mark.skipif(not ROOT, reason="plays another user, whose files it looks at")
def test_what_containers_wrote_is_handed_to_the_user(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that a container's root leaves in a user's folder become the user's; older ones stay as they are."""
    os.chown(tmp_path, 1234, 1234)
    (tmp_path / "old").write_text("root's, and older")
    since = (tmp_path / "old").stat().st_ctime + 0.2
    while time.time() < since:
        time.sleep(0.01)
    lab.run("alpine", ["mkdir", "-p", "/d/new/deep"], volumes={tmp_path: "/d"}, network="none", check=True)
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    monkeypatch.setattr(os, "getegid", lambda: 1234)
    lab.close()
    assert [(tmp_path / name).stat().st_uid for name in ("new", "new/deep", "old")] == [1234, 1234, 0]


def test_a_helper_that_fails_says_why(lab: Lab, tmp_path: Path) -> None:
    """What the helper container could not do is the engine's fault, with its own words."""
    made = Folders(lab.engine, lambda ref: ref, lab.ownership.labels, direct=False)
    with pytest.raises(EngineError, match=r"could not run 'echo no >&2; exit 3' in .*: exit code 3: no"):
        made._as_root(tmp_path, "echo no >&2; exit 3")
    assert lab.engine.containers.list(lab.ownership.labels) == ()


def test_a_volume_with_content(lab: Lab) -> None:
    """Files can be put into a volume before anything runs."""
    volume = lab.volume(content={"a/b": "text", "/c": b"\x00"})
    box = lab.create("alpine", volumes={volume: "/data"})
    assert box.read("/data/a/b") == b"text"
    assert box.read("/data/c") == b"\x00"
