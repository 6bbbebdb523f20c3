"""The labs: one type, four lifetimes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_dockerlab.plugin.current import run_of

if TYPE_CHECKING:
    from pytest_dockerlab.lab import Lab
    from pytest_dockerlab.platforms import Platform

__all__ = ["lab", "lab_module", "lab_platform", "lab_run", "lab_session"]


@pytest.fixture(scope="session")
def lab_platform(request: pytest.FixtureRequest) -> Platform:
    """The platform that this test's labs make images and containers for (--dockerlab-platform, or its mark)."""
    return run_of(request.config).axis.chosen(getattr(request, "param", None))


def _open(request: pytest.FixtureRequest, platform: Platform) -> Iterator[Lab]:
    run = run_of(request.config)
    assert request.fixturename
    yield run.open_lab(request.fixturename, platform)
    run.close_lab(request.fixturename)


@pytest.fixture
def lab(request: pytest.FixtureRequest, lab_platform: Platform) -> Iterator[Lab]:
    """Builds images and runs containers; what it made is gone when the test ends."""
    yield from _open(request, lab_platform)


@pytest.fixture(scope="module")
def lab_module(request: pytest.FixtureRequest, lab_platform: Platform) -> Iterator[Lab]:
    """Builds images and runs containers for the tests of one module; what it made is gone after the last one."""
    yield from _open(request, lab_platform)


@pytest.fixture(scope="session")
def lab_session(request: pytest.FixtureRequest, lab_platform: Platform) -> Iterator[Lab]:
    """Builds images and runs containers for the tests of this process; with xdist each worker has its own."""
    yield from _open(request, lab_platform)


@pytest.fixture(scope="session")
def lab_run(request: pytest.FixtureRequest, lab_platform: Platform) -> Iterator[Lab]:
    """Builds images and runs containers for the whole run; what it made stays until the last xdist worker is done."""
    yield from _open(request, lab_platform)
