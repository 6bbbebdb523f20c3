"""Stand-ins under names of their own, whatever the run's engine is, and a registry for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_dockerlab.bases import Bases, Provided
from pytest_dockerlab.bases.store import Store
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private import registry
from pytest_dockerlab.errors import BaseImageMissing
from pytest_dockerlab.lab import Lab
from pytest_dockerlab.settings import Settings


@pytest.fixture(scope="session")
def stranger(lab_session: Lab) -> Iterator[Engine]:
    """The run's engine, taken for one that is not ours."""
    with Engine(replace(lab_session.engine.endpoint, private=False)) as engine:
        yield engine


@pytest.fixture(scope="session")
def standin(stranger: Engine, need: Callable[[str], None]) -> Iterator[Callable[[str], Provided]]:
    """Stand-ins by the name that they stand in for, even where the real image could be pulled."""
    bases = Bases(stranger, Settings(bases="stand-in"))

    def made(name: str) -> Provided:
        try:
            return bases.ensure(name)
        except BaseImageMissing as error:
            need(str(error))  # a user without root may lack what it takes
            raise

    yield made
    bases.close()


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, need: Callable[[str], None]) -> Iterator[Store]:
    """An empty registry, and a cache folder of the test's own."""
    need(registry.missing())
    monkeypatch.setenv("DOCKERLAB_CACHE", str(tmp_path / "cache"))
    with registry.RegistryProcess(tmp_path / "registry") as process:
        store = Store(process.address)
        yield store
        store.close()
