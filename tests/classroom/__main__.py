"""A class of sixty, graded in several ways; each must give every student what is expected.

python -m tests.classroom [--course DIR] [--students 60] [--jobs 2] [--seed 1] [--ways whole,order,killed]
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.grade.course import Course
from tests.classroom import brokered
from tests.classroom.made import Expected, checks_of, differences, make

ROOT = Path(__file__).parents[2]
OURS = ROOT / "tests" / "exercises_course"
# Those of our course that install nothing: sixty times three of them take minutes, not hours.
LIGHT = ("add-copy", "cmd-entrypoint", "context", "env", "two-dockerfiles", "two-users", "user", "workdir")


@dataclass(frozen=True, slots=True, kw_only=True)
class Class:
    """A class that was made, and where its results go.

    Attributes:
        name: of the way in which it is graded.
        jobs: at the same time.
    """

    name: str
    course: Path
    place: Path
    expected: Mapping[str, Expected]
    jobs: int

    @property
    def out(self) -> Path:
        return self.place / "out"

    def command(self, *more: str) -> list[str]:
        """Grades it."""
        words = ["grade", str(self.place / "class"), "--course", str(self.course), "--out", str(self.out), *more]
        return [sys.executable, "-m", "pytest_dockerlab", *words, "--jobs", str(self.jobs)]


def whole(made: Class) -> None:
    """In one go."""
    subprocess.run(made.command(), check=False, stdout=subprocess.DEVNULL)


def killed(made: Class) -> None:
    """kill -9 when a third is done, then --resume."""
    with subprocess.Popen(made.command(), stdout=subprocess.DEVNULL) as batch:
        while len(list(made.out.glob("*.json"))) * 3 < len(made.expected) and batch.poll() is None:
            time.sleep(0.05)
        batch.send_signal(signal.SIGKILL)
    subprocess.run(made.command("--resume"), check=False, stdout=subprocess.DEVNULL)


def broker(made: Class) -> None:
    """By two workers with an engine each, the first of which is killed."""
    own = {"DOCKERLAB_ENGINE": "private"}
    with brokered.redis() as url:
        said = brokered.one_killed(url, made.course, made.place, made.command()[3:], own, own)
    print("\n".join(line for line in said.splitlines() if "gone" in line))


# Name → which order, and how it is graded.
WAYS: dict[str, tuple[int, Callable[[Class], None]]] = {
    "whole": (0, whole),
    "order": (1, whole),
    "killed": (0, killed),
    "broker": (0, broker),
}


def main() -> int:
    """The command. Returns 1 unless every student got what was expected, in each way."""
    parser = argparse.ArgumentParser(prog="python -m tests.classroom", description=__doc__.splitlines()[0])
    parser.add_argument("--course", type=Path, default=OURS)
    parser.add_argument("--exercises", default="", help="of the course; by default those of ours that install nothing")
    parser.add_argument("--students", type=int, default=60)
    parser.add_argument("--most", type=int, default=3, help="exercises that one student hands in")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ways", default=",".join(WAYS))
    asked = parser.parse_args()
    course = Course.at(asked.course)
    light = LIGHT if course.folder == OURS else ()
    exercises = tuple(filter(None, asked.exercises.split(","))) or light
    wrong = 0
    table: list[str] = []
    with tempfile.TemporaryDirectory(prefix="dockerlab-classroom-") as temporary:
        checks = checks_of(course, Path(temporary))
        for name in asked.ways.split(","):
            order, grade = WAYS[name]
            place = Path(temporary) / name
            drawn = {"size": asked.students, "seed": asked.seed, "order": order, "most": asked.most}
            expected = make(course, checks, place / "class", exercises=exercises, **drawn)
            started = time.monotonic()
            grade(Class(name=name, course=course.folder, place=place, expected=expected, jobs=asked.jobs))
            took = time.monotonic() - started
            found = differences(place / "out", expected)
            wrong += len(found)
            table.append(f"{name:8} {took:5.0f} s  {took / asked.students:4.1f} s each  {len(found)} differences")
            print("\n".join([table[-1], *(f"  {line}" for line in found)]), flush=True)
    print(f"\n{asked.students} submissions, {len(checks)} checks, --jobs {asked.jobs}:", *table, sep="\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
