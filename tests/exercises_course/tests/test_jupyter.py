"""The checks of the exercise jupyter; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import assert_jupyter, assert_port_published
from pytest_dockerlab.grade.submission import Submission

# Seconds until a server answers, on a machine that does much else.
PATIENCE = 100.0


@pytest.mark.requires("loopback_ports")
@pytest.mark.exercise(
    "jupyter",
    "port",
    title={"en": "Port 8888 is published, and no other", "ja": "ポート 8888 だけを公開する"},
    hint={
        "en": "-p 127.0.0.1:8888:8888 leads from the host's port to the container's; each further -p opens another.",
        "ja": "-p 127.0.0.1:8888:8888 でホストのポートからコンテナーのポートへつながります。他の -p は不要です。",
    },
)
def test_port(submission: Submission) -> None:
    """The first docker run publishes the server's port, and no other."""
    box = submission.run(0)
    assert_port_published(box, 8888)
    others = [str(port.container) for port in box.spec.ports if port.container != 8888]
    assert not others, f"published, too: {', '.join(others)}"


@pytest.mark.requires("loopback_ports")
@pytest.mark.exercise(
    "jupyter",
    "open",
    needs="port",
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
