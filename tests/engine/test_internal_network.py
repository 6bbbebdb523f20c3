"""An internal network of a private engine: its containers talk to each other, and to nobody beyond this machine."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.engine import private

# For documentation alone (RFC 5737): nobody else has them.
_HERE, _BEYOND = "198.51.100.1", "198.51.100.2"


@pytest.fixture
def beyond() -> Iterator[str]:
    """An address beyond this machine: that of a network namespace, which only routing leads to."""
    name = f"dl{os.getpid() % 100_000}"
    commands = [
        f"ip netns add {name}",
        f"ip link add {name}a type veth peer name {name}b netns {name}",
        f"ip address add {_HERE}/30 dev {name}a",
        f"ip link set {name}a up",
        f"ip -n {name} address add {_BEYOND}/30 dev {name}b",
        f"ip -n {name} link set {name}b up",
        f"ip -n {name} route add default via {_HERE}",
    ]
    try:
        for command in commands:
            subprocess.run(command.split(), check=True, capture_output=True, timeout=120)
        yield _BEYOND
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=False, timeout=120)


@pytest.mark.skipif(os.getuid() != 0, reason="network namespaces are root's to make")
def test_nothing_leaves_an_internal_network(lab: Lab, beyond: str) -> None:
    """An ordinary one is left by the same route; inside of it all reach each other."""
    if not private.internal_subnets(lab.engine.endpoint.url):
        pytest.skip("this engine writes the firewall's rules itself")
    ping = ["ping", "-c", "1", "-W", "2"]
    inside, open_ = lab.network(internal=True), lab.network()
    one, two = (lab.run("alpine", ["sleep", "100"], network=inside) for _ in range(2))
    free = lab.run("alpine", ["sleep", "100"], network=open_)
    assert free.exec([*ping, beyond]).exit_code == 0
    assert one.exec([*ping, beyond]).exit_code != 0
    address = next(iter(two.inspect()["NetworkSettings"]["Networks"].values()))["IPAddress"]
    assert one.exec([*ping, address]).exit_code == 0
    assert lab.network(internal=True).id != inside.id
