"""A submission in a message: there it is what it was here, hostile or not, and nothing leaves its folder."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.exercises.policy import Policies, Policy
from pytest_dockerlab.grade import parcel
from pytest_dockerlab.grade.content import walk
from pytest_dockerlab.grade.origin import submission_digest
from pytest_dockerlab.grade.parcel import pack, unpack


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What somebody handed in."""
    own = tmp_path / "ann"
    (own / "ex" / "empty").mkdir(parents=True)
    (own / "ex" / "Dockerfile").write_bytes(b"FROM alpine\n\xff\0")
    (own / "ex" / "start.sh").touch(mode=0o755)
    (own / "ex" / "dangling").symlink_to("/etc/../nothing")
    (own / "up").symlink_to("..")
    os.mkfifo(own / "ex" / "pipe")
    os.mknod(own / "ex" / "socket", stat.S_IFSOCK | 0o600)
    Path(os.fsdecode(os.fsencode(own) + b"/new\nline \xff")).write_text("x")
    return own


def sent(folder: Path, target: Path, policies: Policies | None = None) -> Path:
    """Through a message's text."""
    target.mkdir()
    unpack(json.loads(json.dumps(pack(folder, policies or Policies()))), target)
    return target


def test_it_arrives_as_it_was(folder: Path, tmp_path: Path) -> None:
    """Names, contents, links, special files and what is executable."""
    there = sent(folder, tmp_path / "there")
    assert list(walk(there)) == list(walk(folder))
    assert submission_digest(there) == submission_digest(folder)


def test_a_file_that_is_refused_for_its_size_goes_without_its_content(folder: Path, tmp_path: Path) -> None:
    """It has its size there, and takes no room."""
    with (folder / "ex" / "huge").open("w") as file:
        file.truncate(2**40)
    there = sent(folder, tmp_path / "there") / "ex" / "huge"
    assert there.stat().st_size == 2**40
    assert there.stat().st_blocks < 100


def test_what_is_too_large_is_not_sent(folder: Path) -> None:
    """Neither are too many files; both say what to do."""
    (folder / "a").write_bytes(b"1" * 600)
    (folder / "b").write_bytes(b"1" * 600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parcel, "MOST_BYTES", 1000)
        with pytest.raises(UsageError, match=r"it has more than 1000 B(.|\n)*without --broker"):
            pack(folder, Policies())
        pack(folder, Policies(default=Policy(file_size=500)))
        patch.setattr("pytest_dockerlab.grade.content.MOST", 1)
        with pytest.raises(UsageError, match="too many files"):
            pack(folder, Policies())


@pytest.mark.parametrize(
    "evil",
    [
        {"path": "../out", "kind": "file", "size": 1, "content": "eA==", "executable": False},
        {"path": "/tmp/out", "kind": "folder"},
        {"path": "", "kind": "folder"},
        {"path": "a/./b", "kind": "folder"},
        {"path": "odd", "kind": "other", "mode": stat.S_IFDIR},
        {"path": "odd", "kind": "hard link", "target": "/etc/passwd"},
        {"path": "short", "kind": "file"},
        {"path": 3, "kind": "folder"},
        {"kind": "folder"},
        "text",
    ],
)
def test_what_leads_out_is_refused(tmp_path: Path, evil: Any) -> None:
    """A name that goes up, one of the machine's root, a kind that is none."""
    (tmp_path / "there").mkdir()
    with pytest.raises(FormatError, match="not a submission"):
        unpack([evil], tmp_path / "there")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_nothing_is_written_through_a_link(tmp_path: Path) -> None:
    """Links come last, wherever they stand."""
    (tmp_path / "there").mkdir()
    link = {"path": "way", "kind": "link", "target": str(tmp_path)}
    file = {"path": "way/out", "kind": "file", "size": 1, "content": "eA==", "executable": False}
    with pytest.raises((FormatError, OSError)):
        unpack([link, file], tmp_path / "there")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
