"""What the package offers by name."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_dockerlab
from pytest_dockerlab import assertions, errors


def test_every_assertion_and_error_is_offered() -> None:
    """What is new in assertions or errors can be imported from the package itself."""
    assert set(assertions.__all__) | set(errors.__all__) <= set(pytest_dockerlab.__all__)


def test_a_type_checker_sees_what_there_is() -> None:
    """The names that are imported for type checkers are those that are loaded on demand."""
    tree = ast.parse(Path(pytest_dockerlab.__file__).read_text("utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING")
    shown = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert sorted(shown) == list(pytest_dockerlab.__all__)
    for name, home in shown.items():
        assert getattr(pytest_dockerlab, name) is getattr(sys.modules[str(home)], name)


def test_an_unknown_name_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="module 'pytest_dockerlab' has no attribute 'assert_nothing'"):
        _ = vars(pytest_dockerlab)["__getattr__"]("assert_nothing")


def test_declaring_fixtures_loads_no_engine() -> None:
    """A test module that only declares what it will use does not bring docker along."""
    code = (
        "import sys, pytest_dockerlab as p; p.container_fixture(p.image_fixture('ex1')); "
        "print([name for name in ('docker', 'testcontainers', 'requests', 'filelock') if name in sys.modules])"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"
