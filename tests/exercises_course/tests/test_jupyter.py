"""The checks of the exercise jupyter; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_exposes, assert_jupyter
from pytest_dockerlab.grade.submission import Submission

# Seconds until a server answers, on a machine that does much else.
PATIENCE = 100.0


@pytest.mark.exercise(
    "jupyter",
    "exposes",
    title={"en": "The image names its port 8888", "ja": "イメージがポート 8888 を示す"},
    hint={
        "en": "EXPOSE 8888 tells others which port it is; docker run -p makes it reachable.",
        "ja": "EXPOSE 8888 はどのポートかを示すだけです。docker run -p で届くようになります。",
    },
)
def test_exposes(submission: Submission) -> None:
    """The image exposes 8888."""
    assert_exposes(submission.build(), 8888)


@pytest.mark.requires("loopback_ports")
@pytest.mark.exercise(
    "jupyter",
    "open",
    points=2,
    title={"en": "Without a token everybody is let in", "ja": "トークンなしで開ける"},
    hint={
        "en": "The first docker run has -p 127.0.0.1:8888:8888; CMD needs --ip=0.0.0.0 to let the host in.",
        "ja": "最初の docker run に -p 127.0.0.1:8888:8888。ホストから届くには CMD の --ip=0.0.0.0 が必要です。",
    },
)
def test_open(submission: Submission) -> None:
    """The server of the first docker run answers on the published port, without a token."""
    assert_jupyter(submission.run(0), token="", timeout=PATIENCE)


@pytest.mark.requires("loopback_ports")
@pytest.mark.exercise(
    "jupyter",
    "token",
    needs="open",
    points=2,
    title={"en": "With a token nobody gets in without it", "ja": "トークンがあれば、なしでは入れない"},
    hint={
        "en": "The second docker run has -e JUPYTER_TOKEN=secret and a command of its own, without --LabApp.token=''.",
        "ja": "2番目の docker run には -e JUPYTER_TOKEN=secret と、--LabApp.token='' のないコマンドを書きます。",
    },
)
def test_token(submission: Submission) -> None:
    """The server of the second docker run lets in whoever has its token, and nobody else."""
    asked = submission.commands.runs[1:2]
    token = asked[0].spec.env.get("JUPYTER_TOKEN", "") if asked else ""
    box = submission.run(1)
    assert token, "the second docker run gives no JUPYTER_TOKEN"
    assert_jupyter(box, token=token, timeout=PATIENCE)
