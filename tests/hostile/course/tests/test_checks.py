"""The checks of the course that the hostile submissions are handed in for: exercises of four kinds, some several times,
so that one student can hand in several attacks of a kind."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_entrypoint, assert_http
from pytest_dockerlab.grade.submission import Submission

# As in corpus.py.
TIMES = {"entry": 6, "folder": 4, "long": 1, "web": 1, "fetch": 1, "slow": 1}


def check(kind: str, name: str, **worth: object) -> pytest.MarkDecorator:
    """This check in each exercise of the kind."""
    marks = [pytest.mark.exercise(f"{kind}-{number}", name, **worth) for number in range(1, TIMES[kind] + 1)]
    return pytest.mark.parametrize("number", [pytest.param(n, marks=mark) for n, mark in enumerate(marks)])


@check("entry", "builds")
def test_entry_builds(submission: Submission, number: int) -> None:
    """The image builds."""
    submission.build()


@check("entry", "entrypoint", needs="builds")
def test_entry_entrypoint(submission: Submission, number: int) -> None:
    """The image always starts ls."""
    assert_entrypoint(submission.build(), ["ls"])


@check("entry", "lists", needs="entrypoint", points=2)
def test_entry_lists(submission: Submission, number: int) -> None:
    """The command of run.txt lists one file alone."""
    assert submission.run().check().output == "/test\n"


@pytest.mark.requires("local_files")
@check("folder", "writes", points=2)
def test_folder_writes(submission: Submission, number: int) -> None:
    """The command of run.txt writes to the mounted folder."""
    submission.run().check()
    assert submission.read("mounted/sample") == "hello\n"


@pytest.mark.requires("local_files")
@check("long", "ends")
def test_long_ends(submission: Submission, number: int) -> None:
    """The command of run.txt ends, in the little time that there is."""
    submission.run().check()


@check("web", "builds")
def test_web_builds(submission: Submission, number: int) -> None:
    """The image builds."""
    submission.build()


@check("web", "answers", needs="builds", points=2)
def test_web_answers(submission: Submission, number: int) -> None:
    """What the container publishes says hello."""
    assert_http(submission.run(), port=8000, contains="hello")


@check("fetch", "builds")
def test_fetch_builds(submission: Submission, number: int) -> None:
    """The image builds, with what it installs from the index."""
    submission.build()


@check("slow", "builds")
def test_slow_builds(submission: Submission, number: int) -> None:
    """The image builds, in the little time that there is."""
    submission.build()
