"""An engine to try the verbs on, and a scope in which everything that was made is removed."""

from __future__ import annotations

import contextlib
import itertools
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.image.random import MadeImage, random_image
from pytest_dockerlab.lab import Lab
from pytest_dockerlab.run.spec import RunSpec

LABEL = "org.dockerlab.test"


@pytest.fixture(scope="session")
def engine(lab_session: Lab) -> Iterator[Engine]:
    """The run's engine over a connection of its own; what is made through it carries a label of this process."""
    lab_session.image("alpine")
    with Engine(lab_session.engine.endpoint) as engine:
        engine.labels = {**lab_session.ownership.labels, LABEL: uuid.uuid4().hex}
        yield engine
        engine.images.close()
        for container in engine.containers.list(engine.labels):
            engine.containers.remove(container.id)
        for network in engine.networks.list(engine.labels):
            engine.networks.remove(network.id)
        for volume in engine.volumes.list(engine.labels):
            engine.volumes.remove(volume.name)


Make = Callable[..., str]


@pytest.fixture
def create(engine: Engine) -> Iterator[Make]:
    """Makes a container of alpine, not started; it is gone when the test ends."""
    made: list[str] = []

    def make(*command: str, **settings: Any) -> str:
        spec = RunSpec(
            image="alpine", command=command or ("sleep", "600"), **{"init": True, "network": "none", **settings}
        )
        made.append(engine.containers.create(spec).id)
        return made[-1]

    yield make
    for container in made:
        with contextlib.suppress(NotFound):
            engine.containers.remove(container)


@pytest.fixture
def run(engine: Engine, create: Make) -> Make:
    """Makes a container of alpine and starts it."""

    def start(*command: str, **settings: Any) -> str:
        container = create(*command, **settings)
        engine.containers.start(container)
        return container

    return start


def _folders(image: MadeImage) -> set[str]:
    return {file.path.rpartition("/")[0] for step in image.steps for file in step.files or ()}


@pytest.fixture
def made(engine: Engine) -> Iterator[MadeImage]:
    """A small random image that is on the engine, under one name, with files in three folders at least."""
    tags = (f"dockerlab-{uuid.uuid4().hex}:1",)
    images = (random_image(uuid.uuid4().int, layers=2, tags=tags) for _ in itertools.count())
    image = next(image for image in images if len(_folders(image)) >= 3)
    assert engine.images.load([image.docker_save()]) == image.tags
    yield image
    with contextlib.suppress(NotFound):
        engine.images.remove(image.tags[0], force=True)
