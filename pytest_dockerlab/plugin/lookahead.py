"""Looking ahead: what the coming tests will ask for is made while this one runs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.plugin import coming
from pytest_dockerlab.plugin.axis import place_of
from pytest_dockerlab.plugin.current import LABS
from pytest_dockerlab.plugin.declared import ContainerRecipe, ImageRecipe, recipe_of
from pytest_dockerlab.plugin.learned import Memory, Wish, key_of, record_of
from pytest_dockerlab.plugin.recipes import Recipes

if TYPE_CHECKING:
    from pytest_dockerlab.lab.stock import Asked, Order, Stock
    from pytest_dockerlab.plugin.session import Run

__all__ = ["Lookahead", "begin"]

# Tests after the present one; how many containers that may be is the stock's business.
_DEPTH = 6
# A declared fixture's scope → its lab's. One of scope run may be another process's already.
_SCOPES = {"function": "test", "module": "module", "session": "session"}
# Settings of lab.run that say nothing of the container.
_OURS = ("wait", "check", "timeout", "ahead")
# xdist's ways to distribute that keep tests together: what these have in common.
_TOGETHER: Mapping[str, Callable[[pytest.Item], str]] = {
    "loadfile": lambda item: item.nodeid.partition("::")[0],
    "loadscope": lambda item: item.nodeid.rpartition("::")[0],
}


def begin(session: pytest.Session, run: Run) -> None:
    """Look ahead from now on, if the user has not turned it off. The tests are collected, the engine is there."""
    if run.settings.lookahead == "off" or run.stock is not None:
        return
    from pytest_dockerlab.lab.removal import Remover
    from pytest_dockerlab.lab.stock import Stock

    run.remover = Remover()
    run.stock = Stock(run.engine, run.remover)
    ahead = Lookahead(session, run, run.stock)
    run.prebuilt = ahead.prebuilt
    session.config.pluginmanager.register(ahead, "dockerlab-lookahead")
    ahead.start()


class Lookahead:
    """Tells the stock, before each test, what that test and the next ones will ask for; hears what they did ask for.

    An xdist worker knows for sure only its next test, and, where tests stay together, the rest of these.
    """

    def __init__(self, session: pytest.Session, run: Run, stock: Stock) -> None:
        workerinput: Mapping[str, Any] | None = getattr(session.config, "workerinput", None)
        self._alone = workerinput is None
        self._together = _TOGETHER.get((workerinput or {}).get("dockerlab_dist", ""))
        self._run = run
        self._stock = stock
        self._items = session.items
        self._place = {item: number for number, item in enumerate(session.items)}
        self._memory = Memory.of(session.config) if run.settings.lookahead == "learned" else None
        self._recipes = Recipes(session.config)
        self.prebuilt = coming.begin(run, self._built)
        self._images = coming.ComingImages(run, self._recipes, self.prebuilt)
        # An image that was built ahead is heard of in another thread.
        self._lock = threading.RLock()
        # What lives longer than a test is asked for once: (scope, file) → what was.
        self._lasting: dict[tuple[str, str], list[Order]] = {}
        # Images that were made in this run: an image's id → the name of now.
        self._named: dict[str, str] = {}
        self._brought: dict[tuple[str, str], str] = {}
        self._present: list[pytest.Item] = []

    def start(self) -> None:
        """Begin with the first tests, where it is known which these are."""
        if self._alone:
            self._foresee(self._items[: 1 + _DEPTH])

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Generator[None, object, object]:
        self._foresee([item, *self._coming(item, nextitem)])
        try:
            return (yield)
        finally:
            self._hear(item)

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(
        self, fixturedef: pytest.FixtureDef[Any], request: pytest.FixtureRequest
    ) -> Generator[None, object, object]:
        recipe = recipe_of(fixturedef.func)
        made: object = None
        try:
            made = yield
        finally:
            if isinstance(recipe, ImageRecipe):
                place = place_of(self._present[0]) if self._present else ""
                self._images.made(recipe, request, place, str(getattr(made, "name", "")))
                self._foresee(self._present)
        return made

    def _built(self) -> None:
        """One more image was built ahead: containers of it can be made."""
        with self._lock:
            self._order(self._present)

    def _coming(self, item: pytest.Item, nextitem: pytest.Item | None) -> list[pytest.Item]:
        if nextitem is None:
            return []
        place = self._place.get(nextitem)
        if place is None:
            return [nextitem]
        coming = self._items[place : place + _DEPTH]
        if self._alone:
            return coming
        if self._together is not None:
            return [each for each in coming if self._together(each) == self._together(nextitem)]
        return [nextitem]

    # What will be asked for

    def _foresee(self, items: list[pytest.Item]) -> None:
        """Order what these tests will ask for; the first of them may have begun."""
        with self._lock:
            self._present = items
            self._images.foresee(items)
            self._order(items)

    def _order(self, items: list[pytest.Item]) -> None:
        had = [one.order for one in self._stock.asked(forget=False)]
        orders: list[Order] = []
        for item in items:
            uses_labs = not LABS.keys().isdisjoint(getattr(item, "fixturenames", ()))
            if uses_labs and item.get_closest_marker("skip") is None:
                for order in self._of(item, orders):
                    if order in had:
                        had.remove(order)
                    else:
                        orders.append(order)
        self._stock.order(orders)

    def _of(self, item: pytest.Item, before: Sequence[Order]) -> list[Order]:
        """The orders for one test: what is declared, and what is learned beyond that.

        Args:
            before: orders for tests that come before it.
        """
        orders = [order for recipe in self._recipes.of(item) if (order := self._declared(recipe, item)) is not None]
        more = list(orders)
        for wish in self._memory.foresee(item) if self._memory is not None else ():
            if (order := self._wished(wish)) is None:
                continue
            if order in more:
                more.remove(order)  # it is the declared one's
            else:
                orders.append(order)
        return [order for order in orders if not self._is_there(order, item, before)]

    def _is_there(self, order: Order, item: pytest.Item, before: Sequence[Order]) -> bool:
        """Whether it outlives a test, and an earlier one has asked or will ask for it."""
        homes = _homes(order, item)
        return any(order in self._lasting.get(key, ()) for key in homes) or (bool(homes) and order in before)

    def _declared(self, recipe: ContainerRecipe | ImageRecipe, item: pytest.Item) -> Order | None:
        from pytest_dockerlab.lab.stock import Order
        from pytest_dockerlab.run.parse import parse_run

        if (
            not isinstance(recipe, ContainerRecipe)
            or recipe.scope not in _SCOPES
            or recipe.settings.get("ahead") is False
        ):
            return None
        try:
            image = self._image(recipe.image, item)
            settings = {name: value for name, value in recipe.settings.items() if name not in _OURS}
            address = self._address() if "ports" in settings else ""
            spec = parse_run(image, recipe.command, address=address, **settings)
        except Exception:  # a slip in a declaration is told to the test that uses it
            return None
        if not image:
            return None
        place = place_of(item)
        platform = spec.platform or (Platform.parse(place) if place else None)
        labels = {**spec.labels, **self._labels(_SCOPES[recipe.scope])}
        spec = replace(spec, labels=labels, platform=platform)
        return Order(spec=spec, patient=recipe.settings.get("wait") is not None)

    def _image(self, image: object, item: pytest.Item) -> str:
        """The name under which the engine has a declared image now, ``""`` where it doesn't."""
        if not isinstance(image, str):
            return self._images.name(image, item)
        place = place_of(item)
        if (image, place) not in self._brought:
            found = self._run.bases.at_hand(image, Platform.parse(place) if place else None)
            if found is None:
                return ""
            self._brought[image, place] = found.reference
        return self._brought[image, place]

    def _address(self) -> str:
        from pytest_dockerlab.lab import tc

        return tc.publishing_address(self._run.engine)

    def _wished(self, wish: Wish) -> Order | None:
        from pytest_dockerlab.lab.stock import Order

        image = self._named.get(wish.image, "") if wish.image else wish.spec.image
        if not image:
            return None
        labels = {**wish.spec.labels, **self._labels(wish.scope)}
        return Order(spec=replace(wish.spec, image=image, labels=labels), patient=wish.patient)

    def _labels(self, scope: str) -> Mapping[str, str]:
        return self._run.ownership(scope).labels

    # What was asked for

    def _hear(self, item: pytest.Item) -> None:
        with self._lock:
            asked = self._stock.asked()
            for one in asked:
                for key in _homes(one.order, item):
                    self._lasting.setdefault(key, []).append(one.order)
                if one.lasting and one.passing:
                    self._named[one.image] = one.order.spec.image
        if self._memory is None:
            return
        wishes = tuple(self._wish(one) for one in asked if one.lasting)
        self._memory.tell(item, wishes)
        if wishes or key_of(item) in self._run.tally.learned:
            self._run.tally.learned[key_of(item)] = record_of(item, wishes)

    def _wish(self, one: Asked) -> Wish:
        from pytest_dockerlab.lab.ownership import LABEL_SCOPE

        spec = one.order.spec
        scope = spec.labels[LABEL_SCOPE]
        ours = self._labels(scope)
        labels = {name: text for name, text in spec.labels.items() if name not in ours}
        return Wish(
            spec=replace(spec, labels=labels, image="" if one.passing else spec.image),
            scope=scope,
            patient=one.order.patient,
            image=one.image if one.passing else "",
        )


def _homes(order: Order, item: pytest.Item) -> list[tuple[str, str]]:
    """Where what was asked for stays, beyond the test: nowhere, in its file, or in the run."""
    from pytest_dockerlab.lab.ownership import LABEL_SCOPE

    scope = order.spec.labels.get(LABEL_SCOPE, "")
    if scope == "test":
        return []
    return [(scope, str(item.path) if scope == "module" else "")]
