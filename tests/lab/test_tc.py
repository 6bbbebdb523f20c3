"""testcontainers over our engine."""

from __future__ import annotations

import socket
import threading
from pathlib import Path
from typing import Any

import pytest
import testcontainers.core.container as upstream
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.network import Network
from testcontainers.core.wait_strategies import LogMessageWaitStrategy

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.errors import NotFound, UsageError
from pytest_dockerlab.lab.lab import Lab
from pytest_dockerlab.lab.tc import EngineClient, constructing, is_local


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """testcontainers on its own would find no engine."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")


def endpoint(url: str, *, private: bool = False) -> Endpoint:
    return Endpoint(url=url, name="test", source="test", private=private)


def test_an_engine_of_this_machine_is_local(tmp_path: Path) -> None:
    """A private engine, and one whose process we can see, publish ports on our loopback; others may not."""
    path = tmp_path / "engine.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        assert is_local(endpoint(f"unix://{path}"))
    assert not is_local(endpoint(f"unix://{path}"))
    assert not is_local(endpoint("tcp://127.0.0.1:2375"))
    assert is_local(endpoint("tcp://127.0.0.1:2375", private=True))


@pytest.mark.usefixtures("elsewhere")
def test_an_adopted_container_is_ours(lab: Lab) -> None:
    """An object made without an engine in sight runs on ours, labelled, waited for, and goes with the lab."""
    strategy = LogMessageWaitStrategy("ready").with_poll_interval(0.05)
    box = lab.adopt(
        lambda: (
            DockerContainer("alpine")
            .with_command(["sh", "-c", "echo ready; sleep 600"])
            .with_exposed_ports(8080)
            .with_kwargs(labels={"a": "b"})
            .waiting_for(strategy)
        )
    )
    inspect = lab.engine.containers.inspect(box.get_container_id())
    assert inspect["Config"]["Labels"].items() >= {"a": "b", **lab.ownership.labels}.items()
    (binding,) = inspect["NetworkSettings"]["Ports"]["8080/tcp"]
    assert binding["HostIp"] == "127.0.0.1"
    assert box.get_exposed_port(8080) == int(binding["HostPort"])
    assert box.exec(["id", "-u"]).output == b"0\n"
    assert "ready" in lab.describe_failure()[0][1]
    lab.close()
    with pytest.raises(NotFound):
        lab.engine.containers.inspect(box.get_container_id())
    lab.engine.docker.ping()  # the client that they shared is still open


@pytest.mark.usefixtures("elsewhere")
def test_an_adopted_network_is_ours(lab: Lab) -> None:
    """A testcontainers network is labelled, and goes with the lab."""
    network = lab.adopt(Network)
    assert len(lab.engine.networks.list(lab.ownership.labels)) == 1
    lab.close()
    with pytest.raises(NotFound):
        lab.engine.networks.inspect(network.name)


def test_what_fails_to_start_is_removed(lab: Lab) -> None:
    """An adopted container that was created and could not be started goes with the lab."""
    with pytest.raises(Exception, match="nothing-like-this"):
        lab.adopt(lambda: DockerContainer("alpine").with_command("nothing-like-this"))
    assert len(lab.engine.containers.list(lab.ownership.labels)) == 1
    lab.close()
    assert lab.engine.containers.list(lab.ownership.labels) == ()


def test_what_can_not_be_adopted(lab: Lab) -> None:
    """Other things, and containers that run already, are refused."""
    with pytest.raises(UsageError, match="not a testcontainers container or network: 5"):
        lab.adopt(5)
    box = lab.adopt(lambda: DockerContainer("alpine").with_command("sleep 600"))
    with pytest.raises(UsageError, match=r"DockerContainer alpine(:latest)? is started already"):
        lab.adopt(box)


def test_testcontainers_is_left_as_it_was(lab: Lab) -> None:
    """What is replaced while an object is made or started is put back, also after nesting and errors."""
    before = (upstream.DockerClient, testcontainers_config._ryuk_disabled)  # type: ignore[attr-defined]
    client = EngineClient(lab.engine, {})

    def fail() -> None:
        with constructing(client), constructing(client):
            assert testcontainers_config.ryuk_disabled
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (upstream.DockerClient, testcontainers_config._ryuk_disabled) == before  # type: ignore[attr-defined]


def test_other_threads_keep_their_own_client(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one thread makes an object of ours, another one's gets testcontainers' own client."""
    made: list[Any] = []
    monkeypatch.setattr(upstream, "DockerClient", lambda **_: "upstream's")
    client = EngineClient(lab.engine, {})
    with constructing(client):
        thread = threading.Thread(target=lambda: made.append(DockerContainer("x").get_docker_client()))
        thread.start()
        thread.join()
        made.append(DockerContainer("x").get_docker_client())
    assert made == ["upstream's", client]


def test_the_host_of_a_local_engine(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ports of a local engine are on loopback, whatever testcontainers makes of /.dockerenv; TC_HOST goes first."""
    client = EngineClient(lab.engine, {})
    client.local = True
    assert (client.host(), client.get_connection_mode()) == ("127.0.0.1", ConnectionMode.docker_host)
    assert client.loopback
    assert client.find_host_network() is None
    monkeypatch.setattr(testcontainers_config, "tc_host_override", "engine.example")
    assert client.host() == "engine.example"
