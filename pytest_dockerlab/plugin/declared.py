"""Images and containers declared at the top of a test module: fixtures that say what they will make."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_dockerlab.errors import UsageError

if TYPE_CHECKING:
    from pytest_dockerlab.lab import Build, Container, Lab

__all__ = ["ContainerRecipe", "ImageRecipe", "Scope", "container_fixture", "image_fixture", "recipe_of"]

Scope = Literal["function", "module", "session", "run"]

# Where a fixture keeps its recipe: pytest gives a fixture the attributes of its function.
_ATTRIBUTE = "dockerlab_recipe"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecipe:
    """An image that will be built: ``lab.build(source, **settings)``.

    Attributes:
        ahead: it may be built while an earlier test runs.
    """

    source: Any
    settings: Mapping[str, Any]
    scope: Scope
    ahead: bool = True

    def make(self, request: pytest.FixtureRequest, lab: Lab) -> Build:
        """Build it, or take over the one that another process of the run has."""
        if self.scope != "run":
            return lab.build(self.source, **self.settings)
        from pytest_dockerlab.plugin.shared import RunLab

        assert isinstance(lab, RunLab)
        recipe = repr((self.source, sorted(self.settings.items())))
        return lab.shared_build(f"build {recipe}", lambda: lab.build(self.source, **self.settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerRecipe:
    """A container that will be run: ``lab.run(image, command, **settings)``.

    Attributes:
        image: a name, a path, or a declared fixture that gives a build, an image or a name.
        place: variables of the module that declares it, to find that fixture's name in.
    """

    image: Any
    command: Any
    settings: Mapping[str, Any]
    scope: Scope
    place: Mapping[str, Any]

    def make(self, request: pytest.FixtureRequest, lab: Lab) -> Container:
        """Run it, or take over the one that another process of the run has."""
        image = self._image(request, lab)
        if self.scope != "run":
            return lab.run(image, self.command, **self.settings)
        from pytest_dockerlab.plugin.shared import RunLab

        assert isinstance(lab, RunLab)
        key = f"{self.place.get('__file__', '')}::{request.fixturename}"
        return lab.shared(key, image, self.command, **self.settings)

    def _image(self, request: pytest.FixtureRequest, lab: Lab) -> Any:
        recipe = recipe_of(self.image)
        if recipe is None:
            return self.image
        if isinstance(recipe, ContainerRecipe):
            raise UsageError(
                f"container_fixture {request.fixturename!r}: its image is a container",
                remedy="give it an image_fixture",
            )
        for name, value in self.place.items():
            if value is self.image:
                return request.getfixturevalue(name)
        # Declared elsewhere and not imported by its name: pytest doesn't know it here, its recipe is enough.
        return recipe.make(request, lab)


def image_fixture(source: Any, *, scope: Scope = "session", ahead: bool = True, **settings: Any) -> Any:
    """Declare an image; assign it to the name that tests ask for: ``ex1 = image_fixture("ex1")``.

    Args:
        source: as ``lab.build`` takes it: a name under ``dockerfiles/``, a folder, or a Dockerfile's text.
        scope: how long it lives; ``"run"`` is one for all xdist workers.
        ahead: it may be built while an earlier test runs; say ``False`` where its RUN steps need what a test starts.
        settings: those of ``lab.build``.

    Returns:
        A fixture whose value is the ``Build``.

    Raises:
        UsageError: no such scope.
    """
    return _fixture(ImageRecipe(source=source, settings=settings, scope=_checked(scope), ahead=ahead))


def container_fixture(image: Any, command: Any = None, *, scope: Scope = "function", **settings: Any) -> Any:
    """Declare a running container: ``jupyter = container_fixture("ds-lab", ports=[8888], wait=jupyter_ready())``.

    Args:
        image: as ``lab.run`` takes it, or a fixture made by ``image_fixture``.
        command: of the container; ``None`` leaves it to the image.
        scope: how long it lives; ``"run"`` is one container for all xdist workers.
        settings: those of ``lab.run``.

    Returns:
        A fixture whose value is the ``Container``.

    Raises:
        UsageError: no such scope.
    """
    # The caller's module: the fixture given as image has its name there, and nowhere else.
    place = sys._getframe(1).f_globals
    return _fixture(
        ContainerRecipe(image=image, command=command, settings=settings, scope=_checked(scope), place=place)
    )


def recipe_of(thing: object) -> ImageRecipe | ContainerRecipe | None:
    """What a fixture was declared to make; ``None`` for anything else."""
    recipe = getattr(thing, _ATTRIBUTE, None)
    return recipe if isinstance(recipe, (ImageRecipe, ContainerRecipe)) else None


def _checked(scope: Scope) -> Scope:
    if scope not in _BY_SCOPE:
        raise UsageError(f"no such scope: {scope!r}", remedy=f"one of {', '.join(_BY_SCOPE)}")
    return scope


def _fixture(recipe: ImageRecipe | ContainerRecipe) -> Any:
    return _BY_SCOPE[recipe.scope](recipe)


# pytest reads what a fixture needs from its parameters' names: one function per lab.


def _for_test(recipe: ImageRecipe | ContainerRecipe) -> Any:
    def declared(request: pytest.FixtureRequest, lab: Lab) -> Build | Container:
        return recipe.make(request, lab)

    setattr(declared, _ATTRIBUTE, recipe)
    return pytest.fixture(declared)


def _for_module(recipe: ImageRecipe | ContainerRecipe) -> Any:
    def declared(request: pytest.FixtureRequest, lab_module: Lab) -> Build | Container:
        return recipe.make(request, lab_module)

    setattr(declared, _ATTRIBUTE, recipe)
    return pytest.fixture(scope="module")(declared)


def _for_session(recipe: ImageRecipe | ContainerRecipe) -> Any:
    def declared(request: pytest.FixtureRequest, lab_session: Lab) -> Build | Container:
        return recipe.make(request, lab_session)

    setattr(declared, _ATTRIBUTE, recipe)
    return pytest.fixture(scope="session")(declared)


def _for_run(recipe: ImageRecipe | ContainerRecipe) -> Any:
    def declared(request: pytest.FixtureRequest, lab_run: Lab) -> Build | Container:
        return recipe.make(request, lab_run)

    setattr(declared, _ATTRIBUTE, recipe)
    return pytest.fixture(scope="session")(declared)


_BY_SCOPE: Mapping[str, Callable[[ImageRecipe | ContainerRecipe], Any]] = {
    "function": _for_test,
    "module": _for_module,
    "session": _for_session,
    "run": _for_run,
}
