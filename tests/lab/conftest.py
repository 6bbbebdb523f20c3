"""Labs beyond the fixtures' own, on the run's engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.lab import Lab
from pytest_dockerlab.lab.building import Bases
from pytest_dockerlab.settings import Settings


@pytest.fixture(scope="session")
def engine(lab_session: Lab) -> Engine:
    for name in ("alpine", "debian"):
        lab_session.image(name)
    return lab_session.engine


@pytest.fixture(scope="session")
def bases(lab_session: Lab) -> Bases:
    return lab_session.bases


@pytest.fixture
def new_lab(engine: Engine, bases: Bases, tmp_path: Path) -> Iterator[Callable[[], Lab]]:
    """Makes further labs; what a test left open is closed."""
    labs: list[Lab] = []

    def make() -> Lab:
        labs.append(Lab(engine, bases, settings=Settings(dockerfiles=tmp_path / "dockerfiles")))
        return labs[-1]

    yield make
    for lab in labs:
        lab.close()


@pytest.fixture
def lab(new_lab: Callable[[], Lab]) -> Lab:
    """Its exercises lie in the test's own folder."""
    return new_lab()
