"""The checks of the exercise add-copy; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_file, assert_output
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "add-copy",
    "text",
    title={"en": "sample.txt is in /new_dir", "ja": "sample.txt が /new_dir にある"},
    hint={
        "en": "COPY sample.txt /new_dir/ puts the file into the folder; the slash at the end says that it is one.",
        "ja": "COPY sample.txt /new_dir/ でフォルダーに入ります。最後の / がフォルダーであることを示します。",
    },
)
def test_text(submission: Submission) -> None:
    """The text is at its path, as it was."""
    assert_file(submission.build(), "/new_dir/sample.txt", submission.read("sample.txt"))


@pytest.mark.exercise(
    "add-copy",
    "copied",
    title={"en": "COPY leaves the archive as it is", "ja": "COPY した書庫がそのまま残っている"},
    hint={
        "en": "Bring sample.tar.gz to /copied/ with COPY: ADD would unpack it.",
        "ja": "sample.tar.gz は COPY で /copied/ に入れます。ADD では展開されてしまいます。",
    },
)
def test_copied(submission: Submission) -> None:
    """COPY leaves the archive as it is."""
    assert_file(submission.build(), "/copied/sample.tar.gz")


@pytest.mark.exercise(
    "add-copy",
    "added",
    points=2,
    title={"en": "ADD unpacks the archive", "ja": "ADD した書庫が展開されている"},
    hint={
        "en": "Bring sample.tar.gz to /added/ with ADD: it unpacks archives of the build context.",
        "ja": "sample.tar.gz を ADD で /added/ に入れます。ADD はビルドコンテキストの書庫を展開します。",
    },
)
def test_added(submission: Submission) -> None:
    """ADD unpacks the archive."""
    assert_file(submission.build(), "/added/sample.txt")


@pytest.mark.exercise(
    "add-copy",
    "lists",
    needs=["text", "copied", "added"],
    title={"en": "The command of run.txt shows the three folders", "ja": "run.txt のコマンドで3つのフォルダーが見える"},
    hint={
        "en": "docker run --rm add-copy ls /new_dir /copied /added",
        "ja": "docker run --rm add-copy ls /new_dir /copied /added",
    },
)
def test_lists(submission: Submission) -> None:
    """The command of run.txt shows the three folders and what is in them."""
    box = submission.run().check()
    for folder in ("/new_dir", "/copied", "/added"):
        assert_output(box, folder)
    assert_output(box, "sample.tar.gz")
