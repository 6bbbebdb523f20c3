"""What a result was made from: a change of it is noticed, whatever kind it is; nothing of it is trusted."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockerlab.grade import content
from pytest_dockerlab.grade.course import Course
from pytest_dockerlab.grade.origin import course_digest, submission_digest


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What somebody handed in."""
    own = tmp_path / "ann"
    (own / "ex").mkdir(parents=True)
    (own / "ex" / "Dockerfile").write_text("FROM alpine\n")
    (own / "ex" / "start.sh").write_text("echo\n")
    (own / "ex" / "link").symlink_to("Dockerfile")
    return own


def replace_with_folder(own: Path) -> None:
    (own / "ex" / "link").unlink()
    (own / "ex" / "link").mkdir()


def lead_elsewhere(own: Path) -> None:
    (own / "ex" / "link").unlink()
    (own / "ex" / "link").symlink_to("start.sh")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda own: (own / "ex" / "Dockerfile").write_text("FROM ubuntu\n"),
    "executable": lambda own: (own / "ex" / "start.sh").chmod(0o755),
    "name": lambda own: (own / "ex" / "start.sh").rename(own / "ex" / "begin.sh"),
    "place": lambda own: (own / "ex" / "start.sh").rename(own / "start.sh"),
    "more": lambda own: (own / "ex" / "empty").touch(),
    "folder": lambda own: (own / "ex" / "empty").mkdir(),
    "less": lambda own: (own / "ex" / "Dockerfile").unlink(),
    "kind": replace_with_folder,
    "target": lead_elsewhere,
    "pipe": lambda own: os.mkfifo(own / "ex" / "pipe"),
    "name that is no text": lambda own: Path(os.fsdecode(os.fsencode(own) + b"/\xff")).touch(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_is_noticed(folder: Path, change: str) -> None:
    """Contents, names, kinds, links, and what is executable."""
    before = submission_digest(folder)
    CHANGES[change](folder)
    assert submission_digest(folder) != before


def test_the_same_content_is_the_same_anywhere(folder: Path, tmp_path: Path) -> None:
    """Another folder, times, and permissions that git would not keep."""
    other = tmp_path / "bob"
    (other / "ex").mkdir(parents=True, mode=0o700)
    (other / "ex" / "link").symlink_to("Dockerfile")
    for name in ("start.sh", "Dockerfile"):
        (other / "ex" / name).write_bytes((folder / "ex" / name).read_bytes())
        (other / "ex" / name).chmod(0o600)
        os.utime(other / "ex" / name, (0, 0))
    assert submission_digest(other) == submission_digest(folder)


def test_two_files_are_not_one_that_looks_like_them(tmp_path: Path) -> None:
    """Where one name or content ends and the next begins counts."""
    for name, texts in {"one": {"ab": "c"}, "two": {"a": "bc"}, "three": {"a": "b", "c": ""}}.items():
        (tmp_path / name).mkdir()
        for each, text in texts.items():
            (tmp_path / name / each).write_text(text)
    assert len({submission_digest(tmp_path / name) for name in ("one", "two", "three")}) == 3


def test_what_would_hang_or_never_end_is_not_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pipe, a file of a terabyte, folders without end, a link to the whole machine."""
    os.mkfifo(folder / "ex" / "pipe")
    (folder / "ex" / "root").symlink_to("/")
    with (folder / "ex" / "huge").open("w") as file:
        file.truncate(2**40)
    submission_digest(folder)
    monkeypatch.setattr(content, "MOST", 100)
    for number in range(200):
        (folder / f"{number:03}").touch()
    assert [entry.kind for entry in content.walk(folder)].index("more") == 100


def test_a_course_is_its_checks_solutions_settings_and_policy(tmp_path: Path) -> None:
    """What proves it, what tools leave, submissions and results in its folder are none of it."""
    for name in ("tests/test_it.py", "dockerfiles/ex/Dockerfile", "pytest.ini", "policy.toml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    course = Course.at(tmp_path)
    first = course_digest(course)
    for name in ("wrong/ex/builds", "near/ex/more", "tests/__pycache__/x.pyc", "out/ann.json", "notes/README.md"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    assert course_digest(course) == first
    seen = {first}
    for name in ("tests/test_it.py", "dockerfiles/ex/Dockerfile", "pytest.ini", "policy.toml"):
        (tmp_path / name).write_text("# changed\n")
        seen.add(course_digest(course))
    assert len(seen) == 5


def test_a_course_without_a_folder_of_tests(tmp_path: Path) -> None:
    """All of it counts, but for what proves it, and the results that are written into it."""
    (tmp_path / "test_it.py").touch()
    course, out = Course.at(tmp_path), tmp_path / "out"
    first = course_digest(course, [out])
    for name in ("wrong", "near", "out"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
    assert course_digest(course, [out]) == first
    (tmp_path / "helper.py").touch()
    assert course_digest(course, [out]) != first
