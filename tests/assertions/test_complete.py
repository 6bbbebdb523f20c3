"""Every assertion is documented, and seen failing."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from pytest_dockerlab import assertions

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs" / "assertions.md").read_text("utf-8")


def section(name: str) -> str:
    """The page's text about one assertion."""
    found = re.search(rf"^### `{name}`\n(.*?)(?=^##|\Z)", PAGE, re.DOTALL | re.MULTILINE)
    return found[1] if found else ""


def names(node: ast.AST) -> set[str]:
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name)}


def seen_failing() -> set[str]:
    """Assertions that some test calls within ``pytest.raises(CheckFailed, match=…)``, by name or as a parameter."""
    found: set[str] = set()
    for path in sorted(HERE.glob("test_*.py")):
        for test in ast.parse(path.read_text("utf-8")).body:
            if not isinstance(test, ast.FunctionDef):
                continue
            for block in ast.walk(test):
                if not isinstance(block, ast.With):
                    continue
                raises = ast.unparse(block.items[0].context_expr)
                if not raises.startswith("pytest.raises(CheckFailed, match="):
                    continue
                called = set().union(*map(names, block.body))
                found |= called
                if called & {argument.arg for argument in test.args.args}:
                    found |= set().union(*map(names, test.decorator_list))
    return found


def test_each_export_is_an_assertion() -> None:
    """Nothing else is exported, and nothing twice."""
    assert len(set(assertions.__all__)) == len(assertions.__all__)
    for name in assertions.__all__:
        assert name.startswith("assert_")
        assert callable(getattr(assertions, name))


@pytest.mark.parametrize("name", assertions.__all__)
def test_an_assertion_is_documented(name: str) -> None:
    """What it proves, an example that calls it, and how it looks when it fails."""
    text = section(name)
    assert re.search(rf"```python\n[^`]*\b{name}\(", text), f"docs/assertions.md has no example of {name}"
    assert re.search(r"```text\n[^`]*  expected: ", text), f"docs/assertions.md does not show how {name} fails"


def test_the_page_documents_nothing_else() -> None:
    """Every section is an assertion that exists."""
    assert set(re.findall(r"^### `(\w+)`$", PAGE, re.MULTILINE)) == set(assertions.__all__)


@pytest.mark.parametrize("name", assertions.__all__)
def test_an_assertion_is_seen_failing(name: str) -> None:
    """A test has its message."""
    assert name in seen_failing()
