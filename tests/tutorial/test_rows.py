"""No row is lost: each that is done has a test, a wrong variant, and its id where a reader looks for it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# What both tutorials teach and this suite proves; a row is added here together with its tests.
ROWS = (
    *(f"A{number:02}" for number in range(1, 17)),
    *(f"B{number:02}" for number in range(1, 37)),
)


def row_tests() -> Iterator[tuple[str, ast.FunctionDef]]:
    """(row, test) of every test that carries the mark, read from the source."""
    for path in sorted(HERE.glob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if not isinstance(node, ast.FunctionDef):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.row":
                    yield str(ast.literal_eval(mark.args[0])), node


TESTS = tuple(row_tests())


def test_every_row_has_a_test() -> None:
    """The rows of the list are just those that tests carry."""
    assert {row for row, _ in TESTS} == set(ROWS)


@pytest.mark.parametrize("row", ROWS)
def test_every_row_is_proven_and_disproven(row: str) -> None:
    """A row has a test that holds on the reference, and one that fails on something wrong on purpose."""
    names = [node.name for owner, node in TESTS if owner == row]
    assert any(name.startswith(f"test_{row.lower()}_") for name in names)
    assert any(name.startswith(f"test_wrong_{row.lower()}_") for name in names)


def test_every_test_names_its_row() -> None:
    """Docstring and name of a test carry the id of its mark."""
    for row, node in TESTS:
        assert (ast.get_docstring(node) or "").startswith(f"{row}: "), node.name
        assert re.match(rf"test_(wrong_)?{row.lower()}_", node.name), node.name


def test_every_test_has_a_row() -> None:
    """A test without a mark would be missing from the report."""
    marked = {id(node) for _, node in TESTS}
    for path in sorted(HERE.glob("test_?_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                assert node.name in {test.name for _, test in TESTS}, f"{path.name}: {node.name}"
    assert marked


def test_the_documentation_lists_every_row() -> None:
    """docs/tutorial.md has a line for each row, with its module."""
    text = (HERE.parents[1] / "docs" / "tutorial.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| ([AB]\d\d) \|", text, flags=re.MULTILINE))
    assert documented == set(ROWS)


def test_every_exercise_has_its_task_in_two_languages() -> None:
    """A folder under dockerfiles/ has a Dockerfile, README.md and README.ja.md."""
    for folder in sorted((HERE.parents[1] / "dockerfiles").iterdir()):
        for name in ("Dockerfile", "README.md", "README.ja.md"):
            assert (folder / name).is_file(), folder / name
