"""Who owns a thing, and in which order things go."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from pytest_dockerlab.errors import Conflict, EngineError, EngineUnreachable, FormatError, NotFound
from pytest_dockerlab.lab.ownership import ClosingStack, Owner, Ownership


def test_the_last_thing_goes_first() -> None:
    """Closers are called in reverse order, each once."""
    stack, gone = ClosingStack(), list[str]()
    for name in ("volume", "image", "container"):
        stack.push(name, lambda name=name: gone.append(name))  # type: ignore[misc]
    stack.close()
    stack.close()
    assert gone == ["container", "image", "volume"]


def test_what_was_removed_by_hand_is_not_removed_again() -> None:
    """An entry that was taken out is not called."""
    stack, gone = ClosingStack(), list[str]()
    stack.push("one", lambda: gone.append("one"))
    stack.discard(stack.push("two", lambda: gone.append("two")))
    stack.close()
    assert gone == ["one"]


def fail(error: BaseException) -> None:
    raise error


def test_one_failure_stops_none_of_the_others() -> None:
    """Every closer is called; what failed is told together, each with its reason."""
    stack, gone = ClosingStack(), list[str]()
    stack.push("volume a", lambda: gone.append("a"))
    stack.push("image b", lambda: fail(Conflict("b is in use", remedy="wait")))
    stack.push("network c", lambda: fail(OSError("no route")))
    stack.push("container d", lambda: gone.append("d"))
    with pytest.raises(EngineError) as caught:
        stack.close()
    assert gone == ["d", "a"]
    assert str(caught.value) == (
        "2 of 4 things of this lab could not be removed:\n"
        "  network c: OSError: no route\n"
        "  image b: b is in use\n"
        "  → look for what is left by its label: docker ps -a --filter label=org.dockerlab.run"
    )
    assert len(stack) == 0


def test_an_engine_that_is_gone_is_not_asked_for_each_thing() -> None:
    """What its label would find is left to the sweep, and named; what it would not find is tried all the same."""
    stack, tried = ClosingStack(), list[str]()
    stack.push("folder", lambda: tried.append("folder"))
    stack.push("volume", lambda: tried.append("volume"), labelled=True)
    stack.push("box", lambda: fail(EngineUnreachable("nobody there", remedy="start it")), labelled=True)
    with pytest.raises(EngineUnreachable) as caught:
        stack.close()
    assert tried == ["folder"]
    assert str(caught.value).splitlines() == [
        "2 of 3 things of this lab could not be removed:",
        "  box: nobody there",
        "  volume",
        "  → start it; they go when it answers again",
    ]


def test_what_is_gone_already_is_fine() -> None:
    """A thing that somebody else has removed is no error."""
    stack = ClosingStack()
    stack.push("container", lambda: fail(NotFound("no such container")))
    stack.close()


def test_an_interrupt_waits_until_everything_is_closed() -> None:
    """Ctrl-C while closing is obeyed after the rest has gone."""
    stack, gone = ClosingStack(), list[str]()
    stack.push("first", lambda: gone.append("first"))
    stack.push("second", lambda: fail(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        stack.close()
    assert gone == ["first"]


def test_a_closer_may_push_another_one() -> None:
    """What is made while closing is closed, too."""
    stack, gone = ClosingStack(), list[str]()

    def outer() -> None:
        stack.push("inner", lambda: gone.append("inner"))

    stack.push("outer", outer)
    stack.close()
    assert gone == ["inner"]


def test_an_owner_is_a_process_that_lives() -> None:
    """This process lives by its own name, and the name survives being written."""
    owner = Owner.of()
    assert owner.pid == os.getpid()
    assert owner.alive
    assert Owner.parse(str(owner)) == owner


def test_an_owner_that_has_ended_is_dead() -> None:
    """A process that is gone, or whose pid another one has now, is not alive."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        owner = Owner.of(process.pid)
        assert owner.alive
        process.communicate(b"\n")
    assert owner.alive is False
    assert replace(Owner.of(), started="1").alive is False
    assert replace(Owner.of(), boot="another").alive is False


def test_of_another_host_nothing_is_known() -> None:
    """Whether a process of another host lives can't be said here."""
    assert replace(Owner.of(), host="elsewhere").alive is None


@pytest.mark.parametrize("text", ["", "a:b:c", "host:boot:pid:1", "a:b:1:2:3"])
def test_what_is_no_owner_is_refused(text: str) -> None:
    """A label of another form names itself."""
    with pytest.raises(FormatError, match="not an owner: "):
        Owner.parse(text)


def test_labels_name_run_owner_and_scope() -> None:
    """Three labels are on everything that a lab makes."""
    owner = Owner("host", "boot", 7, "99")
    assert Ownership(run="r1", owner=owner, scope="module").labels == {
        "org.dockerlab.run": "r1",
        "org.dockerlab.owner": "host:boot:7:99",
        "org.dockerlab.scope": "module",
    }
