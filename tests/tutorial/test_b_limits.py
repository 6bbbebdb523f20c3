"""From zero to AWS, chapter "limit CPU and memory": row B30."""

from __future__ import annotations

import pytest

from pytest_dockerlab import (
    Build,
    Container,
    Lab,
    assert_cpu_limit,
    assert_memory_limit,
    assert_not_oom_killed,
    assert_oom_killed,
    assert_throttled,
    container_fixture,
    image_fixture,
)

GIB = 1024**3

limits_image = image_fixture("limits", scope="run")

# docker run --cpus 1 --memory 2g
capped = container_fixture(limits_image, ["sleep", "600"], cpus=1, memory="2g", scope="module")


@pytest.mark.row("B30")
@pytest.mark.requires("cpu_limit", "memory_limit")
def test_b30_inspect_shows_the_tutorials_numbers(capped: Container) -> None:
    """B30: inspect shows "NanoCpus": 1000000000 and "Memory": 2147483648."""
    host = capped.inspect()["HostConfig"]
    assert host["NanoCpus"] == 1000000000
    assert host["Memory"] == 2147483648


@pytest.mark.row("B30")
@pytest.mark.requires("memory_limit", "swap_limit")
def test_b30_memory_and_swap_are_twice_the_memory(capped: Container) -> None:
    """B30: with no --memory-swap given, inspect shows "MemorySwap": 4294967296."""
    assert capped.inspect()["HostConfig"]["MemorySwap"] == 4294967296


@pytest.mark.row("B30")
@pytest.mark.requires("cpu_limit", "memory_limit")
def test_b30_the_kernel_in_the_container_sees_the_same(capped: Container) -> None:
    """B30: the cgroup files in the container hold one CPU and 2 GiB."""
    kernel = capped.kernel_limits
    assert kernel.nano_cpus == 1000000000
    assert kernel.memory == 2 * GIB
    assert_cpu_limit(capped, 1)
    assert_memory_limit(capped, "2g")


@pytest.mark.row("B30")
def test_b30_without_caps_there_are_none(lab: Lab, limits_image: Build) -> None:
    """B30: a container that was given no caps has none, and holds 200 MB of memory."""
    box = lab.run(limits_image, ["eat_memory", "200M"])
    assert box.limits.memory is None
    assert box.limits.nano_cpus is None
    assert box.output == "ate 200M\n"
    assert_not_oom_killed(box)


@pytest.mark.row("B30")
@pytest.mark.requires("memory_limit")
def test_b30_the_memory_cap_bites(lab: Lab, limits_image: Build) -> None:
    """B30: who asks for 200 MB under a cap of 32 MB is OOM-killed, exit code 137."""
    box = lab.run(limits_image, ["eat_memory", "200M"], memory="32m")
    assert box.exit_code == 137
    assert "ate" not in box.output
    assert_oom_killed(box)


@pytest.mark.row("B30")
@pytest.mark.requires("cpu_limit")
def test_b30_the_cpu_cap_bites(lab: Lab, limits_image: Build) -> None:
    """B30: a busy loop under a cap of 0.2 CPUs is throttled by the kernel."""
    box = lab.run(limits_image, ["sleep", "600"], cpus=0.2)
    assert_throttled(box)


@pytest.mark.row("B30")
def test_wrong_b30_no_caps(lab: Lab, limits_image: Build) -> None:
    """B30: a container without caps fails the checks for both, with the amounts that were asked for."""
    box = lab.run(limits_image, ["sleep", "600"])
    with pytest.raises(AssertionError, match=r"(?s)2 GiB|2147483648"):
        assert_memory_limit(box, "2g")
    with pytest.raises(AssertionError, match=r"(?i)cpu"):
        assert_cpu_limit(box, 1)


@pytest.mark.row("B30")
@pytest.mark.requires("memory_limit")
def test_wrong_b30_another_amount(lab: Lab, limits_image: Build) -> None:
    """B30: 1g where 2g was asked for fails the check, and both amounts are shown."""
    box = lab.run(limits_image, ["sleep", "600"], memory="1g")
    with pytest.raises(AssertionError, match=r"(?s)2147483648|2 GiB"):
        assert_memory_limit(box, "2g")


@pytest.mark.row("B30")
def test_wrong_b30_enough_memory(lab: Lab, limits_image: Build) -> None:
    """B30: a container that ended by itself fails the check for an OOM kill, and its exit code is shown."""
    box = lab.run(limits_image, ["eat_memory", "1M"], memory="128m")
    assert box.exit_code == 0
    with pytest.raises(AssertionError, match=r"(?i)oom"):
        assert_oom_killed(box)


@pytest.mark.row("B30")
def test_wrong_b30_killed_by_hand(lab: Lab, limits_image: Build) -> None:
    """B30: exit code 137 alone is no proof: a container that was killed by hand was not OOM-killed."""
    box = lab.run(limits_image, ["sleep", "600"])
    box.kill()
    assert box.exit_code == 137
    with pytest.raises(AssertionError, match=r"(?i)oom"):
        assert_oom_killed(box)
