"""Which images the coming tests need, in the order in which they would be built."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING

import pytest

from pytest_dockerlab.errors import LabError
from pytest_dockerlab.plugin import marks
from pytest_dockerlab.plugin.axis import param_of, place_of
from pytest_dockerlab.plugin.declared import ContainerRecipe, ImageRecipe, recipe_of
from pytest_dockerlab.plugin.recipes import Recipes

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_dockerlab.bases.provide import Provided
    from pytest_dockerlab.lab.asked import BuildOrder
    from pytest_dockerlab.lab.prebuilt import Prebuilt
    from pytest_dockerlab.platforms import Platform
    from pytest_dockerlab.plugin.session import Run

__all__ = ["ComingImages", "begin"]

# A fixture's scope → its lab's.
_SCOPES = {"function": "test", "module": "module", "session": "session", "run": "run"}
# A fixture as it is set up: its recipe, the test or file that it is for, the platform.
_Key = tuple[int, str, str]


def begin(run: Run, on_built: Callable[[], None]) -> Prebuilt | None:
    """What builds ahead; ``None`` where it could be told from building in time.

    Other builders than BuildKit have the images that are there for a cache: they find less in it when a test's own
    images are gone.

    Args:
        on_built: called, in another thread, when one more image is there.
    """
    from pytest_dockerlab.lab.building import Builder
    from pytest_dockerlab.lab.events import Recorder
    from pytest_dockerlab.lab.prebuilt import Prebuilt

    if run.engine.info.product == "Podman" or not run.engine.capabilities.has("buildkit"):
        return None
    assert run.stock is not None
    assert run.remover is not None
    builder = Builder(
        engine=run.engine,
        ensure=partial(_at_hand, run),
        recorder=Recorder(),  # what was built is told by the lab that takes it
        scope="",
        on_progress=None,
        turn=None if run.seat.leads else run.sharing.turn,
    )
    return Prebuilt(run.engine, builder, run.remover, run.stock.forget, run.seat.run, on_built)


def _at_hand(run: Run, ref: str, platform: Platform | None = None) -> Provided:
    """A base that is there: what has to be brought is brought when a test needs it."""
    from pytest_dockerlab.errors import BaseImageMissing

    found = run.bases.at_hand(ref, platform)
    if found is None:
        raise BaseImageMissing(f"{ref} is not at hand", remedy="it is brought when a test asks for it")
    return found


class ComingImages:
    """Orders declared images while only declared ones can be built.

    Each test shows the same steps as reused as if all were built in time: so the line ends at the first test that may
    build something of which nobody knows.
    """

    def __init__(self, run: Run, recipes: Recipes, prebuilt: Prebuilt | None) -> None:
        self._run = run
        self._recipes = recipes
        self._prebuilt = prebuilt
        # The image's name, "" for one that failed.
        self._made: dict[_Key, str] = {}
        self._expected: dict[_Key, BuildOrder] = {}

    def foresee(self, items: Sequence[pytest.Item]) -> None:
        """Order what these tests will build; the first of them may have begun."""
        if self._prebuilt is None:
            return
        self._expected = {}
        orders = []
        if any(key not in self._made for item in items for _, key in self._images(item)):
            for key, order in self._line(items):
                orders.append(order)
                if order not in self._expected.values():
                    self._expected[key] = order
        self._prebuilt.order(orders)

    def made(self, recipe: ImageRecipe, request: pytest.FixtureRequest, place: str, name: str) -> None:
        """A fixture was set up.

        Args:
            place: the test's platform, ``""`` for the engine's own.
            name: of the image, ``""`` if it could not be built.
        """
        node = request.node
        home = {"function": node.nodeid, "module": str(getattr(node, "path", ""))}.get(recipe.scope, "")
        self._made[id(recipe), home, place] = name

    def name(self, image: object, item: pytest.Item) -> str:
        """What a declared image that a test uses is called, ``""`` while it isn't there."""
        recipe = recipe_of(image)
        if not isinstance(recipe, ImageRecipe):
            return ""
        key = _key(recipe, item)
        if key in self._made:
            return self._made[key]
        order = self._expected.get(key)
        return self._prebuilt.name(order) if self._prebuilt is not None and order is not None else ""

    def _line(self, items: Sequence[pytest.Item]) -> Iterator[tuple[_Key, BuildOrder]]:
        from pytest_dockerlab.lab.prebuilt import may_be_built_ahead

        seen = set(self._made)
        for item in items:
            runs = self._runs(item)
            if runs is False:
                continue
            if runs is None or self._recipes.may_build(item):
                return
            for recipe, key in self._images(item):
                if key in seen:
                    continue
                seen.add(key)
                order = self._order(recipe, key[-1]) if recipe is not None else None
                if order is None or not may_be_built_ahead(order):
                    return
                yield key, order

    def _runs(self, item: pytest.Item) -> bool | None:
        """Whether a test will run; ``None`` where only pytest can tell."""
        try:
            if item.get_closest_marker("skip") is not None:
                return False
            axis = self._run.axis
            platform = axis.chosen(param_of(item))
            if axis.refusal(platform)[0] or marks.judged(item, axis.capabilities(platform), self._run.settings)[0]:
                return False
        except LabError:  # the test will be told
            return None
        xfail = item.get_closest_marker("xfail")
        if item.get_closest_marker("skipif") is not None or (xfail is not None and xfail.kwargs.get("run") is False):
            return None
        return True

    def _images(self, item: pytest.Item) -> Iterator[tuple[ImageRecipe | None, _Key]]:
        """The declared images that a test uses; no recipe where it can't be known which one it will be."""
        for recipe in self._recipes.of(item):
            image = recipe.image if isinstance(recipe, ContainerRecipe) else recipe
            if isinstance(recipe, ContainerRecipe):
                image = recipe_of(recipe.image)
                if not isinstance(image, ImageRecipe):
                    continue
                names = [name for name, value in recipe.place.items() if value is recipe.image]
                if not names or self._recipes.find(item, names[0]) is not image:
                    yield None, _key(image, item)
                    continue
            assert isinstance(image, ImageRecipe)
            yield image, _key(image, item)

    def _order(self, recipe: ImageRecipe, place: str) -> BuildOrder | None:
        from pytest_dockerlab.lab.asked import read_build

        if not recipe.ahead or (recipe.scope == "run" and not self._run.seat.leads):
            return None  # or another worker may have it, or be building it
        try:
            return read_build(
                recipe.source,
                dockerfiles=self._run.settings.dockerfiles,
                owned=self._run.ownership(_SCOPES[recipe.scope]).labels,
                **{**recipe.settings, "platform": recipe.settings.get("platform") or place or None},
            )
        except Exception:  # a slip in a declaration is told to the test that uses it
            return None


def _key(recipe: ImageRecipe, item: pytest.Item) -> _Key:
    """A fixture as it is set up for a test: one for each, for each file, or for all."""
    return id(recipe), {"function": item.nodeid, "module": str(item.path)}.get(recipe.scope, ""), place_of(item)
