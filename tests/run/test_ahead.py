"""What may be made ahead, how much of it, and until when it is as good as new."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.run.ahead import Bounds, as_good_as_new, may_be_ahead, may_go_later
from pytest_dockerlab.run.parse import parse_run
from pytest_dockerlab.run.spec import RunSpec
from pytest_dockerlab.run.state import ContainerState

GB = 1024**3


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ports": [8888], "env": {"A": "1"}, "user": 1111, "memory": "64m", "cpus": 1},
        {"tmpfs": ["/scratch"], "volumes": ["/anonymous"]},
        {"network": "none", "read_only": True, "init": True, "healthcheck": "true"},
    ],
)
def test_a_container_of_its_own_may_be_made_ahead(settings: Any) -> None:
    """What nobody else has a part in can be made before it is asked for, and removed after the test has ended."""
    spec = parse_run("alpine", ["sleep", "60"], **settings)
    assert may_be_ahead(spec)
    assert may_go_later(spec)


@pytest.mark.parametrize(
    "settings",
    [
        {"name": "web"},
        {"ports": {80: 8080}},
        {"volumes": {"/tmp": "/host"}},
        {"volumes": ["data:/data"]},
        {"network": "backend"},
        {"network": "container:web"},
    ],
)
def test_what_others_have_a_part_in_waits_for_its_test(settings: Any) -> None:
    """A name, a port of the host, a folder, a volume and a network are one test's at a time, at both ends."""
    spec = parse_run("alpine", **settings)
    assert not may_be_ahead(spec)
    assert not may_go_later(spec)


@pytest.mark.parametrize(
    "settings",
    [{"stdin": True}, {"tty": True}, {"rm": True}, {"restart": "always"}, {"privileged": True}],
)
def test_what_is_another_one_later_is_not_made_ahead(settings: Any) -> None:
    """A terminal is there from the start; what removes or starts itself again may be gone or another one."""
    spec = parse_run("alpine", **settings)
    assert not may_be_ahead(spec)
    assert may_go_later(spec)


def test_as_many_are_kept_ready_as_the_engine_bears() -> None:
    """Two for each core, and none that is capped at more cores or memory than are left overtakes another one."""
    plain, big, wide = (parse_run("alpine", **each) for each in ({}, {"memory": "3g"}, {"cpus": 2}))
    bounds = Bounds.of(2, 16 * GB)
    assert len(list(bounds.fitting([plain] * 9))) == 4
    assert list(bounds.fitting([big, big, plain])) == [big]
    assert list(bounds.fitting([wide, plain])) == [wide]
    assert list(bounds.fitting([plain, wide, plain])) == [plain]
    assert len(list(Bounds.of(2, GB // 2).fitting([plain] * 9))) == 0
    assert len(list(Bounds.of(64, 512 * GB).fitting([plain] * 99))) == 8
    assert len(list(Bounds.of(0, 0).fitting([plain] * 9))) == 2


def ended(started: str, finished: str) -> ContainerState:
    return ContainerState(status="exited", started_at=started, finished_at=finished)


def test_what_runs_is_as_good_as_new_for_a_while() -> None:
    """A server that is waited for stays; what may be `sleep 5` is only new for a few seconds."""
    running = ContainerState(status="running")
    assert as_good_as_new(running, 1.0, patient=False)
    assert not as_good_as_new(running, 10.0, patient=False)
    assert as_good_as_new(running, 10.0, patient=True)
    assert not as_good_as_new(running, 1000.0, patient=True)
    assert not as_good_as_new(ContainerState(status="created"), 0.0, patient=True)


@pytest.mark.parametrize(
    ("started", "finished", "new"),
    [
        ("2026-01-01T00:00:00.100000001Z", "2026-01-01T00:00:00.123456789Z", True),
        ("2026-01-01T00:00:59.9Z", "2026-01-01T00:01:00Z", True),
        ("2026-01-01T00:00:00.5+02:00", "2025-12-31T22:00:00.6Z", True),
        ("2026-01-01T00:00:00.1Z", "2026-01-01T00:00:01.1Z", False),
        ("2026-01-01T00:00:00Z", "0001-01-01T00:00:00", False),
        ("", "", False),
    ],
)
def test_what_ended_at_once_could_not_be_seen_alive_anyway(started: str, finished: str, new: bool) -> None:
    """A process that lived for a moment is handed over however old; one that a test could have met alive is not."""
    assert as_good_as_new(ended(started, finished), 1000.0, patient=False) is new


def test_every_setting_was_thought_of() -> None:
    """A new setting of a container has to be judged: may it be made ahead?"""
    assert set(RunSpec.__slots__) == {
        *("image", "command", "entrypoint", "env", "user", "workdir", "limits", "hostname", "extra_hosts"),
        *("read_only", "cap_add", "cap_drop", "security_opt", "init", "labels", "healthcheck", "stop_signal"),
        *("shm_size", "mounts", "ports", "network", "aliases", "privileged", "tty", "stdin", "platform", "name"),
        *("restart", "auto_remove", "log_size"),
    }
    assert may_be_ahead(RunSpec(image="a", healthcheck=Healthcheck(test=("NONE",))))
