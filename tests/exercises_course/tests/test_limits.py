"""The checks of the exercise limits; without ``--dockerlab-submission`` they run on the reference."""

from __future__ import annotations

import pytest

from pytest_dockerlab import (
    assert_cpu_limit,
    assert_executable,
    assert_memory_limit,
    assert_oom_killed,
    assert_throttled,
)
from pytest_dockerlab.grade.submission import Submission


@pytest.mark.requires("memory_limit", "cpu_limit")
@pytest.mark.exercise(
    "limits",
    "caps",
    points=2,
    title={"en": "One CPU and 2 GB", "ja": "CPU 1個、メモリー 2GB"},
    hint={
        "en": "The first docker run: docker run -d --rm --name capped --cpus 1 --memory 2g limits sleep 60",
        "ja": "最初の docker run: docker run -d --rm --name capped --cpus 1 --memory 2g limits sleep 60",
    },
)
def test_caps(submission: Submission) -> None:
    """The container of the first docker run has one CPU and 2 GB, as it was asked and as its kernel has it."""
    box = submission.run(0)
    asked = submission.commands.runs[0].spec.limits
    assert (asked.nano_cpus, asked.memory) == (1_000_000_000, 2 * 1024**3), "--cpus and --memory ask for something else"
    assert_cpu_limit(box, 1)
    assert_memory_limit(box, "2g")


@pytest.mark.exercise(
    "limits",
    "programs",
    title={"en": "Both programs can be started", "ja": "2つのプログラムを起動できる"},
    hint={
        "en": "COPY keeps the mode of a file: RUN chmod 755 makes it a program for everybody.",
        "ja": "COPY はファイルの権限をそのまま残します。RUN chmod 755 で誰でも実行できるようにします。",
    },
)
def test_programs(submission: Submission) -> None:
    """Anybody may start eat_memory and burn_cpu."""
    box = submission.run(0)
    for program in ("eat_memory", "burn_cpu"):
        assert_executable(box, f"/usr/local/bin/{program}", 1111, args=["1"])


@pytest.mark.requires("memory_limit")
@pytest.mark.exercise(
    "limits",
    "killed",
    needs="programs",
    title={"en": "Too much memory gets it killed", "ja": "メモリーを超えると終了させられる"},
    hint={
        "en": "The second docker run: docker run --rm --memory 32m limits eat_memory 200M",
        "ja": "2番目の docker run: docker run --rm --memory 32m limits eat_memory 200M",
    },
)
def test_killed(submission: Submission) -> None:
    """The container of the second docker run is killed for want of memory."""
    assert_oom_killed(submission.run(1))


@pytest.mark.requires("cpu_limit")
@pytest.mark.exercise(
    "limits",
    "throttled",
    needs="programs",
    title={"en": "A busy program is held back", "ja": "CPU を使いすぎると抑えられる"},
    hint={
        "en": "The third docker run has less than one CPU: docker run -d --rm --cpus 0.2 limits burn_cpu 10000000",
        "ja": "3番目の docker run は CPU 1個未満で: docker run -d --rm --cpus 0.2 limits burn_cpu 10000000",
    },
)
def test_throttled(submission: Submission) -> None:
    """The container of the third docker run is held back by the kernel while it is busy."""
    box = submission.run(2)
    asked = submission.commands.runs[2].spec.limits.nano_cpus or 0
    assert 0 < asked < 1_000_000_000, "the third docker run asks for no --cpus below 1"
    assert box.state.running, "it has ended already: give it more rounds"
    assert_throttled(box)
