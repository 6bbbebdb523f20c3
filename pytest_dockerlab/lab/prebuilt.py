"""Images that were built before a test asked for them."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Literal

from pytest_dockerlab.errors import Conflict, LabError, UsageError
from pytest_dockerlab.lab.asked import BuildOrder
from pytest_dockerlab.lab.build import Build
from pytest_dockerlab.lab.names import own_name, own_repository

if TYPE_CHECKING:
    from pytest_dockerlab.engine.content import Turn
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.lab.building import Builder
    from pytest_dockerlab.lab.removal import Remover

__all__ = ["Prebuilt", "may_be_built_ahead"]

_MOST = 4
# Seconds that a run waits at its end for a build that is cancelled: its turn may be long in coming.
_PATIENCE = 10.0


def may_be_built_ahead(order: BuildOrder) -> bool:
    """Whether it means the same to the test that gets it, and disturbs no other test.

    A name of the user's is one test's at a time; a network or hosts of the machine's may have what a test starts; what
    shall not come from the cache, or from a cache of its own, is about the cache; a secret may not be there yet.
    """
    spec = order.spec
    about_the_cache = spec.no_cache or spec.pull or spec.fresh or spec.limits
    from_elsewhere = spec.network not in ("default", "none") or spec.extra_hosts or spec.secrets or spec.ssh
    plain = order.tag is None and isinstance(order.base or "", str) and spec.builder in (None, "buildkit")
    return plain and not (about_the_cache or from_elsewhere)


@dataclass(slots=True, eq=False)
class _Item:
    order: BuildOrder
    name: str
    state: Literal["ordered", "building", "built", "failed"] = "ordered"
    wanted: bool = True
    content: str = ""
    build: Build | None = None
    settled: threading.Event = field(default_factory=threading.Event)


class Prebuilt:
    """Builds what is ordered, one after another, and hands each out once, to who asks for the very same.

    Builds that begin with the same steps show each other's as reused: so they keep the order in which they would be
    built without this, and none is built while a test builds something itself.

    It raises nothing: what could not be built ahead is built by who needs it, and fails there.

    Args:
        engine: that has the images.
        builder: builds them, of bases that are there.
        remover: takes off what nobody asked for.
        release: has removed what was made of images, by their names.
        run: name of the run.
    """

    def __init__(
        self,
        engine: Engine,
        builder: Builder,
        remover: Remover,
        release: Callable[[Collection[str]], None],
        run: str,
        on_built: Callable[[], None] = lambda: None,
    ) -> None:
        """Args:
        on_built: called, in another thread, when one more image is there.
        """
        self._engine = engine
        # Where it waits for its turn, it may be all over when that comes.
        self._builder = builder if builder.turn is None else replace(builder, turn=partial(self._in_turn, builder.turn))
        self._remover = remover
        self._release = release
        self._on_built = on_built
        self._repository = own_repository(run)
        self._numbers = itertools.count(1)
        self._items: list[_Item] = []
        # Building these ahead is no use.
        self._failed: list[BuildOrder] = []
        self._own = 0
        self._busy = False
        self._thread: threading.Thread | None = None
        self._cut: Callable[[], None] = lambda: None
        self._changed = threading.Condition()
        self._closed = False

    # What will be needed

    def order(self, orders: Sequence[BuildOrder]) -> None:
        """From now on these will be needed, in this order, and nothing else.

        What is there or being built already counts; what is no longer wanted is removed.
        """
        with self._changed:
            if self._closed:
                return
            # What comes after one that only its test can build has to wait for that.
            able = list(itertools.takewhile(lambda order: order not in self._failed, orders))[:_MOST]
            left, kept = list(self._items), list[_Item]()
            for order in able:
                item = next((item for item in left if item.order == order), None)
                if item is not None:
                    left.remove(item)
                else:
                    item = _Item(order, own_name(self._repository, order.source, next(self._numbers)))
                kept.append(item)
            self._items = kept
            if self._thread is None and kept:
                self._thread = threading.Thread(target=self._build_all, name="dockerlab-builder", daemon=True)
                self._thread.start()
            self._changed.notify_all()
        for item in left:
            self._drop(item)

    def name(self, order: BuildOrder) -> str:
        """What the next image of this order is called, ``""`` while there is none."""
        with self._changed:
            item = next((item for item in self._items if item.order == order), None)
            return item.name if item is not None and item.state == "built" else ""

    def close(self) -> None:
        """Stop building, and have removed what nobody asked for; the remover is closed after this."""
        with self._changed:
            self._closed = True
            items, self._items = self._items, []
            self._changed.notify_all()
        for item in items:
            self._drop(item)
        deadline = time.monotonic() + _PATIENCE
        while self._thread is not None and self._thread.is_alive() and time.monotonic() < deadline:
            if self._busy:
                self._cut()  # again and again: it may have been about to send its request
            self._thread.join(0.2)

    # What is needed now

    def take(self, order: BuildOrder, content: Callable[[BuildOrder], str]) -> Build | None:
        """An image that was built of this very content, and is there; ``None`` if there is none.

        Args:
            content: a digest of what would be built now.
        """
        with self._changed:
            item = next((item for item in self._items if item.order == order), None)
            if item is None:
                return None
            self._items.remove(item)
            if item.state == "ordered":
                item.wanted = False
                return None
        try:
            item.settled.wait()
            if item.build is not None and self._same(item, item.build, content):
                return item.build
        except BaseException:  # Ctrl-C: nobody will use it
            self._drop(item)
            raise
        self._drop(item)
        return None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is built ahead while this is open; what has begun is waited for."""
        with self._changed:
            self._own += 1
            self._changed.wait_for(lambda: not self._busy)
        try:
            yield
        finally:
            with self._changed:
                self._own -= 1
                self._changed.notify_all()

    def _same(self, item: _Item, build: Build, content: Callable[[BuildOrder], str]) -> bool:
        try:
            return self._engine.images.id(item.name) == build.image.id and content(item.order) == item.content
        except LabError:
            return False  # the build itself will say what is wrong

    # Building

    @contextlib.contextmanager
    def _in_turn(self, turn: Turn, content: str) -> Iterator[None]:
        with turn(content):
            if self._closed:
                raise UsageError("the run has ended", remedy="build in time")
            yield

    def _build_all(self) -> None:
        self._cut = self._engine.api.cutter()
        while (item := self._next()) is not None:
            self._make(item)

    def _next(self) -> _Item | None:
        with self._changed:
            while not self._closed:
                item = next((item for item in self._items if item.state != "built"), None)
                if item is not None and item.state == "ordered" and not self._own:
                    item.state, self._busy = "building", True
                    return item
                self._changed.wait()
            return None

    def _make(self, item: _Item) -> None:
        try:
            item.content = self._builder.content(item.order)
            item.build = self._builder.build(item.order, (item.name,))
        except Exception:  # whatever it is, the test that asks for it will see it
            item.build = None
        with self._changed:
            item.state = "built" if item.build is not None else "failed"
            if item.build is None:
                self._failed.append(item.order)
            unwanted = item.build is None or not item.wanted
            self._busy = False
            self._changed.notify_all()
        if unwanted:
            self._remove(item)
        item.settled.set()
        if not unwanted:
            self._on_built()

    def _drop(self, item: _Item) -> None:
        with self._changed:
            item.wanted = False
            if item.state == "ordered":
                item.state = "failed"
                item.settled.set()
            built = item.state == "built"
        # One that is being built is removed by its builder.
        if built:
            self._release((item.name,))
            self._remove(item)

    def _remove(self, item: _Item) -> None:
        self._remover.submit(f"image {item.name}, built ahead", partial(_take_off, self._engine, item.name))


def _take_off(engine: Engine, name: str) -> None:
    # Never by force: somebody may have built the same, or run a container of it.
    with contextlib.suppress(Conflict):
        engine.images.remove(name)
