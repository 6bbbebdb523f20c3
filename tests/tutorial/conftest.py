"""The tutorial suite's images, each built once per run and shared by all workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab import image_fixture

ex1 = image_fixture("ex1", scope="run")
ex2 = image_fixture("ex2", scope="run")
ex3 = image_fixture("ex3", scope="run")


@pytest.fixture(scope="session")
def dockerfiles() -> Path:
    """The folder of the exercises."""
    return Path(__file__).parents[2] / "dockerfiles"
