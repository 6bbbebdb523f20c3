"""What was handed in is read without trusting it."""

from __future__ import annotations

import os
import socket
import stat
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.refusal import Refusal
from pytest_dockerlab.exercises.submission import Survey, copy, read_text, survey

POLICY = Policy(file_size=1000, context_size=3000, files=30, depth=4)


@pytest.fixture
def handed(tmp_path: Path) -> Path:
    """A submission of one exercise."""
    folder = tmp_path / "ann"
    (folder / "ex1" / "data").mkdir(parents=True)
    (folder / "ex1" / "Dockerfile").write_text("FROM alpine\n", "utf-8")
    (folder / "ex1" / "data" / "run.sh").write_text("#!/bin/sh\n", "utf-8")
    (folder / "ex1" / "data" / "run.sh").chmod(0o4777)
    return folder


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Where the copy goes."""
    (tmp_path / "copy").mkdir()
    return tmp_path / "copy"


def codes(folder: Path, policy: Policy = POLICY) -> list[str]:
    found = survey(folder, ["ex1"], policy)
    return [refusal.code for refusal in found.refused("ex1")]


def taken(found: Survey) -> list[str]:
    return [entry.path for entry in found.entries]


def test_a_submission_is_copied_with_plain_permissions(handed: Path, copied: Path) -> None:
    """Contents and the x bit are kept, setuid, owner and the rest are not."""
    found = survey(handed, ["ex1", "ex2"], POLICY)
    assert taken(found) == ["ex1", "ex1/Dockerfile", "ex1/data", "ex1/data/run.sh"]
    assert found.exercises == ("ex1",)
    assert copy(found, copied) == ()
    assert (copied / "ex1" / "Dockerfile").read_text("utf-8") == "FROM alpine\n"
    assert stat.S_IMODE((copied / "ex1" / "data" / "run.sh").stat().st_mode) == 0o755
    assert stat.S_IMODE((copied / "ex1" / "Dockerfile").stat().st_mode) == 0o644


def test_what_no_exercise_asks_for_is_left_alone(handed: Path, copied: Path) -> None:
    """conftest.py, pytest.ini, sitecustomize.py, .env beside the exercises are not even copied."""
    for name in ("conftest.py", "pytest.ini", "tox.ini", "pyproject.toml", "sitecustomize.py", ".env", "setup.cfg"):
        (handed / name).write_text("raise SystemExit('run')\n", "utf-8")
    os.mkfifo(handed / "pipe")
    found = survey(handed, ["ex1"], POLICY)
    assert not found.refusals
    copy(found, copied)
    assert [each.name for each in copied.iterdir()] == ["ex1"]


def test_a_fifo_a_socket_and_a_device_are_refused_and_hang_nothing(handed: Path) -> None:
    """Each by what it is; none is opened."""
    os.mkfifo(handed / "ex1" / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        here = os.open(handed / "ex1", os.O_RDONLY)
        try:  # a socket's path has to be short
            server.bind(f"/proc/self/fd/{here}/s")
        except OSError:
            pytest.skip("no /proc to bind a socket through")
        finally:
            os.close(here)
        found = survey(handed, ["ex1"], POLICY)
    assert [(each.code, each.value) for each in found.refused("ex1")] == [
        ("file_kind", "ex1/pipe"),
        ("file_kind", "ex1/s"),
    ]
    assert "FIFO" in found.refused("ex1")[0].finding().what


@pytest.mark.parametrize(
    ("link", "target"),
    [
        ("a", "/etc/passwd"),
        ("a", "../../other/ex1/Dockerfile"),
        ("a", "../ex2/Dockerfile"),
        ("a", ".."),
        ("data/a", "../.."),
        ("data/a", "../../x"),
        ("data/a", "x/../../.."),
        ("a", "data/../x"),
        ("a", "x\n"),
        ("a", "x\ny"),
    ],
)
def test_a_link_that_may_lead_out_is_refused(handed: Path, link: str, target: str) -> None:
    """Absolute, up and out, or up behind another link, where the way can't be told from the name."""
    (handed / "ex1" / link).symlink_to(target)
    assert codes(handed) == ["link_outside"]


@pytest.mark.parametrize(
    ("link", "target"), [("a", "Dockerfile"), ("data/a", "../Dockerfile"), ("a", "./data//run.sh"), ("a", "gone")]
)
def test_a_link_inside_stays_a_link(handed: Path, copied: Path, link: str, target: str) -> None:
    """Also one that leads nowhere."""
    (handed / "ex1" / link).symlink_to(target)
    found = survey(handed, ["ex1"], POLICY)
    assert not found.refusals
    copy(found, copied)
    assert (copied / "ex1" / link).readlink() == Path(target)


def test_links_behind_links_do_not_lead_out(handed: Path) -> None:
    """s/t/up → ../.. is inside; s/t/up/../x would be outside, and is refused by its form."""
    (handed / "ex1" / "s" / "t").mkdir(parents=True)
    (handed / "ex1" / "s" / "t" / "up").symlink_to("../..")
    assert codes(handed) == []
    (handed / "ex1" / "q").symlink_to("s/t/up/../../secret")
    assert codes(handed) == ["link_outside"]


def test_an_exercise_that_is_a_link_or_a_file_is_refused(handed: Path, tmp_path: Path) -> None:
    """It would be somebody else's folder."""
    (handed / "ex2").symlink_to(tmp_path)
    (handed / "ex3").write_text("x", "utf-8")
    found = survey(handed, ["ex1", "ex2", "ex3"], POLICY)
    assert [(name, refusal.code) for name, refusal in found.refusals] == [("ex2", "file_kind"), ("ex3", "file_kind")]
    assert found.exercises == ("ex1",)


@pytest.mark.parametrize("name", ["a\nb", "a\tb", "a\x1b[31m", "\u202egpj.exe", "a" * 255, b"caf\xe9"])
def test_a_name_that_is_no_plain_text_is_refused(handed: Path, name: str | bytes) -> None:
    """Line breaks, escapes, reversed text, bytes that are no UTF-8; 255 is a name's longest."""
    try:
        (handed / "ex1" / os.fsdecode(name)).write_text("x", "utf-8")
    except OSError:
        pytest.skip("this file system has no such names")
    expected = [] if name == "a" * 255 else ["file_name"]
    assert codes(handed) == expected


def test_a_huge_file_is_refused_unread(handed: Path) -> None:
    """A terabyte without a block on the disk."""
    with (handed / "ex1" / "big").open("wb") as file:
        file.truncate(1024**4)
    (refusal,) = [each for each in survey(handed, ["ex1"], POLICY).refused("ex1") if each.code == "file_size"]
    assert refusal.finding().what == "ex1/big has 1.0 TiB (1000 B are allowed)"
    assert "total_size" in codes(handed)


def test_many_small_files_are_refused_together(handed: Path) -> None:
    """Each within its limit, all of them not."""
    for n in range(4):
        (handed / "ex1" / f"f{n}").write_bytes(b"x" * 900)
    assert codes(handed) == ["total_size"]


def test_too_many_files_end_the_look(handed: Path) -> None:
    """Thousands in one folder are not even listed to the end."""
    for n in range(200):
        (handed / "ex1" / f"f{n}").touch()
    assert codes(handed) == ["file_count"]


def test_too_deep_a_folder_is_refused(handed: Path) -> None:
    """Before any path becomes too long for the tools."""
    deep = handed / "ex1" / "/".join("abcdefgh")
    deep.mkdir(parents=True)
    assert codes(handed) == ["file_depth"]


def test_a_refused_exercise_is_not_copied_and_the_others_are(handed: Path, copied: Path) -> None:
    """One bad folder costs its own exercise only."""
    (handed / "ex2").mkdir()
    os.mkfifo(handed / "ex2" / "pipe")
    found = survey(handed, ["ex1", "ex2"], POLICY)
    copy(found, copied)
    assert [each.name for each in copied.iterdir()] == ["ex1"]


@pytest.mark.parametrize("change", ["longer", "shorter", "link", "fifo", "gone", "folder"])
def test_what_changed_since_it_was_looked_at_is_not_copied(handed: Path, copied: Path, change: str) -> None:
    """A file that became a link, a FIFO, longer or shorter; a folder that became a link."""
    found = survey(handed, ["ex1"], POLICY)
    file = handed / "ex1" / "Dockerfile"
    if change == "folder":
        (handed / "ex1" / "data").rename(handed / "real")
        (handed / "ex1" / "data").symlink_to(handed / "real")
    else:
        file.unlink()
    if change == "longer":
        file.write_text("FROM alpine\nRUN more\n", "utf-8")
    elif change == "shorter":
        file.write_text("FROM", "utf-8")
    elif change == "link":
        file.symlink_to("/etc/passwd")
    elif change == "fifo":
        os.mkfifo(file)
    ((exercise, refusal),) = copy(found, copied)
    assert (exercise, refusal.code) == ("ex1", "file_unreadable")
    assert not (copied / "ex1" / ("data/run.sh" if change == "folder" else "Dockerfile")).exists()


def test_text_is_read_from_the_copy_only(handed: Path, copied: Path, tmp_path: Path) -> None:
    """UTF-8 with or without a mark; not what is missing, no text, too long, or outside."""
    copy(survey(handed, ["ex1"], POLICY), copied)
    own = copied / "ex1"
    assert read_text(own, "Dockerfile") == "FROM alpine\n"
    (own / "bom").write_bytes(b"\xef\xbb\xbfhello")
    assert read_text(own, "bom") == "hello"
    (own / "binary").write_bytes(b"\xff\xfe\x00")
    (own / "nul").write_bytes(b"a\x00b")
    (own / "long").write_bytes(b"x" * (1024 * 1024 + 1))
    (own / "loop").symlink_to("loop")
    (tmp_path / "secret").write_text("s", "utf-8")
    found = {name: read_text(own, name) for name in ("binary", "nul", "long", "loop", "gone", "data", "../../secret")}
    read = {name: each.code for name, each in found.items() if isinstance(each, Refusal)}
    assert read == {
        "binary": "not_text",
        "nul": "not_text",
        "long": "file_size",
        "loop": "missing",
        "gone": "missing",
        "data": "missing",
        "../../secret": "missing",
    }


def test_the_limits_are_the_policys(handed: Path) -> None:
    """Files and depth, too."""
    assert codes(handed, replace(POLICY, files=2)) == ["file_count"]
    assert codes(handed, replace(POLICY, depth=1)) == ["file_depth"]
    assert codes(handed, replace(POLICY, file_size=11)) == ["file_size"]
