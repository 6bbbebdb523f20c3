"""The house rules that a reader can rely on, held by reading the source."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import pytest_dockerlab

PACKAGE = Path(pytest_dockerlab.__file__).parent
MODULES = {
    ".".join(("pytest_dockerlab", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not {"recipes", "templates"} & set(path.parts)
}

# A module imports its own tier or a lower one. The first prefix that fits decides.
TIERS: tuple[tuple[str, int], ...] = (
    ("pytest_dockerlab.cli", 5),
    ("pytest_dockerlab.__main__", 5),
    ("pytest_dockerlab.plugin", 4),
    ("pytest_dockerlab.testing", 3),
    ("pytest_dockerlab.assertions", 3),
    ("pytest_dockerlab.grade", 2),
    ("pytest_dockerlab.lab", 2),
    ("pytest_dockerlab.bases", 2),
    ("pytest_dockerlab.stubs", 2),
    ("pytest_dockerlab.engine", 2),
    ("pytest_dockerlab.reaping", 2),
    ("pytest_dockerlab.reports", 1),
    ("pytest_dockerlab.exercises", 1),
    ("pytest_dockerlab.checks", 1),
    ("pytest_dockerlab.run", 1),
    ("pytest_dockerlab.build", 1),
    ("pytest_dockerlab.image", 1),
    ("pytest_dockerlab.errors", 0),
    ("pytest_dockerlab.findings", 0),
    ("pytest_dockerlab.foreign", 0),
    ("pytest_dockerlab.hosts", 0),
    ("pytest_dockerlab.places", 0),
    ("pytest_dockerlab.platforms", 0),
    ("pytest_dockerlab.quantity", 0),
    ("pytest_dockerlab.reference", 0),
    ("pytest_dockerlab.settings", 0),
)
# Who may import what comes from outside; everyone may import the standard library.
OUTSIDE = {
    "docker": ("pytest_dockerlab.engine",),
    "testcontainers": ("pytest_dockerlab.lab",),
    "pytest": ("pytest_dockerlab.plugin",),
    "_pytest": (),
    "xdist": ("pytest_dockerlab.plugin",),
}
HEAVY = ("docker", "testcontainers", "requests", "rich", "filelock", "websocket")


def tier(module: str) -> int:
    for prefix, number in TIERS:
        if module == prefix or module.startswith(prefix + "."):
            return number
    raise AssertionError(f"{module} has no tier: add it to TIERS and to docs/architecture.md")


def imports(module: str, *, at_import_time: bool = False) -> Iterator[str]:
    """Modules that ``module``'s source names in imports; those under TYPE_CHECKING don't count."""
    pending: list[ast.AST] = [ast.parse(MODULES[module].read_text("utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative imports hide where a thing lives"
            assert node.module
            for alias in node.names:
                full = f"{node.module}.{alias.name}"
                yield full if full in MODULES else node.module
        elif isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            pending.extend(node.orelse)
        elif at_import_time and isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            continue
        else:
            pending.extend(ast.iter_child_nodes(node))


INNER = [name for name in MODULES if name != "pytest_dockerlab"]


@pytest.mark.parametrize("module", INNER)
def test_a_module_imports_its_own_tier_or_a_lower_one(module: str) -> None:
    """No module reaches up into a higher tier."""
    own = tier(module)
    for name in imports(module):
        if name.startswith("pytest_dockerlab."):
            assert tier(name) <= own, f"{module} (tier {own}) imports {name} (tier {tier(name)})"


@pytest.mark.parametrize("module", INNER)
def test_each_outside_package_has_one_door(module: str) -> None:
    """docker is imported in engine/ only, testcontainers in lab/ only, pytest in plugin/ only."""
    for name in imports(module):
        doors = OUTSIDE.get(name.partition(".")[0])
        if doors is not None:
            assert module.startswith(doors) if doors else False, f"{module} imports {name}"


def test_there_is_no_import_cycle() -> None:
    """Modules can be ordered so that each imports only earlier ones."""
    graph = {name: {other for other in imports(name, at_import_time=True) if other in INNER} for name in INNER}
    done: set[str] = set()
    while len(done) < len(graph):
        ready = {name for name, needs in graph.items() if name not in done and needs - {name} <= done}
        assert ready, f"these import each other: {sorted(set(graph) - done)}"
        done |= ready


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_stays_one_idea(module: str) -> None:
    """No module has more than 400 lines."""
    assert len(MODULES[module].read_text("utf-8").splitlines()) <= 400


@pytest.mark.parametrize("module", sorted(MODULES))
def test_all_names_what_is_there(module: str) -> None:
    """What ``__all__`` promises can be imported (its order is ruff's business)."""
    loaded = importlib.import_module(module)
    exported = getattr(loaded, "__all__", None)
    if exported is None:
        return
    for name in exported:
        getattr(loaded, name)


def test_a_public_function_says_what_it_does() -> None:
    """Every name that the package exports has a docstring."""
    for name in pytest_dockerlab.__all__:
        assert (getattr(pytest_dockerlab, name).__doc__ or "").strip(), f"{name} has no docstring"


@pytest.mark.parametrize("module", ["pytest_dockerlab", "pytest_dockerlab.plugin", "pytest_dockerlab.cli"])
def test_importing_costs_nothing_heavy(module: str) -> None:
    """The plugin is loaded in every pytest run of whoever installs it: nothing heavy comes along."""
    code = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_architecture_page_names_every_place() -> None:
    """docs/architecture.md shows each folder and each top-level module of the package."""
    text = (Path(__file__).parents[1] / "docs" / "architecture.md").read_text("utf-8")
    for path in sorted(PACKAGE.iterdir()):
        if path.name.startswith("__") or path.name == "py.typed":
            continue
        shown = f"`{path.name}/`" if path.is_dir() else f"`{path.name}`"
        assert shown in text, f"docs/architecture.md does not mention {shown}"
