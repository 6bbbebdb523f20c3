"""What tests of faults share: an engine of the module's own, and runs of pytest inside of a test."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.engine.engine import Engine
from tests.faults.mortal import Mortal


@pytest.fixture(scope="module")
def mortal(private_engines: None, lab_session: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mortal]:
    """An engine that the module may do anything to; it has alpine."""
    if os.getuid() != 0:
        pytest.skip("dockerd is started as root")
    lab_session.image("alpine")
    archive = tmp_path_factory.mktemp("mortal") / "alpine.tar"
    lab_session.save("alpine", archive)
    mortal = Mortal()
    try:
        with Engine(mortal.endpoint) as engine, archive.open("rb") as file:
            engine.images.load(iter(lambda: file.read(1 << 20), b""))
        yield mortal
    finally:
        mortal.close()


@pytest.fixture
def runtime(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Inner runs depend on nothing of the outer one's environment, and share no run-time folder with it.

    The folder is not ``tmp_path``, whose length a socket's path can't bear.
    """
    for name in list(os.environ):
        if name.startswith(("DOCKERLAB_", "DOCKER_")) and name != "DOCKERLAB_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.delenv("CI", raising=False)
    parent = Path(tempfile.mkdtemp(prefix="dl-"))
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(parent / "rt"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # After pytester, which takes it away.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p dockerlab -p xdist")
    yield parent / "rt"
    shutil.rmtree(parent)
