"""Containers that were made before a test asked for them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import LabError
from pytest_dockerlab.lab.prefetch import Item, Prefetch
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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A container that was started, and when."""

    order: Order
    id: str
    warnings: tuple[str, ...]
    since: float


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
        self._made = Prefetch("dockerlab-maker", self._make, self._remove, _next, makers=_MAKERS)
        # Making these ahead is no use: they failed, or were once too often not asked for, or too late.
        self._failed: list[RunSpec] = []
        self._stale: list[RunSpec] = []
        self._asked: list[Asked] = []

    # What will be needed

    def order(self, orders: Sequence[Order]) -> None:
        """From now on these will be needed, in this order, and nothing else.

        What is there or being made already counts; what is no longer wanted is removed.
        """
        wasted = self._made.withdraw(self._too_old)
        able = [order for order in orders if may_be_ahead(order.spec) and not self._useless(order.spec)]
        fitting = len(list(self._bounds.fitting(order.spec for order in able)))
        # Made for nothing, be it done or not: what was foreseen was wrong.
        wasted += [item for item in self._made.order(able, fitting) if item.state in ("making", "made")]
        self._stale.extend(item.order.spec for item in wasted)

    def forget(self, images: Collection[str]) -> None:
        """Remove what was made of these images (by the names in their specs); returns when it is gone."""
        gone = self._made.withdraw(lambda item: item.order.spec.image in images)
        for item in gone:
            item.settled.wait()
        if gone:
            self._remover.wait()

    def close(self) -> None:
        """Stop making, and have removed what nobody asked for; the remover is closed after this."""
        self._made.close()
        self._made.join()

    # What is needed now

    def take(self, asked: Asked) -> Prepared | None:
        """A container of this very spec that nobody else has; ``None`` if there is none as good as new."""
        with self._made.changed:
            self._asked.append(asked)
        made = self._made.take(asked.order)
        if made is None:
            return None
        spec = made.order.spec
        if self._fit(made):
            with contextlib.suppress(ValueError):
                self._stale.remove(spec)
            return Prepared(id=made.id, warnings=made.warnings)
        self._stale.append(spec)
        self._remove(made)
        return None

    def asked(self, *, forget: bool = True) -> tuple[Asked, ...]:
        """What was asked for, whether it was there or not, since it was last forgotten."""
        with self._made.changed:
            asked = tuple(self._asked)
            if forget:
                self._asked.clear()
            return asked

    def _fit(self, made: _Made) -> bool:
        try:
            inspect = self._engine.containers.inspect(made.id)
            # A name may mean another image by now.
            same = _bare(str(inspect.get("Image") or "")) == _bare(self._engine.images.id(made.order.spec.image))
        except LabError:
            return False
        return same and as_good_as_new(state_of(inspect), self._clock() - made.since, patient=made.order.patient)

    def _too_old(self, item: Item[Order, _Made]) -> bool:
        """Whether it will not do for the next test any more."""
        return item.thing is not None and self._clock() - item.thing.since > age_limit(patient=item.order.patient)

    def _useless(self, spec: RunSpec) -> bool:
        return spec in self._failed or self._stale.count(spec) >= _TOO_OFTEN

    # Making

    def _make(self, order: Order) -> _Made:
        made: _Made | None = None
        try:
            created = self._engine.containers.create(order.spec)
            made = _Made(order=order, id=created.id, warnings=created.warnings, since=self._clock())
            self._engine.containers.start(created.id)
        except Exception:
            self._failed.append(order.spec)
            if made is not None:
                self._remove(made)
            raise
        return made

    def _remove(self, made: _Made) -> None:
        remove = partial(self._engine.containers.remove, made.id, force=True, volumes=True)
        self._remover.submit(f"container {made.id[:12]} of {made.order.spec.image}, made ahead", remove)


def _next(items: Sequence[Item[Order, _Made]]) -> Item[Order, _Made] | None:
    return next((item for item in items if item.state == "ordered"), None)


def _bare(identity: str) -> str:
    return identity.removeprefix("sha256:")
