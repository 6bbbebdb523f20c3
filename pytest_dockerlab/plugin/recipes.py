"""Which of a test's fixtures are declared, and which could build an image that nobody knows of."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from pytest_dockerlab.plugin.current import LABS
from pytest_dockerlab.plugin.declared import ContainerRecipe, ImageRecipe, recipe_of

__all__ = ["Recipes"]

# What a test may do with a lab and build nothing by it.
_BUILDS_NOTHING = frozenset(
    ("container", "create", "create_of", "image", "network", "owned_dir", "ownership", "requires", "run", "volume")
)
# Whose fixtures build nothing, whatever they are called.
_KNOWN = ("_pytest.", "xdist.", "pytest_dockerlab.")


class Recipes:
    """Finds what a test's fixtures declare, by the names under which they stand in modules.

    pytest has no public way from a fixture's name to its definition before it is set up.
    """

    def __init__(self, config: pytest.Config) -> None:
        # conftest modules, those of deeper folders first, then other plugins.
        modules = [plugin for plugin in config.pluginmanager.get_plugins() if hasattr(plugin, "__file__")]
        self._modules = sorted(modules, key=lambda module: -len(str(module.__file__)))
        self._known: dict[tuple[object, object, str], object] = {}

    def of(self, item: pytest.Item) -> Iterator[ContainerRecipe | ImageRecipe]:
        """What is declared among a test's fixtures, in the order in which pytest sets them up."""
        for name in getattr(item, "fixturenames", ()):
            if (recipe := self.find(item, name)) is not None:
                yield recipe

    def find(self, item: pytest.Item, name: str) -> ContainerRecipe | ImageRecipe | None:
        """What a name among a test's fixtures is declared to make; ``None`` for any other fixture."""
        place = self._place(item, name)
        return None if place is None else recipe_of(getattr(place, name))

    def may_build(self, item: pytest.Item) -> bool:
        """Whether a test could build something that it has not declared: by a fixture of its own, or in its body."""
        function, names = getattr(item, "function", None), getattr(item, "fixturenames", ())
        if function is None:
            return True
        if LABS.keys().isdisjoint(names) and "request" not in names:
            return False
        given = _given(item)
        return any(name not in given and self._may_build(item, name) for name in names) or _body_may_build(function)

    def _may_build(self, item: pytest.Item, name: str) -> bool:
        place = self._place(item, name)
        if place is None:
            # Among them are fixtures that are called otherwise than their functions.
            return name != "request"
        fixture = getattr(place, name)
        if recipe_of(fixture) is not None or (
            isinstance(place, ModuleType) and f"{place.__name__}.".startswith(_KNOWN)
        ):
            return False
        # What it asks for is among the test's fixtures, and is looked at by itself.
        return not callable(fixture) or _body_may_build(fixture)

    def _place(self, item: pytest.Item, name: str) -> object:
        """The class or module whose fixture of this name is a test's: the nearest one that has the name."""
        module, cls = getattr(item, "module", None), getattr(item, "cls", None)
        key = (module, cls, name)
        if key not in self._known:
            places = [cls, module, *(each for each in self._modules if _reaches(each, item))]
            found = (place for place in places if place is not None and hasattr(place, name))
            self._known[key] = next(found, None)
        return self._known[key]


def _given(item: pytest.Item) -> set[str]:
    """Names that ``parametrize`` gives values to, and no fixture."""
    names: set[str] = set()
    for mark in item.iter_markers("parametrize"):
        if mark.args and not mark.kwargs.get("indirect"):
            said = mark.args[0]
            names.update(name.strip() for name in (said.split(",") if isinstance(said, str) else said))
    return names


def _body_may_build(function: Callable[..., object]) -> bool:
    """Whether a test or fixture has a lab, or a way to get one, and does more with it than what builds nothing."""
    function = inspect.unwrap(function)
    try:
        parameters = inspect.signature(function).parameters
        if "request" in parameters:
            return True
        labs = LABS.keys() & parameters.keys()
        if not labs:
            return False
        nodes = list(ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))))
    except (OSError, SyntaxError, TypeError, ValueError):  # not written in Python, or not in a file
        return True
    fine = {id(node.value) for node in nodes if isinstance(node, ast.Attribute) and node.attr in _BUILDS_NOTHING}
    return any(isinstance(node, ast.Name) and node.id in labs and id(node) not in fine for node in nodes)


def _reaches(module: Any, item: pytest.Item) -> bool:
    """Whether a plugin's fixtures are a test's, too: a conftest's are those of its folder and below."""
    from pathlib import Path

    path = Path(str(module.__file__))
    return path.name != "conftest.py" or path.parent in item.path.parents
