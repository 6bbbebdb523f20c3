"""An engine that nobody else uses: runs of other tests would sweep what is left here on purpose."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.lab import Lab


@pytest.fixture(scope="module")
def alone(private_engines: None, lab_session: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A private engine of the module's own; it has alpine."""
    archive = tmp_path_factory.mktemp("alone") / "alpine.tar"
    lab_session.save("alpine", archive)
    endpoint = private.start(os.getpid())
    try:
        with Engine(endpoint) as engine, archive.open("rb") as file:
            engine.images.load(iter(lambda: file.read(1 << 20), b""))
        yield endpoint
    finally:
        private.stop(endpoint)


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder for the run-time state of this test's own runs; not ``tmp_path``, which is too long for a socket."""
    parent = Path(tempfile.mkdtemp(prefix="dl-"))
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(parent / "rt"))
    yield parent / "rt"
    while parent.exists():
        with contextlib.suppress(FileNotFoundError):  # a watchdog is still at it
            shutil.rmtree(parent)


@pytest.fixture
def engine(alone: Endpoint, runtime: Path) -> Iterator[Engine]:
    """A connection to it."""
    with Engine(alone) as engine:
        yield engine


@pytest.fixture
def inner(pytester: pytest.Pytester, runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inner runs depend on nothing of the outer one's environment; CI stays, by which missing things are judged."""
    for name in list(os.environ):
        if name.startswith(("DOCKERLAB_", "DOCKER_")) and name not in ("DOCKERLAB_CACHE", "DOCKERLAB_RUNTIME"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p dockerlab -p xdist")
