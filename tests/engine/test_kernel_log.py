"""Kills for want of memory that the kernel writes down, for an engine that was not told of one."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab import Lab, assert_not_oom_killed, assert_oom_killed
from pytest_dockerlab.engine import kernel_log

ONE, TWO = "a" * 64, "b" * 64


def record(micros: int, group: str) -> bytes:
    """As Linux 6.18 writes it, with what stands before and after."""
    return (
        f"6,11,{micros},-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset={TWO},mems_allowed=0,"
        f"oom_memcg={group},task_memcg={group},task=dd,pid=1505,uid=0\n SUBSYSTEM=none\n"
    ).encode()


@pytest.mark.parametrize(
    "group", [f"/dockerlab-15386a/{ONE}", f"/machine.slice/libpod-{ONE}.scope", f"/docker/{ONE}/inner"]
)
def test_a_kill_is_found_by_the_container_in_its_control_group(group: str) -> None:
    """Docker's and Podman's names, with either driver, and a group within; other records are passed by."""
    start = time.time() - time.monotonic()
    log = [b"6,10,1,-;docker0: port 1(veth) entered disabled state\n", record(2_500_000, group), b"3,12,9,-;Killed\n"]
    (when,) = kernel_log.kills(ONE, log)
    assert when == pytest.approx(start + 2.5, abs=1)
    assert kernel_log.kills(TWO, log) == ()


def test_a_log_that_may_not_be_read_says_nothing(tmp_path: Path) -> None:
    """Nor does one that is not there, or empty."""
    assert list(kernel_log.records(tmp_path / "none")) == []
    (tmp_path / "empty").touch()
    assert list(kernel_log.records(tmp_path / "empty")) == []
    (tmp_path / "log").write_bytes(record(1, "/x"))
    assert list(kernel_log.records(tmp_path / "log")) == [record(1, "/x")]


@pytest.mark.skipif(not os.access("/dev/kmsg", os.R_OK), reason="this user may not read the kernel's log")
@pytest.mark.requires("memory_limit", "local_files")
def test_what_the_engine_missed_the_kernel_tells(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Inspect says that nothing was killed for want of memory: of one container wrongly, of another truly."""
    inspect = type(lab.engine.containers).inspect

    def deaf(*given: Any) -> dict[str, Any]:
        found = dict(inspect(*given))
        return {**found, "State": {**found["State"], "OOMKilled": False}}

    monkeypatch.setattr(type(lab.engine.containers), "inspect", deaf)
    eats = ["dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]
    assert assert_oom_killed(lab.run("alpine", eats, memory="32m")).oom_killed
    killed = lab.run("alpine", ["sleep", "600"], memory="32m").kill()
    killed.wait()
    assert assert_not_oom_killed(killed).exit_code == 137
