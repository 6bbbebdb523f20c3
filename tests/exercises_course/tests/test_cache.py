"""The checks of the exercise cache; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import secrets

import pytest

from pytest_dockerlab import Build, assert_file, assert_first_rebuilt
from pytest_dockerlab.grade.submission import Submission


def built_after(submission: Submission, first: str, second: str) -> tuple[Build, Build]:
    """Two Dockerfiles, one after the other, with a cache that was empty before."""
    cache = submission.fresh_cache()
    before = submission.build(dockerfile=first, cache=cache)
    return before, submission.build(dockerfile=second, cache=cache)


@pytest.mark.exercise(
    "cache",
    "inserted",
    title={"en": "A new instruction: what is above it is reused", "ja": "命令の追加: その上は再利用される"},
    hint={
        "en": "Dockerfile.inserted is Dockerfile with one instruction more, after its second RUN.",
        "ja": "Dockerfile.inserted は Dockerfile の2番目の RUN の後に命令を1つ足したものです。",
    },
)
def test_inserted(submission: Submission) -> None:
    """Dockerfile.inserted has one instruction more than Dockerfile, and reuses the two before it."""
    before, after = built_after(submission, "Dockerfile", "Dockerfile.inserted")
    assert_first_rebuilt(after, step=4)
    count = len(after.trace.work) - len(before.trace.work)
    assert count == 1, f"Dockerfile.inserted has {count} instructions more than Dockerfile, not 1"


@pytest.mark.exercise(
    "cache",
    "changed",
    title={"en": "A changed instruction: what is above it is reused", "ja": "命令の変更: その上は再利用される"},
    hint={
        "en": "Dockerfile.changed is Dockerfile with another second RUN, and the same number of instructions.",
        "ja": "Dockerfile.changed は Dockerfile の2番目の RUN だけを変えたものです。命令の数は同じです。",
    },
)
def test_changed(submission: Submission) -> None:
    """Dockerfile.changed reuses what is above its second RUN, and builds the rest again."""
    before, after = built_after(submission, "Dockerfile", "Dockerfile.changed")
    assert_first_rebuilt(after, step=3)
    assert len(after.trace.work) == len(before.trace.work), "Dockerfile.changed has another number of instructions"


@pytest.mark.exercise(
    "cache",
    "often-last",
    points=2,
    title={"en": "What changes often comes last", "ja": "よく変わるものを最後に置く"},
    hint={
        "en": "In Dockerfile.often-last the COPY of notes.txt is the last instruction: its change costs itself only.",
        "ja": "Dockerfile.often-last では notes.txt の COPY を最後の命令にします。変更されてもその手順だけで済みます。",
    },
)
def test_often_last(submission: Submission) -> None:
    """With another notes.txt only the last step of Dockerfile.often-last is built again."""
    notes = submission.read("notes.txt")
    cache = submission.fresh_cache()
    try:
        for _ in range(2):
            submission.write("notes.txt", f"{secrets.token_hex(8)}\n")
            build = submission.build(dockerfile="Dockerfile.often-last", cache=cache)
    finally:
        submission.write("notes.txt", notes)
    assert_first_rebuilt(build, step=len(build.trace.work) + 1)


@pytest.mark.exercise(
    "cache",
    "split",
    title={"en": "A new package in a RUN of its own", "ja": "新しいパッケージは別の RUN に"},
    hint={
        "en": "Dockerfile.packages-split keeps the RUN of Dockerfile.packages letter by letter, and adds one below.",
        "ja": "Dockerfile.packages-split では Dockerfile.packages の RUN を一字一句変えず、その下に RUN を足します。",
    },
)
def test_split(submission: Submission) -> None:
    """Dockerfile.packages-split reuses the RUN of Dockerfile.packages, and has cvs as well."""
    _, after = built_after(submission, "Dockerfile.packages", "Dockerfile.packages-split")
    assert_first_rebuilt(after, step=3)
    assert_file(after, "/installed/cvs")
