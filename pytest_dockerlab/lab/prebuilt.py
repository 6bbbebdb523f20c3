"""Images that were built before a test asked for them."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import Conflict, LabError, UsageError
from pytest_dockerlab.lab.asked import BuildOrder
from pytest_dockerlab.lab.build import Build
from pytest_dockerlab.lab.names import own_name, own_repository
from pytest_dockerlab.lab.prefetch import Item, Prefetch

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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Built:
    """An image, and a digest of what it was built of."""

    build: Build
    content: str


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
        self._repository = own_repository(run)
        self._numbers = itertools.count(1)
        self._built = Prefetch("dockerlab-builder", self._build, self._discard, self._next, on_made=on_built)
        # Building these ahead is no use.
        self._failed: list[BuildOrder] = []
        # Builds of the tests' own that go on.
        self._own = 0
        self._cut: Callable[[], None] = lambda: None

    # What will be needed

    def order(self, orders: Sequence[BuildOrder]) -> None:
        """From now on these will be needed, in this order, and nothing else.

        What is there or being built already counts; what is no longer wanted is removed.
        """
        # What comes after one that only its test can build has to wait for that.
        able = list(itertools.takewhile(lambda order: order not in self._failed, orders))[:_MOST]
        self._built.order(able, room=_MOST)

    def name(self, order: BuildOrder) -> str:
        """What the next image of this order is called, ``""`` while there is none."""
        with self._built.changed:
            item = next((item for item in self._built.items if item.order == order), None)
            return item.thing.build.name if item is not None and item.thing is not None else ""

    def close(self) -> None:
        """Stop building, and have removed what nobody asked for; the remover is closed after this."""
        self._built.close()
        deadline = time.monotonic() + _PATIENCE
        while not self._built.join(0.2) and time.monotonic() < deadline:
            self._cut()  # again and again: it may have been about to send its request

    # What is needed now

    def take(self, order: BuildOrder, content: Callable[[BuildOrder], str]) -> Build | None:
        """An image that was built of this very content, and is there; ``None`` if there is none.

        Args:
            content: a digest of what would be built now.
        """
        built = self._built.take(order)
        if built is None:
            return None
        try:
            there = self._engine.images.id(built.build.name) == built.build.image.id
            if there and content(order) == built.content:
                return built.build
        except LabError:
            pass  # the build itself will say what is wrong
        except BaseException:  # Ctrl-C: nobody will use it
            self._discard(built)
            raise
        self._discard(built)
        return None

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Nothing is built ahead while this is open; what has begun is waited for."""
        with self._built.changed:
            self._own += 1
            self._built.changed.wait_for(lambda: not self._built.making)
        try:
            yield
        finally:
            with self._built.changed:
                self._own -= 1
                self._built.changed.notify_all()

    # Building

    def _next(self, items: Sequence[Item[BuildOrder, _Built]]) -> Item[BuildOrder, _Built] | None:
        item = next((item for item in items if item.state != "made"), None)
        return item if item is not None and item.state == "ordered" and not self._own else None

    def _build(self, order: BuildOrder) -> _Built:
        self._cut = self._engine.api.cutter()
        name = own_name(self._repository, order.source, next(self._numbers))
        try:
            content = self._builder.content(order)
            return _Built(build=self._builder.build(order, (name,)), content=content)
        except Exception:
            self._failed.append(order)
            self._remove(name)
            raise

    @contextlib.contextmanager
    def _in_turn(self, turn: Turn, content: str) -> Iterator[None]:
        with turn(content):
            if self._built.closed:
                raise UsageError("the run has ended", remedy="build in time")
            yield

    def _discard(self, built: _Built) -> None:
        self._release((built.build.name,))
        self._remove(built.build.name)

    def _remove(self, name: str) -> None:
        self._remover.submit(f"image {name}, built ahead", partial(_take_off, self._engine, name))


def _take_off(engine: Engine, name: str) -> None:
    # Never by force: somebody may have built the same, or run a container of it.
    with contextlib.suppress(Conflict):
        engine.images.remove(name)
