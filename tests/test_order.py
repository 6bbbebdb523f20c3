"""The order in which workers get the files of tests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.conftest import LONG, in_order

HERE = Path(__file__).parent


def test_what_takes_long_is_there() -> None:
    """A file that was renamed would come last again."""
    assert [name for name in LONG if not (HERE / name).is_file()] == []
    assert len(set(LONG)) == len(LONG)


def test_long_files_come_first_and_whole() -> None:
    """Then those of most tests; within a file the order is its own."""
    tests = [
        SimpleNamespace(path=HERE / name, name=test)
        for name, test in (("few.py", "b"), (LONG[1], "z"), ("many.py", "y"), (LONG[0], "x"), (LONG[1], "a"))
    ]
    tests.append(SimpleNamespace(path=HERE / "many.py", name="a"))
    assert [test.name for test in in_order(tests, HERE)] == ["x", "z", "a", "y", "a", "b"]


def test_workers_have_them_in_order(request: pytest.FixtureRequest) -> None:
    """xdist would put them into an order of its own."""
    items = request.session.items
    if hasattr(request.config, "workerinput"):
        assert items == in_order(items, HERE)
    assert not getattr(request.config.option, "loadscopereorder", False)
