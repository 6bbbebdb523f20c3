"""In which order workers get the files of tests: those that take long first, so that none of them comes last, alone.

xdist itself begins with the files of most tests; here the long ones have few.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

__all__ = ["LONG", "in_order"]

#: Those that take longest, the longest first.
LONG = (
    "grade/test_exercises_course.py",
    "hostile/test_hostile.py",
    "classroom/test_brokered.py",
    "faults/test_kills.py",
    "classroom/test_classroom.py",
    "plugin/test_lookahead.py",
    "engine/test_private.py",
    "plugin/test_sharing.py",
    "grade/test_grade.py",
    "plugin/test_runs.py",
    "docs/test_readme.py",
    "engine/test_cli.py",
    "engine/test_tuned.py",
    "faults/test_lost_engines.py",
    "tutorial/test_b_jupyter.py",
    "tutorial/test_b_data_science.py",
    "plugin/test_marks.py",
    "plugin/test_axis.py",
    "engine/test_builds.py",
    "plugin/test_lookahead_images.py",
    "plugin/test_grading.py",
    "lab/test_lab_images.py",
    "reaping/test_keep.py",
    "hostile/test_build_limits.py",
    "faults/test_engine_faults.py",
    "faults/test_floods.py",
    "engine/test_disk_full.py",
    "grade/test_new_course.py",
    "grade/test_selftest.py",
    "plugin/test_engines.py",
    "plugin/test_light.py",
)


class HasPath(Protocol):
    """A test, as far as its file goes."""

    @property
    def path(self) -> Path: ...


Test = TypeVar("Test", bound=HasPath)


def in_order(tests: Iterable[Test], folder: Path) -> list[Test]:
    """The same, whole files in order; those of most tests first among the ones that are not named.

    Args:
        folder: that of all tests.
    """
    tests = list(tests)
    counts = Counter(test.path for test in tests)
    ranks = {folder / name: rank for rank, name in enumerate(LONG)}
    return sorted(tests, key=lambda test: (ranks.get(test.path, len(LONG)), -counts[test.path], test.path))
