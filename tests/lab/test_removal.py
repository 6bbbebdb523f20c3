"""Removing in the background."""

from __future__ import annotations

import threading

import pytest

from pytest_dockerlab.errors import Conflict, EngineError, NotFound
from pytest_dockerlab.lab.ownership import ClosingStack
from pytest_dockerlab.lab.removal import Remover

# Long enough for any machine; nobody waits for it but a test that fails.
PATIENCE = 60


def fail(error: BaseException) -> None:
    raise error


def test_all_is_done_when_it_is_closed() -> None:
    """What was handed in is removed, each once; what comes later is removed at once."""
    remover, gone = Remover(), list[int]()
    for number in range(20):
        remover.submit(f"thing {number}", lambda number=number: gone.append(number))  # type: ignore[misc]
    remover.close()
    assert sorted(gone) == list(range(20))
    remover.submit("late", lambda: gone.append(99))
    assert gone[-1] == 99
    remover.close()


def test_several_are_removed_at_a_time() -> None:
    """Two removals that wait for one another both end."""
    remover, both = Remover(workers=2), threading.Barrier(2)
    for name in ("one", "other"):
        remover.submit(name, lambda: both.wait(PATIENCE))
    remover.close()
    assert remover.trouble == []


def test_a_failure_is_kept_and_stops_nothing() -> None:
    """What could not be removed is told with its reason; what is gone already is fine."""
    remover, gone = Remover(workers=1), list[str]()
    remover.submit("container a", lambda: fail(Conflict("a is in use", remedy="wait")))
    remover.submit("container b", lambda: fail(NotFound("no such container")))
    remover.submit("container c", lambda: fail(ValueError("odd")))
    remover.submit("container d", lambda: gone.append("d"))
    remover.close()
    assert gone == ["d"]
    assert remover.trouble == ["container a: a is in use", "container c: ValueError: odd"]


def test_who_makes_faster_than_is_removed_waits() -> None:
    """With the backlog full the next one is only taken when there is room."""
    remover, go = Remover(workers=1, backlog=2), threading.Event()
    begun, taken = threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        go.wait(PATIENCE)

    remover.submit("first", first)
    assert begun.wait(PATIENCE)
    for name in ("second", "third"):
        remover.submit(name, lambda: None)

    def fourth() -> None:
        remover.submit("fourth", lambda: None)
        taken.set()

    thread = threading.Thread(target=fourth)
    thread.start()
    # It can't be: nothing left the queue.
    assert not taken.wait(0.2)
    go.set()
    assert taken.wait(PATIENCE)
    thread.join()
    remover.close()


def test_waiting_for_some_is_not_waiting_for_all() -> None:
    """A job can be waited for while another one still goes on."""
    remover, go = Remover(workers=2), threading.Event()
    slow = remover.submit("slow", lambda: go.wait(PATIENCE))
    remover.wait([remover.submit("quick", lambda: None)])
    assert not slow.done.is_set()
    go.set()
    remover.wait()
    assert slow.done.is_set()
    remover.close()


def test_a_stack_of_what_can_wait_is_handed_over() -> None:
    """Containers alone are removed in the background."""
    stack, remover, go = ClosingStack(), Remover(), threading.Event()
    for name in ("a", "b"):
        stack.push(name, lambda: fail(Conflict("busy")) if go.wait(PATIENCE) else None, later=True)
    stack.retire(remover.submit)
    assert len(stack) == 0
    go.set()
    remover.close()
    assert sorted(remover.trouble) == ["a: busy", "b: busy"]


def test_what_can_not_wait_goes_after_what_can() -> None:
    """A network is removed when its containers are gone, before the test's end, and its failure is the test's."""
    stack, remover, gone = ClosingStack(), Remover(), list[str]()
    stack.push("image", lambda: fail(Conflict("in use")))
    stack.push("container a", lambda: gone.append("a"), later=True)
    stack.push("network", lambda: gone.append(f"network after {len(gone)}"))
    stack.push("container b", lambda: gone.append("b"), later=True)
    with pytest.raises(EngineError, match="1 of 2 things of this lab could not be removed:\n  image: in use"):
        stack.retire(remover.submit)
    assert (sorted(gone[:2]), gone[2:]) == (["a", "b"], ["network after 2"])
    remover.close()
