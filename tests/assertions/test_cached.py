"""Assertions on what a build took from the cache, on a real engine."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pytest_dockerlab.assertions import assert_all_reused, assert_first_rebuilt, assert_rebuilt, assert_reused
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import CheckFailed
from pytest_dockerlab.lab import Build, Lab

TEXT = "FROM alpine\nRUN echo one\nENV A=1\nRUN echo {}\nRUN echo three\n"


@dataclass(frozen=True)
class Builds:
    """Built in this order, on a cache that nobody has filled."""

    first: Build
    again: Build
    changed: Build


@pytest.fixture(scope="module")
def builds(lab_module: Lab) -> Builds:
    fresh = str(lab_module.fresh_cache())
    return Builds(*(lab_module.build(TEXT.format(word), fresh=fresh) for word in ("two", "two", "2")))


def test_a_second_build_reuses_every_step(builds: Builds) -> None:
    """And the first none: the evidence are the steps."""
    assert [step.text for step in assert_all_reused(builds.again)] == ["RUN echo one", "RUN echo two", "RUN echo three"]
    assert assert_rebuilt(builds.first, step=2).text == "RUN echo one"
    with pytest.raises(CheckFailed, match=r"(?s)^3 steps of 3 were rebuilt.*look at step 2 \(RUN echo one\)"):
        assert_all_reused(builds.first)


def test_a_change_rebuilds_from_there_on(builds: Builds) -> None:
    """Steps before it are reused, those after it are not, although their text is the same."""
    assert assert_reused(builds.changed, step=2).cached
    assert [step.number for step in assert_first_rebuilt(builds.changed, step=3)] == [3, 4]
    with pytest.raises(CheckFailed, match=r"step 4 was rebuilt: \[4/4\] RUN echo three\n  where:    Dockerfile:5"):
        assert_reused(builds.changed, step=4)
    with pytest.raises(CheckFailed, match=r"step 2 was reused: \[2/4\] RUN echo one"):
        assert_rebuilt(builds.changed, step=2)
    with pytest.raises(CheckFailed, match=r"the first rebuilt step is 3, not 2"):
        assert_first_rebuilt(builds.changed, step=2)


def test_a_trace_will_do(builds: Builds) -> None:
    """A recorded one as well; anything else is refused."""
    assert assert_reused(builds.again.trace, step=2) == assert_reused(builds.again, step=2)
    with pytest.raises(UsageError, match="not a build: Image"):
        assert_reused(builds.again.image, step=2)  # type: ignore[arg-type]
