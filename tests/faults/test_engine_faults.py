"""An engine that hangs, stops or is restarted in the middle of things: noticed in time, and called by its name."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from pytest_dockerlab import Container, EngineError, EngineUnreachable, Lab, WaitTimedOut
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.reaping.clear import clear
from pytest_dockerlab.settings import Settings
from tests.faults.mortal import PATIENCE, Mortal, until

HANGS = r"does not answer: no answer in time\n  → see whether it hangs \(its log may say why\), and restart it"


@pytest.fixture
def engine(mortal: Mortal) -> Iterator[Engine]:
    """A connection to the engine."""
    with Engine(mortal.endpoint) as engine:
        yield engine


@pytest.fixture
def lab(mortal: Mortal, engine: Engine) -> Iterator[Lab]:
    """A lab on the engine; whatever it could not remove itself goes by its label."""
    lab = Lab(engine, Bases(engine, Settings()))
    yield lab
    with Engine(mortal.endpoint) as again:
        assert clear(again, {"org.dockerlab.run": lab.ownership.run}) == []
    lab.close()  # its folders are on no engine
    assert mortal.left() == []


class Work:
    """Everything that takes long on an engine, at once, each in a thread of its own."""

    def __init__(self, lab: Lab, pool: ThreadPoolExecutor) -> None:
        self.box: Container = lab.run("alpine", ["sh", "-c", "echo up; sleep 600"], wait="up", init=True)
        self._lab, self._pool = lab, pool
        self._seen: list[str] = []
        steps: list[str] = []
        dockerfile = "FROM alpine\nRUN echo building && sleep 600\n"
        self.doing: dict[str, Future[Any]] = {
            "exec": pool.submit(self.box.exec, ["sh", "-c", "touch /there; sleep 600"], timeout=600),
            "wait": pool.submit(self.box.wait, 600),
            "follow": pool.submit(self._follow),
            "build": pool.submit(lab.engine.build, self._spec(lab, dockerfile), steps.append),
        }
        until(lambda: self.box.exists("/there"), "exec began")
        until(lambda: self._seen, "the log is followed")
        until(lambda: any("RUN" in step for step in steps), "the build is at its RUN")

    def _spec(self, lab: Lab, text: str) -> Any:
        from pytest_dockerlab.build.spec import BuildSpec

        folder = lab.owned_dir(0)
        (folder / "Dockerfile").write_text(text)
        return BuildSpec(context=folder, labels=lab.ownership.labels, no_cache=True)

    def _follow(self) -> None:
        for line in self.box.follow():
            self._seen.append(line)

    def start(self) -> None:
        """Start containers, one after another, from now on."""
        started: list[str] = []

        def many() -> None:
            while True:
                box = self._lab.run("alpine", ["true"], network="none")
                box.remove()
                started.append(box.id)

        self.doing["start"] = self._pool.submit(many)
        until(lambda: len(started) > 1, "containers are started")

    def errors(self) -> dict[str, BaseException | None]:
        """What became of each."""
        return {name: future.exception(timeout=2 * PATIENCE) for name, future in self.doing.items()}


def test_an_engine_that_hangs_is_noticed_whatever_it_is_at(mortal: Mortal, lab: Lab, engine: Engine) -> None:
    """Frozen in the middle of exec, wait, build and log, before a start: each is given up, as the engine's fault."""
    with ThreadPoolExecutor(5) as pool:
        work = Work(lab, pool)
        mortal.freeze()
        try:
            engine.api.timeout = 1
            with pytest.raises(EngineUnreachable, match=HANGS):
                lab.run("alpine", ["true"])
            for name, error in work.errors().items():
                assert isinstance(error, EngineUnreachable), f"{name}: {error!r}"
                error_text(error, HANGS)
            # Its end does not take longer for more things: the first that is not answered speaks for all.
            with pytest.raises(EngineUnreachable, match=r"of this lab could not be removed:(.|\n)*no answer in time"):
                lab.close()
        finally:
            mortal.thaw()
    engine.api.timeout = 60
    until(lambda: engine_answers(engine), "it answers again")


def test_an_engine_that_stops_takes_nothing_for_granted(mortal: Mortal, lab: Lab) -> None:
    """Killed in the middle of all that: each is an error of the engine, none a result of what ran."""
    with ThreadPoolExecutor(5) as pool:
        work = Work(lab, pool)
        work.start()
        mortal.kill()
        try:
            for name, error in work.errors().items():
                assert isinstance(error, EngineError), f"{name}: {error!r}"
                error_text(error, r"does not answer|hung up|without a result|gave the build up")
        finally:
            mortal.start()


def test_time_that_runs_out_over_a_frozen_engine_is_not_the_containers(
    mortal: Mortal, lab: Lab, engine: Engine
) -> None:
    """A timeout of the user's own means the container only where the engine is there to be asked."""
    box = lab.run("alpine", ["sleep", "600"], init=True)
    with pytest.raises(WaitTimedOut, match="has not ended after"):
        box.wait(0.2)
    mortal.freeze()
    try:
        engine.api.timeout = 1
        for action in (lambda: box.wait(0.5), lambda: box.exec(["true"], timeout=0.5), box.inspect):
            with pytest.raises(EngineUnreachable, match=HANGS):
                action()
    finally:
        mortal.thaw()
    engine.api.timeout = 60
    until(lambda: engine_answers(engine), "it answers again")
    assert box.state.running


def engine_answers(engine: Engine) -> bool:
    """Whether requests go through, also those of a client that has found it silent."""
    try:
        engine.containers.list()
    except EngineUnreachable:
        return False
    return True


def error_text(error: BaseException, pattern: str) -> None:
    """The message matches."""
    with pytest.raises(type(error), match=pattern):
        raise error
