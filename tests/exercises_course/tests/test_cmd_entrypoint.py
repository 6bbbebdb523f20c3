"""The checks of the exercise cmd-entrypoint; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import re

import pytest

from pytest_dockerlab import assert_cmd, assert_entrypoint, assert_output
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.exercise(
    "cmd-entrypoint",
    "builds",
    title={"en": "The image builds", "ja": "ビルドできる"},
    hint={
        "en": "Look at the instruction that failed, and at the last lines that it printed.",
        "ja": "失敗した命令と、その最後の出力を見てください。",
    },
)
def test_builds(submission: Submission) -> None:
    """The image builds."""
    submission.build(dockerfile="Dockerfile")


@pytest.mark.exercise(
    "cmd-entrypoint",
    "entrypoint",
    needs="builds",
    title={"en": "The image always starts ls", "ja": "いつも ls を起動する"},
    hint={
        "en": 'ENTRYPOINT ["ls"], with brackets: without them it is a shell that is started.',
        "ja": 'ENTRYPOINT ["ls"] と角括弧で書きます。括弧がないとシェルが起動されます。',
    },
)
def test_entrypoint(submission: Submission) -> None:
    """The image always starts ls."""
    assert_entrypoint(submission.build(dockerfile="Dockerfile"), ["ls"])


@pytest.mark.exercise(
    "cmd-entrypoint",
    "cmd",
    needs="builds",
    points=0.5,
    title={"en": "By default it shows the help", "ja": "既定ではヘルプを表示する"},
    hint={
        "en": 'CMD ["--help"] beside an ENTRYPOINT is what it gets where docker run names nothing else.',
        "ja": 'ENTRYPOINT と並ぶ CMD ["--help"] は、docker run で何も指定しないときの引数になります。',
    },
)
def test_cmd(submission: Submission) -> None:
    """By default it shows the help."""
    assert_cmd(submission.build(dockerfile="Dockerfile"), ["--help"])


@pytest.mark.exercise(
    "cmd-entrypoint",
    "lists",
    needs="entrypoint",
    points=2,
    title={"en": "run.txt lists one file alone", "ja": "run.txt で1つのファイルだけを一覧する"},
    hint={
        "en": "What stands behind the image's name replaces CMD, not ENTRYPOINT: docker run --rm entrypoint /test",
        "ja": "イメージ名の後は ENTRYPOINT ではなく CMD を置き換えます: docker run --rm entrypoint /test",
    },
)
def test_lists(submission: Submission) -> None:
    """The first docker run of run.txt lists one file alone."""
    assert_output(submission.run().check(), re.compile(r"\A/test\s*\Z"))


@pytest.mark.exercise(
    "cmd-entrypoint",
    "replaced",
    title={"en": "CMD alone is replaced as a whole", "ja": "CMD だけなら全体が置き換わる"},
    hint={
        "en": "Build Dockerfile.cmd, which has CMD and no ENTRYPOINT, then: docker run --rm cmd echo hello",
        "ja": "ENTRYPOINT のない Dockerfile.cmd をビルドし、docker run --rm cmd echo hello を実行します。",
    },
)
def test_replaced(submission: Submission) -> None:
    """The image of Dockerfile.cmd shows ls's help by default; the second docker run replaces all of it."""
    assert_cmd(submission.build(dockerfile="Dockerfile.cmd"), ["ls", "--help"])
    assert_output(submission.run(1).check(), re.compile(r"\Ahello\s*\Z"))
