"""Images that were built before they were asked for, on a real engine."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab.engine.content import Turn
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.lab import prebuilt
from pytest_dockerlab.lab.asked import BuildOrder, read_build
from pytest_dockerlab.lab.build import Build
from pytest_dockerlab.lab.building import Bases, Builder
from pytest_dockerlab.lab.events import Recorder
from pytest_dockerlab.lab.ownership import LABEL_RUN
from pytest_dockerlab.lab.prebuilt import Prebuilt, may_be_built_ahead
from pytest_dockerlab.lab.removal import Remover

PATIENCE = 120.0


class Yard:
    """What builds ahead, for a run of its own, and what is on the engine of that run."""

    def __init__(self, engine: Engine, bases: Bases, turn: Turn | None = None) -> None:
        self.engine = engine
        self.run = secrets.token_hex(4)
        self.remover = Remover()
        self.recorder = Recorder()
        self.builder = Builder(
            engine=engine, ensure=bases.ensure, recorder=self.recorder, scope="", on_progress=None, turn=turn
        )
        self.prebuilt = Prebuilt(engine, self.builder, self.remover, lambda names: None, self.run)

    def want(self, step: str, **settings: Any) -> BuildOrder:
        text = f"FROM alpine\n{step}\n"
        return read_build(text, dockerfiles=Path(), owned={LABEL_RUN: self.run}, **settings)

    def take(self, order: BuildOrder) -> Build | None:
        return self.prebuilt.take(order, self.builder.content)

    def there(self) -> set[str]:
        return {tag for image in self.engine.images.list({LABEL_RUN: self.run}) for tag in image.tags}

    def ready(self, order: BuildOrder) -> str:
        """The name of its image when that can be handed out."""
        deadline = time.monotonic() + PATIENCE
        while not (name := self.prebuilt.name(order)):
            assert time.monotonic() < deadline, self.there()
            time.sleep(0.02)
        return name

    def until(self, count: int) -> set[str]:
        """The names of images when there are so many."""
        deadline = time.monotonic() + PATIENCE
        while len(there := self.there()) != count:
            assert time.monotonic() < deadline, there
            time.sleep(0.02)
        return there


@pytest.fixture
def yard(engine: Engine, bases: Bases) -> Iterator[Yard]:
    yard = Yard(engine, bases)
    yield yard
    yard.prebuilt.close()
    yard.remover.close()
    for image in engine.images.list({LABEL_RUN: yard.run}):
        engine.images.remove(image.id, force=True)


def test_what_was_ordered_is_handed_out_once_to_who_asks_for_the_same(yard: Yard) -> None:
    """The smallest difference is another image, and what nobody wants any more is removed."""
    order, other = yard.want("ENV A=1"), yard.want("ENV A=2")
    yard.prebuilt.order([order, other])
    both = yard.until(2)
    for different in ({"labels": {"a": "b"}}, {"args": {"A": "1"}}, {"timeout": 7}, {"target": "0"}):
        assert yard.take(yard.want("ENV A=1", **different)) is None
    built = yard.take(order)
    assert built is not None
    assert built.image.config.env["A"] == "1"
    assert built.name in both
    assert yard.take(order) is None
    yard.prebuilt.order([])
    assert yard.until(1) == {built.name}


def test_an_image_that_is_not_what_it_was_is_not_handed_out(yard: Yard) -> None:
    """Its name was given to another image meanwhile."""
    order = yard.want("ENV B=1")
    yard.prebuilt.order([order])
    name = yard.ready(order)
    yard.engine.images.tag("alpine", name)
    try:
        assert yard.take(order) is None
        yard.remover.close()
        with pytest.raises(NotFound):
            yard.engine.images.id(name)
    finally:
        with suppress(NotFound):
            yard.engine.images.remove(name)


def test_what_comes_after_a_failure_waits_for_it(yard: Yard) -> None:
    """Built before, it would have in the cache what the other one's test is to run itself."""
    wrong, fine = yard.want("RUN exit 3"), yard.want("ENV C=1")
    yard.prebuilt.order([wrong, fine])
    deadline = time.monotonic() + PATIENCE
    while not yard.recorder.builds:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with yard.prebuilt.held():
        assert [event.ok for event in yard.recorder.builds] == [False]
        # As at the beginning of the next test.
        yard.prebuilt.order([wrong, fine])
        assert yard.take(wrong) is None
        yard.prebuilt.order([fine])
        # And while a test builds, nothing else is.
        time.sleep(0.1)
        assert yard.there() == set()
    yard.until(1)
    assert yard.take(fine) is not None


def test_what_waits_for_its_turn_at_the_end_is_not_built(
    engine: Engine, bases: Bases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker builds the same for long: the run ends without waiting for it, and nothing is built after that."""
    monkeypatch.setattr(prebuilt, "_PATIENCE", 0.0)
    waits, free = threading.Event(), threading.Event()

    @contextmanager
    def turn(content: str) -> Iterator[None]:
        waits.set()
        free.wait(PATIENCE)
        yield

    yard = Yard(engine, bases, turn)
    yard.prebuilt.order([yard.want("ENV D=1")])
    assert waits.wait(PATIENCE)
    yard.prebuilt.close()
    assert not yard.prebuilt._built.join(0.0)
    free.set()
    assert yard.prebuilt._built.join(PATIENCE)
    yard.remover.close()
    assert yard.recorder.builds == []


@pytest.mark.parametrize(
    "settings",
    [
        *({"tag": "mine"}, {"tag": ""}, {"no_cache": True}, {"pull": True}, {"fresh": "abc"}, {"network": "host"}),
        *({"extra_hosts": {"a": "1.2.3.4"}}, {"secrets": {"a": "b"}}, {"ssh": {"a": "b"}}, {"builder": "classic"}),
    ],
)
def test_what_may_not_be_built_ahead(settings: dict[str, Any]) -> None:
    """What another test could notice, or what is about the cache."""
    plain = read_build("FROM alpine\n", dockerfiles=Path(), owned={})
    assert may_be_built_ahead(plain)
    assert may_be_built_ahead(replace(plain, base="debian"))
    assert not may_be_built_ahead(read_build("FROM alpine\n", dockerfiles=Path(), owned={}, **settings))
