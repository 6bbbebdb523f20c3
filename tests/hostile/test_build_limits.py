"""A build keeps within its limits, or is ended: memory, processes, disk, CPUs; others beside it go on."""

from __future__ import annotations

import threading

import pytest

from pytest_dockerlab import BuildFailed, BuildLimits, CapabilityMissing, Lab, UsageError, assert_file
from pytest_dockerlab.engine.cgroups import ROOT
from pytest_dockerlab.errors import BuildOverLimit

pytestmark = pytest.mark.requires("build_limits")

MEGABYTE = 1 << 20
LIMITS = BuildLimits(memory=64 * MEGABYTE, nano_cpus=500_000_000, pids=32, disk=48 * MEGABYTE)
# /dev/shm is memory that the kernel can't take back; awk's is its own.
HOGS = {
    "memory": r"""awk 'BEGIN { s = "x"; while (1) s = s s }'""",
    "memory-in-a-child": r"""awk 'BEGIN { s = "x"; while (1) s = s s }' || true; sleep 600""",
    "memory-in-shm": "dd if=/dev/zero of=/dev/shm/hog bs=1M count=300; sleep 600",
    "pids": "b() { b | b & }; b; sleep 600",
    "pids-waiting": "(while :; do sleep 60 & done); sleep 600",
    "disk": "dd if=/dev/zero of=/hog bs=1M count=300; sleep 600",
    "disk-with-holes": "truncate -s 200G /hog",
    "disk-in-two-steps": "dd if=/dev/zero of=/1 bs=1M count=30\nRUN dd if=/dev/zero of=/2 bs=1M count=30; sleep 600",
}


@pytest.mark.parametrize("name", list(HOGS))
def test_a_build_over_its_limit_is_ended(lab: Lab, name: str) -> None:
    """Whatever it does, it is its own fault, told with the limit and the line."""
    with pytest.raises(BuildOverLimit, match="the build used more than") as caught:
        lab.build(f"FROM debian:stable-slim\nRUN {HOGS[name]}\n", limits=LIMITS, fresh=lab.fresh_cache(), timeout=300)
    assert caught.value.resource == name.partition("-")[0]
    assert caught.value.line or name == "disk-with-holes"  # which is seen only when the step has ended


def test_what_keeps_to_its_limits_is_built_beside_it(lab: Lab) -> None:
    """Limits are those of one build: another one has its own, and all of them."""
    fresh, other = lab.fresh_cache(), lab.fresh_cache()

    def overdo() -> None:
        with pytest.raises(BuildOverLimit):
            lab.build(f"FROM debian:stable-slim\nRUN {HOGS['pids']}\n", limits=LIMITS, fresh=other, timeout=300)

    hog = threading.Thread(target=overdo)
    hog.start()
    many = "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait"
    built = lab.build(
        "FROM debian:stable-slim AS a\nRUN sleep 1; dd if=/dev/zero of=/file bs=1M count=30\n"
        f"FROM debian:stable-slim\nRUN sleep 1; {many}\nCOPY --from=a /file /\n",
        limits=LIMITS, fresh=fresh, timeout=300,
    )  # fmt: skip
    hog.join()
    assert_file(built, "/file")


def test_the_kernel_has_the_limits(lab: Lab) -> None:
    """What a step reads of its own control group is what it was given."""
    places = (
        "cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us memory/memory.limit_in_bytes pids/pids.max"
        if lab.engine.info.cgroup_version == 1
        else "cpu.max memory.max pids.max"
    )
    with pytest.raises(BuildFailed) as caught:
        lab.build(
            "FROM debian:stable-slim\nRUN cd /sys/fs/cgroup; "
            # They are given to a step that runs already; those of a process above all others come last.
            f"until cat {places} | grep -qx {LIMITS.pids}; do sleep 0.1; done; cat {places}; false\n",
            limits=LIMITS, fresh=lab.fresh_cache(), timeout=300,
        )  # fmt: skip
    assert caught.value.log.split() == ["50000", "100000", str(64 * MEGABYTE), "32"]


def test_no_group_is_left(lab: Lab) -> None:
    """A step's group goes with it."""
    with pytest.raises(BuildFailed) as caught:
        lab.build(
            "FROM debian:stable-slim\nRUN sleep 0.2; cat /proc/self/cgroup; false\n",
            limits=LIMITS, fresh=lab.fresh_cache(),
        )  # fmt: skip
    paths = {line.split(":")[2].lstrip("/") for line in caught.value.log.splitlines() if "buildkit" in line}
    assert paths or lab.engine.info.cgroup_version == 2  # where a step sees its own group as the root
    assert [place for path in paths for place in (*ROOT.glob(f"*/{path}"), ROOT / path) if place.exists()] == []


def test_steps_have_to_be_told_apart(lab: Lab) -> None:
    """Without a cache of its own a build's steps may be another one's."""
    with pytest.raises(UsageError, match="fresh cache"):
        lab.build("FROM debian:stable-slim\nRUN true\n", limits=LIMITS)


def test_a_builder_that_can_not_is_refused(lab: Lab) -> None:
    """Limits are never dropped silently."""
    with pytest.raises(CapabilityMissing, match="BuildKit"):
        lab.build("FROM debian:stable-slim\nRUN true\n", limits=LIMITS, fresh=lab.fresh_cache(), builder="classic")
