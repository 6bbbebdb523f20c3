"""The checks of the exercise workdir; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import re

import pytest

from pytest_dockerlab import assert_file, assert_no_file, assert_output
from pytest_dockerlab.grade.submission import Submission

FILE = "/sample_folder/sample_file"


@pytest.mark.exercise(
    "workdir",
    "made",
    title={"en": "WORKDIR makes the folder, touch the file", "ja": "WORKDIR と touch でファイルができる"},
    hint={
        "en": "WORKDIR /sample_folder makes the folder by itself; RUN touch sample_file below it starts there.",
        "ja": "WORKDIR /sample_folder でフォルダーもできます。その下の RUN touch sample_file はそこで動きます。",
    },
)
def test_made(submission: Submission) -> None:
    """The file is there."""
    assert_file(submission.build(), FILE)


@pytest.mark.exercise(
    "workdir",
    "unnamed",
    needs="made",
    title={"en": "No RUN names the folder", "ja": "RUN にフォルダー名を書かない"},
    hint={
        "en": "WORKDIR alone says where: no mkdir, no cd, no path in RUN.",
        "ja": "場所は WORKDIR だけで決めます。RUN に mkdir、cd、パスは不要です。",
    },
)
def test_unnamed(submission: Submission) -> None:
    """No RUN of the Dockerfile names the folder: WORKDIR alone does."""
    named = re.search(r"(?im)^\s*RUN\b.*sample_folder", re.sub(r"\\\r?\n", " ", submission.dockerfile))
    assert named is None, f"a RUN names the folder: {named[0]}"


@pytest.mark.exercise(
    "workdir",
    "starts",
    points=2,
    title={"en": "A container starts in the folder", "ja": "コンテナーがフォルダーで始まる"},
    hint={
        "en": "docker run --rm workdir pwd; no -w and no cd: the image says it.",
        "ja": "docker run --rm workdir pwd。-w や cd は使わず、イメージの設定だけで。",
    },
)
def test_starts(submission: Submission) -> None:
    """The command of run.txt shows where a container starts."""
    box = submission.run().check()
    assert submission.commands.runs[0].spec.workdir == "", "it is -w that says where the container starts"
    assert box.spec.command == ("pwd",), "the command is not pwd"
    assert_output(box, re.compile(r"\A/sample_folder\s*\Z"))


@pytest.mark.exercise(
    "workdir",
    "mkdir",
    title={"en": "mkdir and WORKDIR do the same", "ja": "mkdir と WORKDIR でも同じ"},
    hint={
        "en": "Dockerfile.mkdir: RUN mkdir sample_folder, WORKDIR /sample_folder, RUN touch sample_file",
        "ja": "Dockerfile.mkdir: RUN mkdir sample_folder、WORKDIR /sample_folder、RUN touch sample_file",
    },
)
def test_mkdir(submission: Submission) -> None:
    """Dockerfile.mkdir makes the folder itself, and the same file."""
    assert_file(submission.build(dockerfile="Dockerfile.mkdir"), FILE)
    assert re.search(r"\bmkdir\b", submission.read("Dockerfile.mkdir")), "Dockerfile.mkdir has no mkdir"


@pytest.mark.exercise(
    "workdir",
    "cd",
    title={"en": "RUN cd does not do", "ja": "RUN cd では移動できない"},
    hint={
        "en": "Dockerfile.cd has RUN cd /sample_folder and below it RUN touch sample_file, which lands in /.",
        "ja": "Dockerfile.cd には RUN cd /sample_folder、その下に RUN touch sample_file。ファイルは / にできます。",
    },
)
def test_cd(submission: Submission) -> None:
    """After a RUN cd of its own, the next RUN of Dockerfile.cd starts in / again."""
    build = submission.build(dockerfile="Dockerfile.cd")
    assert re.search(r"(?im)^\s*RUN\s+cd\s+\S+\s*$", submission.read("Dockerfile.cd")), "Dockerfile.cd has no RUN cd"
    assert_file(build, "/sample_file")
    assert_no_file(build, FILE)
