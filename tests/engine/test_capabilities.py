"""Capabilities by name: how each is found out, and what is said when it is missing."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_dockerlab.engine import binfmt, probes
from pytest_dockerlab.engine.capabilities import KNOWN, Capabilities, Capability, check_name
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.info import EngineInfo
from pytest_dockerlab.errors import CapabilityMissing, EngineError, NotFound, UsageError
from pytest_dockerlab.platforms import Platform

DOCKER = EngineInfo(product="Docker Engine", version="29.0", api_version="1.52", kernel="6.1-elsewhere")
SOCKET = Endpoint(url="unix:///run/x.sock", name="that engine", source="found")
REMOTE = Endpoint(url="tcp://10.0.0.9:2376", name="that engine", source="found")


def engine_like(info: EngineInfo = DOCKER, endpoint: Endpoint = SOCKET, answer: Exception | None = None) -> Any:
    """As much of an engine as probes look at; its API answers every request with ``answer``."""

    def send(*args: object, **options: object) -> None:
        if answer is not None:
            raise answer

    return SimpleNamespace(info=info, endpoint=endpoint, api=SimpleNamespace(json=send, send=send), scratch=None)


def test_an_unknown_name_is_an_error_that_lists_the_known() -> None:
    """A typo must not read as 'missing'."""
    with pytest.raises(UsageError, match=r"no such capability: 'swap_limt', did you mean 'swap_limit'\?") as caught:
        check_name("swap_limt")
    assert all(name in caught.value.remedy for name in KNOWN)
    with pytest.raises(UsageError, match="not a platform: 'a/b/c/d'"):
        check_name("emulates:a/b/c/d")


def test_an_engine_answers_for_each_capability(engine: Engine) -> None:
    """Every name has an answer with a reason; the two cgroup versions exclude each other."""
    slow = {"hub", "network_in_build"}
    for name in set(engine.capabilities.known()) - slow:
        assert isinstance(engine.capabilities.has(name), bool)
        assert engine.capabilities.reason(name)
    assert engine.capabilities.has("cgroup_v1") is not engine.capabilities.has("cgroup_v2")
    assert engine.capabilities.has(f"emulates:{engine.info.platform}")


def test_what_is_missing_is_said_with_its_reason() -> None:
    """The error names engine, capability and reason."""
    capabilities = Capabilities(engine_like(replace(DOCKER, cgroup_version=2)))
    with pytest.raises(CapabilityMissing, match="that engine lacks 'cgroup_v1': its host has cgroup v2"):
        capabilities.require("cgroup_v1")
    capabilities.require("cgroup_v2")


def test_a_probe_runs_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And only when it is asked for."""
    asked: list[str] = []

    def probe(engine: object) -> probes.Answer:
        asked.append("hub")
        return probes.Answer(True, "it answers")

    monkeypatch.setitem(KNOWN, "hub", Capability(means="x", probe=probe))
    capabilities = Capabilities(engine_like())
    assert asked == []
    assert capabilities.has("hub")
    assert capabilities.reason("hub") == "it answers"
    assert asked == ["hub"]


def test_local_files_are_found_by_trying(engine: Engine) -> None:
    """A bind mount of a folder of this machine works exactly where the capability says so."""
    if not engine.endpoint.socket:
        pytest.skip("a remote engine's answer can't be known beforehand")
    assert engine.capabilities.has("local_files")
    assert engine.capabilities.reason("local_files").startswith(("tried: it found", "its socket is on this machine"))


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (NotFound("No such image: x"), True),
        (UsageError("bind source path does not exist: /x"), False),
        (EngineError("boom"), False),
    ],
)
def test_the_error_tells_whether_a_folder_is_seen(answer: Exception, expected: bool) -> None:
    """Docker looks at the folder first: an image that is missing means that the folder was not."""
    assert probes.local_files(engine_like(answer=answer)).ok is expected


def test_builders_follow_from_the_product() -> None:
    """Podman has neither of Docker's builders."""
    podman = engine_like(replace(DOCKER, product="Podman"))
    assert [probes.buildkit(podman).ok, probes.classic_builder(podman).ok] == [False, False]
    assert [probes.buildkit(engine_like()).ok, probes.classic_builder(engine_like()).ok] == [True, True]


def test_limits_without_a_cgroup_driver_are_none() -> None:
    """A rootless engine may say that it can and ignore them all."""
    answer = probes.memory_limit(engine_like(replace(DOCKER, memory_limit=True, cgroup_driver="none")))
    assert not answer.ok
    assert "every limit is ignored" in answer.reason


@pytest.mark.parametrize(
    ("answer", "expected", "reason"),
    [
        (None, True, "it answers the engine"),
        (EngineError("toomanyrequests: slow down"), True, "limits the rate"),
        (EngineError("dial tcp: no such host"), False, "no such host"),
    ],
)
def test_docker_hub_is_asked_by_the_engine(answer: Exception | None, expected: bool, reason: str) -> None:
    """A limited rate is an answer; no answer is none, with the engine's reason."""
    found = probes.hub(engine_like(answer=answer))
    assert found.ok is expected
    assert reason in found.reason


def test_ports_of_a_remote_engine_are_not_on_loopback() -> None:
    """They are published there, not here."""
    assert not probes.loopback_ports(engine_like(endpoint=REMOTE)).ok
    assert probes.loopback_ports(engine_like()).ok


def test_emulators_elsewhere_are_not_guessed() -> None:
    """Another machine's kernel can't be asked; the own platform needs no emulator."""
    engine = engine_like(endpoint=REMOTE)
    assert "can't be read from here" in probes.emulates(engine, Platform("linux", "arm64")).reason
    assert probes.emulates(engine, Platform("linux", "amd64")).ok
    desktop = engine_like(replace(DOCKER, distribution="Docker Desktop"))
    assert probes.emulates(desktop, Platform("linux", "arm64")).ok


ARM64 = (
    "enabled\ninterpreter /usr/bin/qemu-aarch64-static\nflags: {flags}\n"
    "offset 0\nmagic 7f454c460201010000000000000000000200b700\n"
)


@pytest.fixture
def registered(tmp_path: Path) -> Callable[..., Path]:
    """A folder that looks like the kernel's."""

    def make(status: str = "enabled", **entries: str) -> Path:
        (tmp_path / "status").write_text(f"{status}\n")
        (tmp_path / "register").write_text("")
        for name, text in entries.items():
            (tmp_path / name).write_text(text)
        return tmp_path

    return make


def test_an_emulator_is_found_by_what_it_runs(registered: Callable[..., Path]) -> None:
    """Its name may be anything; the machine in the matching rule counts."""
    folder = registered(rosetta=ARM64.format(flags="OCF"))
    assert binfmt.emulator("arm64", folder) == binfmt.Emulator(
        True, "the kernel runs it with rosetta", name="rosetta", set_uid=True
    )
    assert binfmt.emulator("s390x", folder).reason.startswith("no emulator for s390x is registered")


@pytest.mark.parametrize(
    ("status", "text", "reason"),
    [
        ("enabled", ARM64.format(flags="OC"), "lacks flag F"),
        ("enabled", ARM64.format(flags="F").replace("enabled", "disabled"), "qemu is switched off"),
        ("disabled", ARM64.format(flags="F"), "is switched off"),
    ],
)
def test_an_emulator_that_does_not_help_says_why(
    registered: Callable[..., Path], status: str, text: str, reason: str
) -> None:
    """Without flag F a container would need it in its own files; a switched-off one is none."""
    found = binfmt.emulator("arm64", registered(status, qemu=text))
    assert not found.usable
    assert reason in found.reason


def test_a_list_that_is_not_mounted_says_how_to_mount_it(tmp_path: Path) -> None:
    """The command stands in the reason."""
    assert "mount -t binfmt_misc" in binfmt.emulator("arm64", tmp_path / "none").reason


def test_rootless_podman_without_cgroup_v2_caps_nothing() -> None:
    """It says that it can, ignores what it is told, and can't freeze either."""
    info = replace(DOCKER, product="Podman", rootless=True, memory_limit=True)
    for probe in (probes.memory_limit, probes.pause):
        assert "ignores every limit" in probe(engine_like(info)).reason
    assert probes.memory_limit(engine_like(replace(info, cgroup_version=2))).ok
    assert probes.pause(engine_like(replace(info, rootless=False))).ok


def test_a_rootless_engine_gives_away_its_own_users_files_only(tmp_path: Path) -> None:
    """Whose it is is told by its socket."""
    info = replace(DOCKER, rootless=True)
    assert probes.host_ownership(engine_like(DOCKER, REMOTE)).ok
    assert not probes.host_ownership(engine_like(info, REMOTE)).ok
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s"))
        server.listen()
        ours = Endpoint(url=f"unix://{tmp_path / 's'}", name="x", source="x")
        assert probes.host_ownership(engine_like(info, ours)).ok
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "geteuid", lambda: os.getuid() + 1)
            answer = probes.host_ownership(engine_like(info, ours))
    assert (answer.ok, f"it is user {os.getuid()}'s" in answer.reason) == (False, True)


def test_a_registry_on_our_loopback_is_tried(engine: Engine) -> None:
    """An engine of this machine comes when it is sent; one that does not come lacks it."""
    assert engine.capabilities.has("loopback_registry") is (not engine.info.rootless)
    assert not probes.loopback_registry(engine_like(answer=EngineError("boom"))).ok


def test_who_tells_of_an_end_for_want_of_memory() -> None:
    """Not Podman 4 with cgroup v1."""
    podman = replace(DOCKER, product="Podman", version="4.3.1")
    assert not probes.oom_report(engine_like(podman)).ok
    assert probes.oom_report(engine_like(replace(podman, version="5.4.2"))).ok
    assert probes.oom_report(engine_like()).ok
