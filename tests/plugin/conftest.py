"""Runs of pytest inside of a test: the plugin and xdist are loaded, nothing else of what is installed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Lab


@pytest.fixture(autouse=True)
def runtime(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An inner run depends on nothing of the outer one's environment, and shares no run-time folder with it.

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


@pytest.fixture(scope="session")
def outer(lab_session: Lab) -> Lab:
    """The outer run's lab, on an engine that has ``alpine``."""
    lab_session.image("alpine")
    return lab_session


@pytest.fixture
def engine(outer: Lab, monkeypatch: pytest.MonkeyPatch) -> Lab:
    """The outer run's engine is the inner runs', too."""
    monkeypatch.setenv("DOCKERLAB_ENGINE", outer.engine.endpoint.url)
    return outer
