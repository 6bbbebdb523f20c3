"""The checks of the exercise layers; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import re

import pytest

from pytest_dockerlab import assert_file, assert_layers_added, assert_shares_layers
from pytest_dockerlab.grade.submission import Submission

PROGRAMS = ("curl", "less", "tree")


@pytest.mark.exercise(
    "layers",
    "separate",
    title={"en": "Four RUNs make four layers", "ja": "RUN が4つなら層も4つ"},
    hint={
        "en": "Dockerfile.separate has a RUN for each command: apt-get update, and one for curl, less and tree each.",
        "ja": "Dockerfile.separate は1コマンド1 RUN: apt-get update と、curl、less、tree を1つずつ。",
    },
)
def test_separate(submission: Submission) -> None:
    """Each RUN of Dockerfile.separate is a layer, and there is one for each package."""
    build = submission.build(dockerfile="Dockerfile.separate")
    assert_layers_added(build, over=build.base, count=4)
    for program in PROGRAMS:
        assert_file(build, f"/usr/bin/{program}")


@pytest.mark.exercise(
    "layers",
    "joined",
    points=2,
    title={"en": "Joined they are one layer", "ja": "まとめれば層は1つ"},
    hint={
        "en": "Dockerfile.joined has one RUN: apt-get update && apt-get install -y curl less tree",
        "ja": "Dockerfile.joined の RUN は1つ: apt-get update && apt-get install -y curl less tree",
    },
)
def test_joined(submission: Submission) -> None:
    """Dockerfile.joined adds a single layer to its base."""
    build = submission.build(dockerfile="Dockerfile.joined")
    assert_layers_added(build, over=build.base, count=1)


@pytest.mark.exercise(
    "layers",
    "same-programs",
    title={"en": "The joined image has the same programs", "ja": "まとめても同じプログラムがある"},
    hint={
        "en": "curl, less and tree all have to be there: a line that goes on ends in a backslash.",
        "ja": "curl、less、tree がすべて必要です。行を続けるには行末にバックスラッシュを書きます。",
    },
)
def test_same_programs(submission: Submission) -> None:
    """curl, less and tree are in the image of Dockerfile.joined."""
    build = submission.build(dockerfile="Dockerfile.joined")
    for program in PROGRAMS:
        assert_file(build, f"/usr/bin/{program}")


@pytest.mark.exercise(
    "layers",
    "cmd",
    title={"en": "CMD adds no layer", "ja": "CMD は層を増やさない"},
    hint={
        "en": "Dockerfile.run-cmd is Dockerfile.run with a CMD below it, and nothing else.",
        "ja": "Dockerfile.run-cmd は Dockerfile.run に CMD だけを足したものです。",
    },
)
def test_cmd(submission: Submission) -> None:
    """Dockerfile.run-cmd has a CMD more than Dockerfile.run, and the same layers."""
    run = submission.build(dockerfile="Dockerfile.run")
    cmd = submission.build(dockerfile="Dockerfile.run-cmd")
    assert re.search(r"(?im)^\s*CMD\b", submission.read("Dockerfile.run-cmd")), "Dockerfile.run-cmd has no CMD"
    assert_shares_layers(run, cmd, count=len(run.image.layers))
    assert_layers_added(cmd, over=cmd.base, count=len(run.image.layers) - len(run.base.layers))
