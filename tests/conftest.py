"""How many workers there are, and in which order they get the files: what takes long first, so that none comes last.

xdist itself begins with the files of most tests; here the long ones have few.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

import pytest

#: Those that take longest, the longest first; one that is many processes by itself is not beside another such.
LONG = (
    "grade/test_exercises_course.py",
    "plugin/test_lookahead.py",
    "hostile/test_hostile.py",
    "engine/test_private.py",
    "classroom/test_brokered.py",
    "plugin/test_sharing.py",
    "faults/test_kills.py",
    "plugin/test_runs.py",
    "grade/test_grade.py",
    "engine/test_builds.py",
    "classroom/test_classroom.py",
    "reaping/test_keep.py",
    "faults/test_lost_engines.py",
    "docs/test_readme.py",
    "engine/test_tuned.py",
    "plugin/test_axis.py",
    "tutorial/test_b_jupyter.py",
    "plugin/test_lookahead_images.py",
    "tutorial/test_b_data_science.py",
    "bases/test_standins.py",
    "reaping/test_names.py",
    "reaping/test_interrupted.py",
    "plugin/test_grading.py",
    "lab/test_lab_images.py",
    "hostile/test_build_limits.py",
    "faults/test_engine_faults.py",
    "faults/test_floods.py",
    "engine/test_disk_full.py",
    "engine/test_remote.py",
    "engine/test_cli.py",
    "plugin/test_marks.py",
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


def pytest_configure(config: pytest.Config) -> None:
    config.option.loadscopereorder = False  # xdist's own order of files: ours is kept


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        items[:] = in_order(items, Path(__file__).parent)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Tests wait for their engine and for inner runs at least as long as they compute."""
    return 2 * (os.cpu_count() or 1)
