"""Published ports as people write them → ``PublishedPort``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.foreign import shown
from pytest_dockerlab.run.spec import PublishedPort

__all__ = ["parse_ports", "split_port"]

_FORM = 'write [8888], {8888: 8080} (container: host), "8080:8888" (host:container) or "53/udp"'
_PORT = re.compile(r"(?P<number>\d{1,5})(?:/(?P<protocol>tcp|udp|sctp))?", re.ASCII)
# [address:][host port]:container port, as docker run -p has it; an IPv6 address in brackets.
_PUBLISHED = re.compile(
    r"(?:(?:(?P<address>\[[0-9a-fA-F:]+\]|\d+\.\d+\.\d+\.\d+):)?(?P<host>\d{0,5}):)?(?P<container>[^:]+)", re.ASCII
)


def parse_ports(value: object, *, address: str = "127.0.0.1") -> tuple[PublishedPort, ...]:
    """Ports to publish.

    Args:
        value: one port, a list of them, or a mapping of container ports to host ports (``None``: any free one).
        address: host address for ports that name none.

    Raises:
        UsageError: not a port, an unknown protocol, the same container port twice.
    """
    if isinstance(value, (int, str)):
        value = [value]
    if isinstance(value, Mapping):
        ports = tuple(_pair(container, host, address) for container, host in value.items())
    elif isinstance(value, Sequence):
        ports = tuple(item if isinstance(item, PublishedPort) else _from_text(item, address) for item in value)
    else:
        raise UsageError(f"ports: neither a port, a list nor a mapping: {shown(value)}", remedy=_FORM)
    seen: set[tuple[int, str]] = set()
    for port in ports:
        if (port.container, port.protocol) in seen:
            raise UsageError(
                f"ports: {port.container}/{port.protocol} is published twice: {shown(value)}", remedy=_FORM
            )
        seen.add((port.container, port.protocol))
    return ports


def _text(value: object) -> str:
    try:
        return str(value)
    except ValueError:  # an integer of more digits than Python prints
        return ""


def split_port(value: object) -> tuple[int, str]:
    """Number and protocol of a container port: ``8888`` → ``(8888, "tcp")``, ``"53/udp"`` → ``(53, "udp")``.

    Raises:
        UsageError: not a port.
    """
    match = _PORT.fullmatch(_text(value)) if not isinstance(value, bool) else None
    if match is None or not 1 <= int(match["number"]) <= 65535:
        raise UsageError(f"ports: not a port: {shown(value)}", remedy=_FORM)
    return int(match["number"]), match["protocol"] or "tcp"


def _host(value: object) -> int | None:
    # The engine's own sign for "any free one" is 0.
    return None if value in (None, 0, "", "0") else split_port(value)[0]


def _pair(container: object, host: object, address: str) -> PublishedPort:
    number, protocol = split_port(container)
    if isinstance(host, str) and ":" in host:
        where, _, text = host.rpartition(":")
        return PublishedPort(container=number, protocol=protocol, host=_host(text), address=where.strip("[]"))
    return PublishedPort(container=number, protocol=protocol, host=_host(host), address=address)


def _from_text(value: object, address: str) -> PublishedPort:
    match = _PUBLISHED.fullmatch(_text(value))
    if match is None or not isinstance(value, (int, str)):
        raise UsageError(f"ports: not a port: {shown(value)}", remedy=_FORM)
    number, protocol = split_port(match["container"] if isinstance(value, str) else value)
    return PublishedPort(
        container=number,
        protocol=protocol,
        host=_host(match["host"]),
        address=(match["address"] or address).strip("[]"),
    )
