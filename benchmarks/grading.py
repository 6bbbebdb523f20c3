"""What grading one submission costs: its process, its builds and containers, and a broker between."""

from __future__ import annotations

import itertools
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.bench import ROOT, Bench, Contender
from benchmarks.figures import Table
from pytest_dockerlab.grade.new_course import write_course
from tests.classroom import brokered

__all__ = ["tables"]

_NUMBER = itertools.count()
NOTHING = """
import pytest

@pytest.mark.exercise("greeting", "nothing")
def test_nothing():
    pass
"""


def tables(bench: Bench) -> Iterator[Table]:
    """A class that hands in the solutions of ``dockerlab new-course``: two images, four containers, seven checks."""
    count = 2 if bench.quick else 24
    course, idle = bench.folder / "course", bench.folder / "idle"
    write_course(course)
    (idle / "tests").mkdir(parents=True)
    (idle / "tests" / "test_it.py").write_text(NOTHING)
    shutil.copy(course / "policy.toml", idle)
    with ExitStack() as stack:
        contenders = [
            _contender(bench, count, "1 at a time", course),
            _contender(bench, count, "2 at a time", course, "--jobs", "2"),
            _contender(bench, count, "2 at a time, a check that does nothing", idle, "--jobs", "2"),
        ]
        if not brokered.missing():
            url = stack.enter_context(brokered.redis())
            log = bench.folder / "worker.log"
            worker = brokered.Worker(url, course, log, {"DOCKERLAB_ENGINE": bench.url}, "--jobs", "2")
            stack.enter_context(worker)
            brokered.until(lambda: worker.said("ready for"))
            contenders.append(
                _contender(bench, count, "2 at a time, by a worker behind Redis", course, "--broker", url)
            )
        yield bench.turns(f"A class of {count}", contenders, rounds=min(bench.rounds, 3), per=count)


def _contender(bench: Bench, count: int, name: str, course: Path, *more: str) -> Contender:
    place = bench.folder / f"class{next(_NUMBER)}"
    place.mkdir()
    return Contender(
        name=name,
        command=(
            *(sys.executable, "-m", "pytest_dockerlab", "grade", "class"),
            *("--course", str(course), "--out", "out", *more),
        ),
        cwd=place,
        environ={"DOCKERLAB_ENGINE": bench.url, "PYTHONPATH": str(ROOT)},
        before=partial(_hand_in, place, course / "dockerfiles", count),
    )


def _hand_in(place: Path, solutions: Path, count: int) -> None:
    """A class that nobody has seen: builds are cached by their folder, and Redis knows what was graded."""
    shutil.rmtree(place / "out", ignore_errors=True)
    round_ = next(_NUMBER)
    real = place / f"class{round_}"
    for number in range(count):
        if solutions.is_dir():
            shutil.copytree(solutions, real / f"s{number:02}")
        else:
            (real / f"s{number:02}" / "greeting").mkdir(parents=True)
    for dockerfile in real.glob("*/*/Dockerfile"):
        dockerfile.write_text(f"{dockerfile.read_text('utf-8')}# {round_}\n", "utf-8")
    (place / "class").unlink(missing_ok=True)
    (place / "class").symlink_to(real)
