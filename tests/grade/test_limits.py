"""What an engine can't keep of a policy is said, unless the policy lets it go without."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_dockerlab import CapabilityMissing, CheckFailed
from pytest_dockerlab.build.spec import BuildLimits
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import BuildOverLimit, BuildTimedOut
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.grade.fence import proxy_args
from pytest_dockerlab.grade.limits import limits_of, told_of_limits


def engine(*, able: bool) -> Engine:
    """One that has (or lacks) the capability, and no fence."""
    capabilities = SimpleNamespace(has=lambda name: able, reason=lambda name: "it runs on another machine")
    endpoint = SimpleNamespace(url="unix:///nowhere/docker.sock")
    return cast("Engine", cast("Any", SimpleNamespace(capabilities=capabilities, endpoint=endpoint)))


def test_a_build_has_the_policys_limits() -> None:
    """Those that a container has."""
    policy = Policy(memory=1 << 28, cpus=1.5, pids=7, disk=1 << 29)
    wanted = BuildLimits(memory=1 << 28, nano_cpus=1_500_000_000, pids=7, disk=1 << 29)
    assert limits_of(engine(able=True), policy) == wanted


def test_limits_that_can_not_be_kept_are_refused() -> None:
    """With the engine's reason, and what to write if nothing can be harmed."""
    with pytest.raises(CapabilityMissing, match=r'another machine(.|\n)*unkept = \["build_limits"\]'):
        limits_of(engine(able=False), Policy())
    assert limits_of(engine(able=False), Policy(unkept=("build_limits",))) is None


def test_a_network_that_can_not_be_closed_is_refused() -> None:
    """The package index alone is what a fence can keep; none and all need no fence."""
    with pytest.raises(CapabilityMissing, match=r'reach everything(.|\n)*unkept = \["network"\]'):
        proxy_args(engine(able=True), Policy())
    for change in ({"unkept": ("network",)}, {"build_network": "none"}, {"build_network": "open"}):
        assert proxy_args(engine(able=True), replace(Policy(), **cast("Any", change))) == {}


def test_who_went_over_a_limit_is_told_which() -> None:
    """As a refusal is told, in every language, with the place in the Dockerfile."""
    over = BuildOverLimit("x", file="/tmp/somewhere/ex/Dockerfile", line=3)
    over.resource, over.limit = "memory", 1 << 28
    late = BuildTimedOut("x")
    for error, said, place in ((over, "256 MiB of memory", "Dockerfile:3"), (late, "more than 9 s", "")):
        with pytest.raises(CheckFailed, match=said) as caught, told_of_limits(Policy(build_seconds=9)):
            raise error
        (finding,) = caught.value.findings
        assert finding.where == place
        assert finding.in_language("ja").what != finding.what
