"""Settings of a container, from what people write to what is meant."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.run.parse import parse_run
from pytest_dockerlab.run.ports import split_port
from pytest_dockerlab.run.spec import Limits, Mount, PublishedPort, RunSpec


@dataclass(frozen=True)
class Handle:
    name: str


def parsed(**settings: Any) -> RunSpec:
    return parse_run("alpine", **settings)


def bind(source: str, target: str, *, read_only: bool = False) -> Mount:
    return Mount(kind="bind", source=source, target=target, read_only=read_only)


def test_nothing_said_leaves_everything_to_image_and_engine() -> None:
    """Without settings only the image is decided."""
    assert parsed() == RunSpec(image="alpine")


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (["echo", "a b"], ("echo", "a b")),
        ("echo 'a b' \"c\"", ("echo", "a b", "c")),
        ("echo $HOME | cat", ("echo", "$HOME", "|", "cat")),
        (["sleep", 5, Path("/x")], ("sleep", "5", "/x")),
        ([], ()),
    ],
)
def test_text_is_split_as_a_shell_would_and_given_to_none(command: Any, expected: tuple[str, ...]) -> None:
    """A command's text is split by quotes, a list is taken as it is."""
    assert parse_run("alpine", command).command == expected


def test_an_empty_entrypoint_takes_the_images_away() -> None:
    """An entrypoint of "" is no entrypoint, which is not the same as leaving it to the image."""
    assert parsed(entrypoint="").entrypoint == ()
    assert parsed().entrypoint is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [(1111, "1111"), ("1111:1111", "1111:1111"), ("nobody", "nobody"), ("nobody:0", "nobody:0"), (0, "0")],
)
def test_users_by_number_or_name(given: Any, expected: str) -> None:
    """A user is a number, a name, or either with a group."""
    assert parsed(user=given).user == expected


def test_limits_as_people_write_them() -> None:
    """Sizes have units, CPUs fractions; swap may be unlimited."""
    assert parsed(cpus="1.5", memory="512m", memory_swap="1g", pids=100).limits == Limits(
        nano_cpus=1_500_000_000, memory=512 * 1024**2, memory_swap=1024**3, pids=100
    )
    assert parsed(cpus=2, memory="2g", memory_swap=-1).limits == Limits(
        nano_cpus=2_000_000_000, memory=2 * 1024**3, memory_swap=-1
    )


def test_a_source_is_a_path_a_volume_or_a_handle(tmp_path: Path) -> None:
    """Paths are bound, names and handles are volumes, and :ro forbids writing."""
    volumes = {tmp_path: "/a", str(tmp_path): "/b:ro", "data": "/c/", Handle("made"): "/d:rw"}
    assert parsed(volumes=volumes).mounts == (
        bind(str(tmp_path), "/a"),
        bind(str(tmp_path), "/b", read_only=True),
        Mount(kind="volume", source="data", target="/c"),
        Mount(kind="volume", source="made", target="/d"),
    )


def test_volumes_as_the_command_line_has_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A list holds source:target[:ro]; a target alone is an anonymous volume; relative paths start here."""
    monkeypatch.chdir(tmp_path)
    assert parsed(volumes=["/src:/a", "data:/b:ro", "/c", "./here:/d", Mount(kind="tmpfs", target="/e")]).mounts == (
        bind("/src", "/a"),
        Mount(kind="volume", source="data", target="/b", read_only=True),
        Mount(kind="volume", target="/c"),
        bind(str(tmp_path / "here"), "/d"),
        Mount(kind="tmpfs", target="/e"),
    )


@pytest.mark.parametrize("given", [{"/scratch": "64m"}, ["/scratch:size=64m"], "/scratch:size=64m"])
def test_tmpfs_with_a_cap(given: Any) -> None:
    """A file system in memory may be capped, in each form."""
    assert parsed(tmpfs=given).mounts == (Mount(kind="tmpfs", target="/scratch", size=64 * 1024**2),)


def test_tmpfs_without_a_cap() -> None:
    """A target alone has no cap."""
    assert parsed(tmpfs=["/scratch"]).mounts == (Mount(kind="tmpfs", target="/scratch"),)
    assert parsed(tmpfs={"/scratch": None}).mounts == (Mount(kind="tmpfs", target="/scratch"),)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([8888], PublishedPort(container=8888)),
        (8888, PublishedPort(container=8888)),
        ("53/udp", PublishedPort(container=53, protocol="udp")),
        ({8888: None}, PublishedPort(container=8888)),
        ({8888: 0}, PublishedPort(container=8888)),
        ({8888: 8080}, PublishedPort(container=8888, host=8080)),
        ({"53/udp": "10.0.0.1:5353"}, PublishedPort(container=53, protocol="udp", host=5353, address="10.0.0.1")),
        (["8080:80"], PublishedPort(container=80, host=8080)),
        (["0.0.0.0::80"], PublishedPort(container=80, address="0.0.0.0")),
        (["[::1]:8080:80/tcp"], PublishedPort(container=80, host=8080, address="::1")),
    ],
)
def test_ports_in_every_form(given: Any, expected: PublishedPort) -> None:
    """A port is published on loopback, on a free port, unless something else is said."""
    assert parsed(ports=given).ports == (expected,)


def test_the_default_address_is_the_callers() -> None:
    """Where loopback does not reach the engine, ports without an address are published on another."""
    assert parse_run("alpine", address="0.0.0.0", ports=[80, "127.0.0.1:81:81"]).ports == (
        PublishedPort(container=80, address="0.0.0.0"),
        PublishedPort(container=81, host=81),
    )


def test_environment_with_values_and_from_here() -> None:
    """Values are written out; a name without one takes it from this process."""
    expected = {"A": "1", "B": "two", "KEY": "secret"}
    assert parse_run("x", environ={"KEY": "secret"}, env={"A": 1, "B": "two", "KEY": None}).env == expected
    assert parse_run("x", environ={"KEY": "secret"}, env=["A=1", "B=two", "KEY"]).env == expected
    assert parse_run("x", environ={}, env=["A=", "B=x=y"]).env == {"A": "", "B": "x=y"}


def test_the_rest_goes_through() -> None:
    """Every other setting reaches the specification under its name."""
    spec = parsed(
        workdir="/work",
        network=Handle("net"),
        aliases=["db"],
        hostname="box",
        extra_hosts={"api": "127.0.0.1"},
        read_only=True,
        cap_add=["NET_ADMIN"],
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        init=True,
        tty=True,
        stdin=True,
        platform="arm64",
        name="web",
        labels={"a": "b"},
        restart="on-failure:3",
        stop_signal="SIGINT",
        shm_size="64m",
        rm=True,
    )
    assert spec == RunSpec(
        image="alpine",
        workdir="/work",
        network="net",
        aliases=("db",),
        hostname="box",
        extra_hosts={"api": "127.0.0.1"},
        read_only=True,
        cap_add=("NET_ADMIN",),
        cap_drop=("ALL",),
        security_opt=("no-new-privileges",),
        init=True,
        tty=True,
        stdin=True,
        platform=Platform("linux", "arm64"),
        name="web",
        labels={"a": "b"},
        restart="on-failure:3",
        stop_signal="SIGINT",
        shm_size=64 * 1024**2,
        auto_remove=True,
    )


@pytest.mark.parametrize(
    ("given", "test"),
    [("curl x", ("CMD-SHELL", "curl x")), (["curl", "x"], ("CMD", "curl", "x")), (False, ("NONE",))],
)
def test_health_checks(given: Any, test: tuple[str, ...]) -> None:
    """Text is the shell's, a list is executed, False switches the image's off."""
    assert parsed(healthcheck=given).healthcheck == Healthcheck(test=test)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"memry": "1g"}, r"no such setting of a container: memry='1g'\n.*did you mean memory\?"),
        ({"memory": "lots"}, r"memory: not a size: 'lots'"),
        ({"cpus": 0}, r"cpus: not a number of CPUs: 0"),
        ({"memory": "2g", "memory_swap": "1g"}, r"memory_swap: 1073741824 bytes is less than memory \(2147483648\)"),
        ({"memory_swap": "1g"}, r"memory_swap: 1073741824 bytes without memory"),
        ({"pids": "many"}, r"pids: not a number of processes: 'many'"),
        ({"user": "a:b:c"}, r"user: neither a user nor user:group: 'a:b:c'"),
        ({"user": "1111:"}, r"user: .* '1111:'"),
        ({"user": ""}, r"user: .* ''"),
        ({"volumes": {"/x": "y"}}, r"volumes: target 'y' in \{'/x': 'y'\} is not an absolute path"),
        ({"volumes": {"/x": "/y:rx"}}, r"volumes: unknown option 'rx' in \{'/x': '/y:rx'\}"),
        ({"volumes": [":/x"]}, r"volumes: no source: ':/x'"),
        ({"volumes": "/x:/y"}, r"volumes: neither a mapping nor a list: '/x:/y'"),
        ({"volumes": {3: "/x"}}, r"volumes: not a source: 3"),
        ({"volumes": {"a": "/x"}, "tmpfs": ["/x"]}, r"volumes: two mounts on '/x': 'a' and 'tmpfs'"),
        ({"tmpfs": ["/x:mode=7"]}, r"tmpfs: unknown option 'mode=7'"),
        ({"tmpfs": {"/x": "big"}}, r"tmpfs: not a size: 'big'"),
        ({"ports": [70000]}, r"ports: not a port: 70000"),
        ({"ports": ["80/http"]}, r"ports: not a port: '80/http'"),
        ({"ports": [80, "81:80"]}, r"ports: 80/tcp is published twice"),
        ({"ports": {80: True}}, r"ports: not a port: True"),
        ({"env": {"A": True}}, r"env: A=True is not text"),
        ({"env": {"A=B": "x"}}, r"env: not the name of a variable: 'A=B'"),
        ({"env": ["NOT_SET_ANYWHERE_1"]}, r"env: NOT_SET_ANYWHERE_1 has no value and is not set here"),
        ({"env": "A=1"}, r"env: neither a mapping nor a list: 'A=1'"),
        ({"entrypoint": "a 'b"}, r"entrypoint: can't be split into arguments: \"a 'b\""),
        ({"entrypoint": 3}, r"entrypoint: neither text nor a list: 3"),
        ({"tty": "yes"}, r"tty: not True or False: 'yes'"),
        ({"cap_add": "ALL"}, r"cap_add: not a list of texts: 'ALL'"),
        ({"extra_hosts": {"a": 1}}, r"extra_hosts: not a mapping of text to text"),
        ({"labels": {"org.dockerlab.run": "x"}}, r"labels: 'org.dockerlab.run' is the lab's own"),
        ({"restart": "sometimes"}, r"restart: not a policy: 'sometimes'"),
        ({"restart": "always:3"}, r"restart: not a policy: 'always:3'"),
        ({"network": 3}, r"network: not a network: 3"),
        ({"workdir": 3}, r"workdir: not text: 3"),
        ({"platform": "a/b/c/d"}, r"not a platform: 'a/b/c/d'"),
        ({"shm_size": "x"}, r"shm_size: not a size: 'x'"),
    ],
)
def test_a_complaint_names_the_setting_and_the_value(settings: dict[str, Any], message: str) -> None:
    """What can't be meant is refused with the setting's name, its value and a remedy."""
    with pytest.raises(UsageError, match=f"(?s){message}") as caught:
        parsed(**settings)
    assert caught.value.remedy


def test_a_command_that_is_none_is_refused() -> None:
    """Neither numbers nor flags are arguments by accident."""
    with pytest.raises(UsageError, match=r"command: not an argument: True"):
        parse_run("alpine", ["echo", True])


def test_a_ports_number_and_protocol() -> None:
    """A container port is a number, with its protocol if that is not tcp."""
    assert split_port(53) == (53, "tcp")
    assert split_port("53/udp") == (53, "udp")
    with pytest.raises(UsageError, match=r"not a port: 0"):
        split_port(0)
