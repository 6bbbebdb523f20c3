"""A submission handed in by a test, for the exercise ``ex``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.exercises.policy import Policies, Policy
from pytest_dockerlab.grade.desk import Desk
from pytest_dockerlab.grade.submission import Submission

POLICY = Policy(bases=("alpine",), build_network="none", memory=64 * 1024**2, cpus=0.5, pids=20, log_size=100_000)
Hand = Callable[..., Submission]


@pytest.fixture
def hand(lab: Lab, lab_module: Lab, tmp_path: Path) -> Hand:
    """Hand in a Dockerfile and command lines for the exercise ``ex``."""

    def make(
        *lines: str, dockerfile: str = "FROM alpine\n", policy: Policy = POLICY, files: Mapping[str, str] = {}
    ) -> Submission:
        own = tmp_path / "handed" / "ex"
        own.mkdir(parents=True)
        for name, text in {"Dockerfile": dockerfile, **files}.items():
            (own / name).write_text(text)
        (own / "run.txt").write_text("\n".join(lines) + "\n")
        (tmp_path / "scratch").mkdir()
        desk = Desk(
            tmp_path / "handed", tmp_path, Policies(default=policy), tmp_path / "scratch", nonce=tmp_path.parent.name
        )
        return desk.submission("ex", builds=lab_module, runs=lab)

    return make
