"""Containers that were made before a test asked for them."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Literal

from pytest_dockerlab.errors import LabError
from pytest_dockerlab.run.ahead import Bounds, age_limit, as_good_as_new, may_be_ahead
from pytest_dockerlab.run.spec import RunSpec
from pytest_dockerlab.run.state import state_of

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.lab.removal import Remover

__all__ = ["Asked", "Order", "Prepared", "Stock"]

_MAKERS = 3
# Each that was of use makes up for one that was not.
_TOO_OFTEN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A container that a coming test will ask for.

    Attributes:
        spec: complete, labels too.
        patient: it will be waited for until it is ready.
    """

    spec: RunSpec
    patient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a test asked for.

    Attributes:
        image: id of the image.
        lasting: the image is there for later tests, too.
        passing: the image's name is made up, and another one in the next run.
    """

    order: Order
    image: str
    lasting: bool = True
    passing: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A container that runs, or has ended, and is now somebody's."""

    id: str
    warnings: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Item:
    order: Order
    state: Literal["ordered", "making", "made", "failed"] = "ordered"
    wanted: bool = True
    id: str = ""
    warnings: tuple[str, ...] = ()
    since: float = 0.0
    settled: threading.Event = field(default_factory=threading.Event)


class Stock:
    """Makes what is ordered, in order, within bounds, and hands each out once, to who asks for the very same.

    It raises nothing: what could not be made ahead is made by who needs it, and fails there.

    Args:
        engine: that runs them.
        remover: takes down what nobody asked for.
        bounds: how much is kept ready; by default what the engine can bear.
        clock: seconds, for the age of a container.
    """

    def __init__(
        self,
        engine: Engine,
        remover: Remover,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine = engine
        self._remover = remover
        self._bounds = bounds or Bounds.of(engine.info.cpus, engine.info.memory)
        self._clock = clock
        self._items: list[_Item] = []
        # Making these ahead is no use: they failed, or were once too often not asked for, or too late.
        self._failed: list[RunSpec] = []
        self._stale: list[RunSpec] = []
        self._asked: list[Asked] = []
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        self._closed = False

    # What will be needed

    def order(self, orders: Sequence[Order]) -> None:
        """From now on these will be needed, in this order, and nothing else.

        What is there or being made already counts; what is no longer wanted is removed.
        """
        with self._changed:
            if self._closed:
                return
            left, old = self._by_age()
            able = [order for order in orders if may_be_ahead(order.spec) and not self._useless(order.spec)]
            fitting = len(list(self._bounds.fitting(order.spec for order in able)))
            kept: list[_Item] = []
            for number, order in enumerate(able):
                item = next((item for item in left if item.order == order), None)
                if item is not None:
                    left.remove(item)
                elif number < fitting:
                    item = _Item(order)
                else:
                    continue
                kept.append(item)
            self._items = kept
            # Made for nothing, be it done or not: what was foreseen was wrong.
            self._stale.extend(item.order.spec for item in left if item.state in ("making", "made"))
            ahead = sum(item.state == "ordered" for item in kept)
            while len(self._threads) < min(_MAKERS, ahead):
                self._threads.append(threading.Thread(target=self._make_all, name="dockerlab-maker", daemon=True))
                self._threads[-1].start()
            self._changed.notify_all()
        for item in (*left, *old):
            self._drop(item)

    def forget(self, images: Collection[str]) -> None:
        """Remove what was made of these images (by the names in their specs); returns when it is gone."""
        with self._changed:
            gone = [item for item in self._items if item.order.spec.image in images]
            self._items = [item for item in self._items if item not in gone]
        for item in gone:
            self._drop(item)
        for item in gone:
            item.settled.wait()
        if gone:
            self._remover.wait()

    def close(self) -> None:
        """Stop making, and have removed what nobody asked for; the remover is closed after this."""
        with self._changed:
            self._closed = True
            items, self._items = self._items, []
            self._changed.notify_all()
        for item in items:
            self._drop(item)
        for thread in self._threads:
            thread.join()

    # What is needed now

    def take(self, asked: Asked) -> Prepared | None:
        """A container of this very spec that nobody else has; ``None`` if there is none as good as new."""
        order = asked.order
        with self._changed:
            self._asked.append(asked)
            item = next((item for item in self._items if item.order == order), None)
            if item is None:
                return None
            self._items.remove(item)
            if item.state == "ordered":
                item.wanted = False
                return None
        try:
            item.settled.wait()
        except BaseException:  # Ctrl-C: nobody will use it
            self._drop(item)
            raise
        if item.state == "failed":
            return None
        if self._fit(item):
            with self._changed, contextlib.suppress(ValueError):
                self._stale.remove(order.spec)
            return Prepared(id=item.id, warnings=item.warnings)
        with self._changed:
            self._stale.append(order.spec)
        self._remove(item)
        return None

    def asked(self, *, forget: bool = True) -> tuple[Asked, ...]:
        """What was asked for, whether it was there or not, since it was last forgotten."""
        with self._changed:
            asked = tuple(self._asked)
            if forget:
                self._asked.clear()
            return asked

    def _fit(self, item: _Item) -> bool:
        try:
            inspect = self._engine.containers.inspect(item.id)
            # A name may mean another image by now.
            same = _bare(str(inspect.get("Image") or "")) == _bare(self._engine.images.id(item.order.spec.image))
        except LabError:
            return False
        return same and as_good_as_new(state_of(inspect), self._clock() - item.since, patient=item.order.patient)

    def _by_age(self) -> tuple[list[_Item], list[_Item]]:
        """The items that will still do for the next test, and those that are too old for it."""
        young, old = list[_Item](), list[_Item]()
        for item in self._items:
            aged = item.state == "made" and self._clock() - item.since > age_limit(patient=item.order.patient)
            (old if aged else young).append(item)
        self._stale.extend(item.order.spec for item in old)
        return young, old

    def _useless(self, spec: RunSpec) -> bool:
        return spec in self._failed or self._stale.count(spec) >= _TOO_OFTEN

    # Making

    def _make_all(self) -> None:
        while (item := self._next()) is not None:
            self._make(item)

    def _next(self) -> _Item | None:
        with self._changed:
            while True:
                if self._closed:
                    return None
                item = next((item for item in self._items if item.state == "ordered"), None)
                if item is not None:
                    item.state = "making"
                    return item
                self._changed.wait()

    def _make(self, item: _Item) -> None:
        made = False
        try:
            created = self._engine.containers.create(item.order.spec)
            item.id, item.warnings = created.id, created.warnings
            item.since = self._clock()
            self._engine.containers.start(created.id)
            made = True
        except Exception:  # whatever it is, the test that asks for it will see it
            made = False
        with self._changed:
            item.state = "made" if made else "failed"
            if not made:
                self._failed.append(item.order.spec)
            unwanted = not (item.wanted and made)
        if unwanted:
            self._remove(item)
        item.settled.set()

    def _drop(self, item: _Item) -> None:
        with self._changed:
            item.wanted = False
            if item.state == "ordered":
                item.state = "failed"
                item.settled.set()
            made = item.state == "made"
        # One that is being made is removed by its maker.
        if made:
            self._remove(item)

    def _remove(self, item: _Item) -> None:
        if item.id:
            remove = partial(self._engine.containers.remove, item.id, force=True, volumes=True)
            self._remover.submit(f"container {item.id[:12]} of {item.order.spec.image}, made ahead", remove)


def _bare(identity: str) -> str:
    return identity.removeprefix("sha256:")
