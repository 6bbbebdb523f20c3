"""Ports: published ones answer, others do not."""

from __future__ import annotations

import socket
from urllib.request import urlopen

import pytest

from pytest_dockerlab import (
    Lab,
    LabError,
    NotFound,
    assert_http,
    assert_port_not_published,
    assert_port_published,
)

pytestmark = [pytest.mark.proves("ports"), pytest.mark.usefixtures("alpine")]

SERVES = ["sh", "-c", "mkdir /www && echo hello > /www/index.html && httpd -f -p 8080 -h /www"]


def test_a_published_port_answers(lab: Lab) -> None:
    """A published port answers on the host, at a port that the engine chose."""
    box = lab.run("alpine", SERVES, ports=[8080])
    assert_port_published(box, 8080)
    assert_http(box, "/index.html", port=8080, contains="hello")
    with urlopen(box.url(8080, "/index.html"), timeout=10) as answer:
        assert answer.read() == b"hello\n"


def test_a_port_of_ones_own(lab: Lab) -> None:
    """A port can be published at a host port of one's own choice."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]
    box = lab.run("alpine", SERVES, ports={8080: free})
    assert box.port(8080) == free
    assert_http(box, "/index.html", port=8080)


def test_a_port_that_is_taken(lab: Lab) -> None:
    """A host port that is taken is told."""
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        with pytest.raises(LabError, match=r"(?i)port.*(taken|in use|allocated)"):
            lab.run("alpine", SERVES, ports={8080: taken})


def test_what_is_not_published_is_not_found(lab: Lab) -> None:
    """A port that was not published is not found, EXPOSE or not."""
    image = lab.build('FROM alpine\nEXPOSE 8080\nCMD ["sleep", "600"]\n')
    box = lab.run(image)
    assert_port_not_published(box, 8080)
    with pytest.raises(NotFound, match="8080"):
        box.port(8080)


def test_udp_and_tcp_of_one_number(lab: Lab) -> None:
    """The same number is published for TCP and UDP apart."""
    box = lab.run("alpine", ["sleep", "600"], ports=["5353/udp", 5353])
    assert box.port("5353/udp")
    assert box.port(5353)


def test_two_containers_have_two_ports(lab: Lab) -> None:
    """Two containers that publish the same port have two host ports."""
    one, two = (lab.run("alpine", SERVES, ports=[8080]) for _ in range(2))
    assert one.port(8080) != two.port(8080)
