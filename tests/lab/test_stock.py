"""Containers that were made before they were asked for, on a real engine."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import StartFailed
from pytest_dockerlab.lab.building import Bases
from pytest_dockerlab.lab.lab import Lab
from pytest_dockerlab.lab.ownership import Owner, Ownership
from pytest_dockerlab.lab.removal import Remover
from pytest_dockerlab.lab.stock import Asked, Order, Prepared, Stock
from pytest_dockerlab.run.ahead import Bounds
from pytest_dockerlab.run.parse import RunSettings, parse_run

# What a slow machine may take; nobody waits for it but a test that fails.
PATIENCE = 120.0
PLENTY = Bounds(count=8, cores=8.0, memory=8 * 1024**3)


class Clock:
    """Stands still."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


class Counter:
    """A stock with its remover, for a run of its own, and what is on the engine of that run."""

    def __init__(self, engine: Engine, bounds: Bounds = PLENTY) -> None:
        self.engine = engine
        self.clock = Clock()
        self.remover = Remover()
        self.stock = Stock(engine, self.remover, bounds, self.clock)
        self.ownership = Ownership(run=secrets.token_hex(4), owner=Owner.of(), scope="test")

    def want(self, command: Any = ("sleep", "600"), *, patient: bool = False, **settings: Any) -> Order:
        """An order of what a test's lab would ask for."""
        given: RunSettings = settings  # type: ignore[assignment]
        spec = parse_run("alpine:latest", list(command), **given)
        return Order(spec=replace(spec, labels={**spec.labels, **self.ownership.labels}), patient=patient)

    def take(self, order: Order) -> Prepared | None:
        return self.stock.take(Asked(order=order, image=""))

    def there(self) -> dict[str, str]:
        """Id → status."""
        listed = self.engine.containers.list({"org.dockerlab.run": self.ownership.run})
        return {box.id: box.status for box in listed}

    def until(self, holds: Callable[[dict[str, str]], bool]) -> dict[str, str]:
        """What is there when it is as wanted."""
        deadline = time.monotonic() + PATIENCE
        while not holds(there := self.there()):
            assert time.monotonic() < deadline, there
            time.sleep(0.02)
        return there

    def until_running(self, count: int) -> set[str]:
        """Their ids when so many run, and the stock knows it: the engine knows first."""
        for item in tuple(self.stock._made.items):
            assert item.settled.wait(PATIENCE)
        return set(self.until(lambda there: list(there.values()) == ["running"] * count))

    def short(self, order: Order) -> Prepared:
        """One that ended at once; on a slow machine that may take a few attempts."""
        for _ in range(6):
            self.stock.order([order])
            self.until(lambda there: list(there.values()) == ["exited"])
            self.clock.now += 1000.0
            if (found := self.take(order)) is not None:
                return found
            self.until(lambda there: not there)
        raise AssertionError("none of six was handed over")

    def close(self) -> None:
        self.stock.close()
        self.remover.close()


@pytest.fixture
def counter(engine: Engine) -> Iterator[Counter]:
    counter = Counter(engine)
    yield counter
    counter.close()
    for identity in counter.there():
        engine.containers.remove(identity)


def test_what_was_ordered_is_handed_out_once(counter: Counter) -> None:
    """It runs, carries the run's labels from the start, and is never given to a second one."""
    order = counter.want()
    counter.stock.order([order])
    made = counter.until_running(1)
    found = counter.take(order)
    assert found is not None
    assert {found.id} == made
    labels = counter.engine.containers.inspect(found.id)["Config"]["Labels"]
    assert labels.items() >= counter.ownership.labels.items()
    assert counter.take(order) is None
    counter.close()
    assert set(counter.there()) == made


def test_as_many_are_made_as_were_ordered(counter: Counter) -> None:
    """Two of the same are two containers; ordered again, those that are there count."""
    order = counter.want()
    counter.stock.order([order, order])
    made = counter.until_running(2)
    counter.stock.order([order, order])
    taken = {found.id for _ in range(2) if (found := counter.take(order)) is not None}
    assert taken == made
    assert counter.take(order) is None


@pytest.mark.parametrize(
    "settings", [{"user": "1111"}, {"env": {"A": "1"}}, {"memory": "64m"}, {"labels": {"a": "b"}}, {"read_only": True}]
)
def test_another_spec_gets_nothing(counter: Counter, settings: Any) -> None:
    """The smallest difference is another container; the one that was made stays for who asks for it."""
    order = counter.want()
    counter.stock.order([order])
    made = counter.until_running(1)
    assert counter.take(counter.want(**settings)) is None
    longer = replace(counter.ownership, scope="module").labels
    assert counter.take(replace(order, spec=replace(order.spec, labels=longer))) is None
    assert counter.take(replace(order, patient=True)) is None
    found = counter.take(order)
    assert found is not None
    assert {found.id} == made


def test_who_asks_early_gets_the_one_that_is_being_made(counter: Counter) -> None:
    """Nothing is made twice: asked for while it is made, it is waited for."""
    order = counter.want()
    counter.stock.order([order])
    counter.until(lambda there: len(there) == 1)
    found = counter.take(order)
    assert found is not None
    assert counter.there() == {found.id: "running"}


def test_what_is_no_longer_wanted_is_removed(counter: Counter) -> None:
    """Made or being made: when the plan changes it goes, and so does what is left at the end."""
    one, other, last = counter.want(), counter.want(user="1"), counter.want(user="2")
    counter.stock.order([one, other])
    counter.until_running(2)
    counter.stock.order([other])
    counter.until_running(1)
    assert counter.take(one) is None
    counter.stock.order([other, last])
    counter.until(lambda there: len(there) == 2)
    counter.close()
    assert counter.there() == {}
    counter.stock.order([one])
    assert counter.take(one) is None
    assert counter.remover.trouble == []


def test_bounds_hold(engine: Engine) -> None:
    """No more are made than there is room for, and in the order in which they are needed."""
    counter = Counter(engine, Bounds(count=2, cores=8, memory=8 * 1024**3))
    orders = [counter.want(user=str(number)) for number in range(4)]
    try:
        counter.stock.order(orders)
        counter.until_running(2)
        assert counter.take(orders[2]) is None
        assert counter.take(orders[0]) is not None
        counter.stock.order(orders[1:])
        counter.until_running(3)
        assert counter.take(orders[2]) is not None
        assert counter.take(orders[3]) is None
    finally:
        counter.close()
        for identity in counter.there():
            engine.containers.remove(identity)


def test_a_named_one_is_never_made(counter: Counter) -> None:
    """What another test may have at the same time is left to its own test."""
    orders = [counter.want(name="web"), counter.want(ports={80: 18080}), counter.want(volumes={"/tmp": "/host"})]
    counter.stock.order([*orders, counter.want()])
    counter.until_running(1)
    assert [counter.take(order) for order in orders] == [None] * 3


def test_a_short_process_is_handed_over_with_its_result(counter: Counter) -> None:
    """`true` has ended by then, as it would have anyway; exit code and output are there."""
    found = counter.short(counter.want(["sh", "-c", "echo done; exit 3"]))
    assert counter.engine.containers.wait(found.id) == 3
    assert counter.engine.containers.logs(found.id).stdout == b"done\n"


def test_one_that_a_test_would_have_met_alive_is_not_handed_over_dead(counter: Counter) -> None:
    """`sleep 1` that has ended is no container of somebody who just started `sleep 1`."""
    order = counter.want(["sleep", "1"])
    counter.stock.order([order])
    counter.until(lambda there: list(there.values()) == ["exited"])
    assert counter.take(order) is None
    counter.until(lambda there: not there)


def test_one_that_has_become_old_is_made_anew(counter: Counter) -> None:
    """What ran for long before anybody asked is replaced; a server that is waited for is not."""
    plain, server = counter.want(), counter.want(patient=True)
    counter.stock.order([plain, server])
    made = counter.until_running(2)
    counter.clock.now = 60.0
    found = counter.take(server)
    assert found is not None
    counter.stock.order([plain])
    counter.until(lambda there: len(made & there.keys()) == 1 and list(there.values()) == ["running"] * 2)
    again = counter.take(plain)
    assert again is not None
    assert again.id not in made


def test_what_is_never_of_use_is_no_longer_made(counter: Counter) -> None:
    """A plan that is always wrong stops costing containers."""
    order = counter.want()
    for _ in range(8):
        counter.stock.order([order])
        counter.until_running(1)
        counter.stock.order([])
        counter.until(lambda there: not there)
    other = counter.want(user="1")
    counter.stock.order([order, other])
    counter.until_running(1)
    assert counter.take(order) is None
    assert counter.take(other) is not None


def test_a_name_that_means_another_image_now(counter: Counter, lab: Lab) -> None:
    """A container of the image that had the name before is not handed over."""
    name = f"dockerlab-test-{secrets.token_hex(4)}"
    lab.tag("alpine", name)
    order = counter.want()
    order = replace(order, spec=replace(order.spec, image=name))
    counter.stock.order([order])
    counter.until_running(1)
    lab.build("FROM alpine\nENV OTHER=1\n", tag=name)
    assert counter.take(order) is None
    counter.until(lambda there: not there)


def test_what_fails_ahead_fails_in_its_test(counter: Counter, lab: Lab) -> None:
    """No such program, no such image: nothing is handed over, nothing is left, and it is not tried again."""
    program = counter.want(["no-such-program"])
    image = replace(program, spec=replace(program.spec, image="dockerlab-test/no-such-image"))
    for _ in range(2):
        counter.stock.order([program, image])
        assert counter.take(program) is None
        assert counter.take(image) is None
    counter.close()
    assert counter.there() == {}
    assert counter.remover.trouble == []
    with pytest.raises(StartFailed, match="no-such-program"):
        lab.run("alpine", ["no-such-program"])


def test_an_image_that_goes_takes_its_containers_along(counter: Counter) -> None:
    """What was made of it is gone when this returns, so that it can be removed."""
    order, other = counter.want(), counter.want(user="1")
    other = replace(other, spec=replace(other.spec, image="alpine"))
    counter.stock.order([order, other])
    counter.until(lambda there: len(there) == 2)
    counter.stock.forget({"alpine:latest"})
    assert len(counter.there()) == 1
    assert counter.take(order) is None
    assert counter.take(other) is not None


def test_what_was_asked_for_is_told(counter: Counter) -> None:
    """Everything that was asked for, had or not, once."""
    order, other = counter.want(), counter.want(user="1")
    counter.take(order)
    counter.take(other)
    assert [asked.order for asked in counter.stock.asked()] == [order, other]
    assert counter.stock.asked() == ()


def test_a_lab_takes_from_the_stock_and_owns_what_it_took(counter: Counter, engine: Engine, bases: Bases) -> None:
    """`lab.run` gives the very container that was made, waits as usual, and removes it at the end."""
    reference = bases.ensure("alpine").reference
    order = counter.want(["sh", "-c", "echo ready; sleep 600"], patient=True, env={"A": "1"})
    order = replace(order, spec=replace(order.spec, image=reference))
    counter.stock.order([order])
    made = counter.until_running(1)
    run, owner = counter.ownership.run, counter.ownership.owner
    with Lab(engine, bases, run=run, owner=owner, stock=counter.stock) as lab:
        command = ["sh", "-c", "echo ready; sleep 600"]
        fresh = lab.run("alpine", command, env={"A": "1"}, wait="ready", ahead=False)
        box = lab.run("alpine", command, env={"A": "1"}, wait="ready")
        assert {box.id} == made
        assert fresh.id not in made
        assert [event.ahead for event in lab.recorder.containers] == [False, True]
        assert box.exec(["sh", "-c", "echo $A"]).output == "1\n"
        (title, text) = lab.describe_failure()[0]
        assert title == f"container {box.name} of alpine"
        assert "ready" in text
    assert counter.there() == {}


def test_a_life_asks_the_engine_for_nothing_more_than_it_needs(counter: Counter, engine: Engine, bases: Bases) -> None:
    """Made here: create, start, wait, log, remove. Made ahead: two looks instead of the first two."""
    command = ["sh", "-c", "echo hello; exec sleep 600"]
    asked: list[tuple[str, str]] = []
    send = engine.api.send
    me = threading.get_ident()

    def count(method: str, path: str, **options: Any) -> Any:
        if threading.get_ident() == me:
            asked.append((method, path.rpartition("/")[2] if method != "DELETE" else ""))
        return send(method, path, **options)

    reference = bases.ensure("alpine").reference
    order = counter.want(command)
    order = replace(order, spec=replace(order.spec, image=reference))
    run, owner = counter.ownership.run, counter.ownership.owner
    lab = Lab(engine, bases, run=run, owner=owner, stock=counter.stock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.api, "send", count)
        assert lab.run("alpine", ["echo", "hello"]).output == "hello\n"
        assert asked == [("POST", "create"), ("POST", "start"), ("POST", "wait"), ("GET", "logs")]
        counter.stock.order([order])
        counter.until(lambda there: sorted(there.values()) == ["exited", "running"])
        asked.clear()
        box = lab.run("alpine", command)
        assert asked == [("GET", "json"), ("GET", "json")]
        asked.clear()
        assert box.exec(["true"]).ok
        assert asked == [("POST", "exec"), ("POST", "start"), ("GET", "json")]
        asked.clear()
        lab.close()
        assert asked == [("DELETE", "")] * 2
