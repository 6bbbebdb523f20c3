"""What is made before anybody asks: each thing is handed out once, or discarded once, whatever comes between."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence

import pytest

from pytest_dockerlab.lab.prefetch import Item, Prefetch

PATIENCE = 60.0


class Works:
    """Makes things of numbers, each when it is let; those below 0 fail."""

    def __init__(self) -> None:
        self.begun: dict[int, threading.Event] = {}
        self.free: dict[int, threading.Event] = {}
        self.discarded: list[str] = []
        self.prefetch = Prefetch("test-maker", self.make, self.discarded.append, first, makers=2)

    def order(self, *numbers: int, room: int = 9) -> list[int]:
        for number in numbers:
            self.begun.setdefault(number, threading.Event())
            self.free.setdefault(number, threading.Event())
        return [item.order for item in self.prefetch.order(numbers, room)]

    def make(self, number: int) -> str:
        self.begun[number].set()
        assert self.free[number].wait(PATIENCE)
        if number < 0:
            raise ValueError(number)
        return f"thing {number}"

    def until_begun(self, number: int) -> None:
        assert self.begun[number].wait(PATIENCE)

    def let(self, *numbers: int) -> None:
        """Have these made, which are all that are being made, and wait until they are."""
        for number in numbers:
            self.free[number].set()
        with self.prefetch.changed:
            assert self.prefetch.changed.wait_for(lambda: not self.prefetch.making, PATIENCE)


def first(items: Sequence[Item[int, str]]) -> Item[int, str] | None:
    return next((item for item in items if item.state == "ordered"), None)


@pytest.fixture
def works() -> Iterator[Works]:
    works = Works()
    yield works
    for free in works.free.values():
        free.set()
    works.prefetch.close()
    assert works.prefetch.join(PATIENCE)


def taken(works: Works, number: int) -> tuple[threading.Thread, list[str | None]]:
    """Somebody who asks for it in another thread, and what he gets."""
    got: list[str | None] = []
    asks = threading.Thread(target=lambda: got.append(works.prefetch.take(number)))
    asks.start()
    return asks, got


def test_who_asks_while_it_is_made_gets_it(works: Works) -> None:
    """And nobody else does."""
    works.order(1)
    works.until_begun(1)
    asks, got = taken(works, 1)
    works.let(1)
    asks.join(PATIENCE)
    assert got == ["thing 1"]
    assert works.prefetch.take(1) is None
    assert works.discarded == []


def test_what_is_asked_for_before_it_was_begun_is_not_made(works: Works) -> None:
    """Who asks makes it himself, at once."""
    works.order(1, 2, 3)
    works.until_begun(1)
    works.until_begun(2)
    assert works.prefetch.take(3) is None
    works.let(1, 2)
    assert not works.begun[3].is_set()


def test_what_nobody_wants_any_more_is_discarded_once(works: Works) -> None:
    """Made, being made, or not begun."""
    works.order(1, 2, 3)
    works.until_begun(1)
    works.until_begun(2)
    works.free[1].set()
    works.until_begun(3)
    assert works.order(2) == [1, 3]
    assert works.discarded == ["thing 1"]
    (item,) = works.prefetch.withdraw(lambda item: item.order == 2)
    assert works.discarded == ["thing 1"]
    works.let(2, 3)
    assert item.settled.wait(PATIENCE)
    works.prefetch.close()
    assert works.prefetch.join(PATIENCE)
    assert works.discarded[0] == "thing 1"
    assert sorted(works.discarded) == ["thing 1", "thing 2", "thing 3"]


def test_a_failure_is_nothing_to_hand_out(works: Works) -> None:
    """Neither to who waits for it, nor later."""
    works.order(-1)
    works.until_begun(-1)
    asks, got = taken(works, -1)
    works.let(-1)
    asks.join(PATIENCE)
    assert got == [None]
    assert works.discarded == []


def test_who_is_interrupted_while_he_waits_leaves_it_to_be_discarded(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C: nobody will use what is being made for him."""
    works.order(1)
    works.until_begun(1)
    (item,) = works.prefetch.items

    class Interrupted(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            raise KeyboardInterrupt

    settled, item.settled = item.settled, Interrupted()
    with pytest.raises(KeyboardInterrupt):
        works.prefetch.take(1)
    item.settled = settled
    works.let(1)
    assert settled.wait(PATIENCE)
    assert works.discarded == ["thing 1"]


def test_room_is_for_new_ones_only(works: Works) -> None:
    """What is there already stays, however far behind it is needed."""
    works.order(1, 2)
    works.let(1, 2)
    works.order(3, 1, 2, 4, room=1)
    with works.prefetch.changed:
        assert [item.order for item in works.prefetch.items] == [3, 1, 2]


def test_when_it_is_closed_nothing_is_begun(works: Works) -> None:
    """What is being made then is discarded; the end of its threads can be waited for."""
    works.order(1, 2, 3)
    works.until_begun(1)
    works.until_begun(2)
    works.prefetch.close()
    assert not works.prefetch.join(0.01)
    works.let(1, 2)
    assert works.prefetch.join(PATIENCE)
    assert sorted(works.discarded) == ["thing 1", "thing 2"]
    assert not works.begun[3].is_set()
    assert works.order(4) == []
    assert works.prefetch.take(4) is None
