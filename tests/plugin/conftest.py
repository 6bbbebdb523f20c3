"""Runs of pytest inside of a test: the plugin and xdist are loaded, nothing else of what is installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab import Lab


@pytest.fixture(autouse=True)
def apart(runtime: Path) -> None:
    """Every test here runs pytest inside of itself."""


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
