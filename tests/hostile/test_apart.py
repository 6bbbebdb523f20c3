"""What builds of two students have in common: nothing but the base."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_dockerlab import Lab, assert_all_reused
from pytest_dockerlab.exercises.policy import Policies, Policy
from pytest_dockerlab.grade.desk import Desk
from pytest_dockerlab.grade.submission import Submission

pytestmark = pytest.mark.requires("buildkit", "build_limits")
POLICY = Policy(bases=("debian:stable-slim",), build_network="none", build_seconds=60)
Hand = Callable[[str, str, Policy], Submission]


@pytest.fixture
def hand(lab: Lab, lab_module: Lab, tmp_path: Path) -> Hand:
    """Hand in a Dockerfile for a student, each time to a desk of its own."""

    def make(student: str, dockerfile: str, policy: Policy = POLICY) -> Submission:
        count = len(list(tmp_path.iterdir()))
        own, scratch = tmp_path / f"{count}" / "ex", tmp_path / f"{count}" / "scratch"
        for folder in (own, scratch):
            folder.mkdir(parents=True)
        (own / "Dockerfile").write_text(f"FROM debian:stable-slim\n{dockerfile}\n")
        desk = Desk(own.parent, tmp_path, Policies(default=policy), scratch, nonce=f"{tmp_path.parent.name}{student}")
        return desk.submission("ex", builds=lab_module, runs=lab)

    return make


def test_a_cache_mount_is_a_students_own(hand: Hand) -> None:
    """Where an instructor permits them: by default BuildKit has one for the whole engine, by its id."""
    policy = replace(POLICY, permits=("mount_cache",))
    mount = "RUN --mount=type=cache,id=shared,target=/cache"
    hand("ann", f"{mount} touch /cache/poison", policy).build()
    hand("ann", f"{mount} test -e /cache/poison", policy).build()
    hand("bob", f"{mount} test ! -e /cache/poison", policy).build()


def test_a_step_is_a_students_own(hand: Hand) -> None:
    """The same Dockerfile of another one runs its own steps; of the same one, it finds them."""
    dockerfile = "RUN cat /proc/sys/kernel/random/uuid > /id"
    ann, again, bob = (hand(student, dockerfile, POLICY).build() for student in ("ann", "ann", "bob"))
    assert_all_reused(again)
    ids = [build.image.files.read("/id") for build in (ann, again, bob) if build.image.files is not None]
    assert len(ids) == 3
    assert ids[0] == ids[1] != ids[2]


def test_nothing_of_the_grader_is_in_an_image(hand: Hand) -> None:
    """Neither the nonce nor the names by which it tells builds apart."""
    built = hand("ann", 'RUN env; cat /etc/hosts > /hosts; echo done\nENV X=1\nCMD ["true"]', POLICY).build()
    image = built.image
    text = f"{image.history} {image.config.env} {image.config.labels}"
    assert "BUILDKIT" not in text
    assert "fresh" not in text
    assert "PROXY" not in text.upper()
