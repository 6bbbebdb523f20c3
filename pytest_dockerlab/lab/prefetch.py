"""Things that are made before anybody asks for them: ordered, made in threads of their own, each handed out once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar

__all__ = ["Item", "Prefetch"]

O = TypeVar("O")  # noqa: E741
T = TypeVar("T")


@dataclass(slots=True, eq=False)
class Item(Generic[O, T]):
    """One that was ordered.

    Attributes:
        order: what is to be made.
        state: how far it is.
        wanted: somebody may still ask for it.
        thing: what was made.
        settled: set when it is made or never will be, and what nobody wants was handed to who removes it.
    """

    order: O
    state: Literal["ordered", "making", "made", "failed"] = "ordered"
    wanted: bool = True
    thing: T | None = None
    settled: threading.Event = field(default_factory=threading.Event)


class Prefetch(Generic[O, T]):
    """What will be needed, in this order, and how far it is. It raises nothing that a maker raises.

    Args:
        name: of its threads.
        make: makes what was ordered; where it raises, it leaves nothing behind.
        discard: has removed what nobody wants, which may take until later.
        due: which of the items is to be made now; called with ``changed`` held.
        on_made: called, in the maker's thread, when one more is there.
        makers: how many threads there are at most.

    Attributes:
        items: in the order in which they will be needed; to be looked at with ``changed`` held.
        making: how many are being made, wanted or not.
        closed: nothing is begun any more.
        changed: guards all of this; notified when there may be something new to do.
    """

    def __init__(
        self,
        name: str,
        make: Callable[[O], T],
        discard: Callable[[T], None],
        due: Callable[[Sequence[Item[O, T]]], Item[O, T] | None],
        *,
        on_made: Callable[[], None] = lambda: None,
        makers: int = 1,
    ) -> None:
        self.items: list[Item[O, T]] = []
        self.making = 0
        self.closed = False
        self.changed = threading.Condition()
        self._name = name
        self._make, self._discard, self._due, self._on_made = make, discard, due, on_made
        self._makers = makers
        self._threads: list[threading.Thread] = []

    def order(self, orders: Sequence[O], room: int) -> list[Item[O, T]]:
        """From now on these are wanted, in this order, and nothing else.

        Args:
            orders: those that are there or being made already count.
            room: how many of the first ones may be new.

        Returns:
            What was wanted until now, and is discarded.
        """
        with self.changed:
            if self.closed:
                return []
            left, kept = list(self.items), list[Item[O, T]]()
            for number, order in enumerate(orders):
                item = next((item for item in left if item.order == order), None)
                if item is not None:
                    left.remove(item)
                elif number < room:
                    item = Item(order)
                else:
                    continue
                kept.append(item)
            self.items = kept
            ahead = sum(item.state == "ordered" for item in kept)
            while len(self._threads) < min(self._makers, ahead):
                self._threads.append(threading.Thread(target=self._work, name=self._name, daemon=True))
                self._threads[-1].start()
            self.changed.notify_all()
        for item in left:
            self._drop(item)
        return left

    def take(self, order: O) -> T | None:
        """One that is made or being made, which is now the caller's; ``None`` if there is none, or it failed."""
        with self.changed:
            item = next((item for item in self.items if item.order == order), None)
            if item is None:
                return None
            self.items.remove(item)
            if item.state == "ordered":
                return None
        try:
            item.settled.wait()
        except BaseException:  # Ctrl-C: nobody will use it
            self._drop(item)
            raise
        return item.thing

    def withdraw(self, which: Callable[[Item[O, T]], bool]) -> list[Item[O, T]]:
        """Discard those of which this holds; returns them."""
        with self.changed:
            gone = [item for item in self.items if which(item)]
            self.items = [item for item in self.items if item not in gone]
        for item in gone:
            self._drop(item)
        return gone

    def close(self) -> None:
        """Begin nothing any more, and discard what nobody asked for; ``join`` waits for what is being made."""
        with self.changed:
            self.closed = True
            self.changed.notify_all()
        self.withdraw(lambda item: True)

    def join(self, seconds: float | None = None) -> bool:
        """Wait for the threads to end; ``False`` if one has not."""
        for thread in self._threads:
            thread.join(seconds)
        return not any(thread.is_alive() for thread in self._threads)

    def _work(self) -> None:
        while (item := self._next()) is not None:
            self._carry_out(item)

    def _next(self) -> Item[O, T] | None:
        with self.changed:
            while not self.closed:
                if (item := self._due(self.items)) is not None:
                    item.state = "making"
                    self.making += 1
                    return item
                self.changed.wait()
            return None

    def _carry_out(self, item: Item[O, T]) -> None:
        try:
            thing = self._make(item.order)
        except Exception:  # whatever it is, the test that asks for it will see it
            thing = None
        with self.changed:
            item.state = "failed" if thing is None else "made"
            if item.wanted:
                item.thing = thing
            self.making -= 1
            self.changed.notify_all()
        if thing is not None and item.thing is None:
            self._discard(thing)
        item.settled.set()
        if item.thing is not None:
            self._on_made()

    def _drop(self, item: Item[O, T]) -> None:
        with self.changed:
            item.wanted = False
            if item.state == "ordered":
                item.state = "failed"
                item.settled.set()
            thing = item.thing
        # One that is being made is discarded by its maker.
        if thing is not None:
            self._discard(thing)
