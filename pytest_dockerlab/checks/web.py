"""What a container publishes, and what answers there."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_dockerlab.checks.metadata import port_name
from pytest_dockerlab.checks.words import Expected, listing, matches, tail, wanted
from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.run.state import ContainerState

__all__ = ["Exchange", "PublishedAt", "http_answer", "port_not_published", "port_published", "published_ports"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedAt:
    """A container port and the host address it is published on."""

    port: str
    host: str
    host_port: int

    def __str__(self) -> str:
        return f"{self.port} on {self.host}:{self.host_port}"


def published_ports(inspect: Mapping[str, Any]) -> tuple[PublishedAt, ...]:
    """The published ports of a container's inspect JSON (``NetworkSettings.Ports``); none unless it runs."""
    ports: Mapping[str, Any] = (inspect.get("NetworkSettings") or {}).get("Ports") or {}
    return tuple(
        PublishedAt(port=name, host=str(at.get("HostIp") or "0.0.0.0"), host_port=int(at["HostPort"]))
        for name, bound in ports.items()
        for at in bound or ()
        if at.get("HostPort")
    )


def port_published(
    ports: Sequence[PublishedAt], port: int | str | None, state: ContainerState, *, of: str, log: str = ""
) -> Checked[PublishedAt | None]:
    """The port is published; ``None``: some port is. Evidence: where.

    Args:
        state, log: of the container, for the message.
    """
    name = port_name(port) if port is not None else ""
    found = next((one for one in ports if name in ("", one.port)), None)
    if found is not None:
        return Checked(evidence=found)
    shown = f"{listing(ports, none='no published port')}\nthe container is {state}"
    if state.ended:
        shown += f"; the last it printed:\n{tail(log)}"
        why = "its main process has ended, and only a running container has its ports published"
        hint = "read what it printed, above"
    else:
        number = name.partition("/")[0] or "8888"
        why = (
            "EXPOSE publishes nothing; -p does, and from a container's own network no other way leads to the host"
            if state.running
            else "only a running container has its ports published"
        )
        hint = f"lab.run(…, ports=[{number}]), docker run -p {number}:{name or number}"
    finding = Finding(
        what=f"{of} does not publish {name}" if name else f"{of} publishes no port",
        expected=f"{name or 'a port'} published on the host",
        found=shown,
        why=why,
        hint=hint,
    )
    return Checked(evidence=None, findings=(finding,))


def port_not_published(ports: Sequence[PublishedAt], port: int | str, *, of: str) -> Checked[tuple[PublishedAt, ...]]:
    """The port is not published. Evidence: the ports that are."""
    name = port_name(port)
    found = [one for one in ports if one.port == name]
    if not found:
        return Checked(evidence=tuple(ports))
    finding = Finding(
        what=f"{of} publishes {name}",
        expected=f"{name} not published",
        found=listing(found),
        why="a port published on 0.0.0.0 is open to the whole network" if found[0].host == "0.0.0.0" else "",
        hint="leave -p (and -P) out; containers of one network reach each other without it",
    )
    return Checked(evidence=tuple(ports), findings=(finding,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One HTTP request and what came back.

    Attributes:
        status: ``None`` if nothing came back; ``error`` says why.
        headers: of the answer, names in lower case.
        cookies: that the answer (and redirects on the way to it) set.
        attempts: how many requests it took.
        seconds: from the first request to this answer.
    """

    method: str
    url: str
    status: int | None = None
    reason: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cookies: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    error: str = ""
    attempts: int = 1
    seconds: float = 0.0

    def tried(self, attempts: int, seconds: float) -> Exchange:
        """The same, after so many attempts."""
        return replace(self, attempts=attempts, seconds=seconds)

    @property
    def text(self) -> str:
        """The body as text; what is not UTF-8 is replaced."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body's JSON.

        Raises:
            FormatError: it is none.
        """
        try:
            return json.loads(self.body)
        except ValueError:
            raise FormatError(
                f"{self.url} answered with no JSON: {self.text[:100]!r}", remedy="look at its .text"
            ) from None

    def __str__(self) -> str:
        if self.status is None:
            return f"{self.method} {self.url}: no answer ({self.error})"
        where = f" → {self.headers['location']}" if "location" in self.headers else ""
        return f"{self.method} {self.url}: {self.status} {self.reason}".rstrip() + where


def http_answer(
    exchange: Exchange,
    *,
    status: int | Sequence[int] = 200,
    contains: Expected | None = None,
    headers: Mapping[str, Expected] | None = None,
    state: ContainerState | None = None,
    log: str = "",
    own_address: str = "0.0.0.0",
) -> Checked[Exchange]:
    """The answer has this status (one of these), holds the text, and has these headers. Evidence: it.

    Args:
        state, log: of the container that should answer, for the message.
    """
    expected = (status,) if isinstance(status, int) else tuple(status)
    asked = f"{exchange.method} {exchange.url}"
    if exchange.status is None:
        return Checked(evidence=exchange, findings=(_no_answer(exchange, expected, state, log, own_address),))
    findings = []
    if exchange.status not in expected:
        findings.append(
            Finding(
                what=f"{asked} answered {exchange.status}",
                expected=" or ".join(map(str, expected)),
                found=f"{exchange}\n{tail(exchange.text, 5)}",
                why=_status_why(exchange.status),
                hint="open the address in a browser, and read the server's log: container.logs()",
            )
        )
    if contains is not None and not matches(contains, exchange.text):
        findings.append(
            Finding(
                what=f"the answer of {asked} does not hold what it should",
                expected=wanted(contains),
                found=f"{exchange.status}, {len(exchange.body)} bytes:\n{tail(exchange.text, 10)}",
                hint="is it the right path, and the right server?",
            )
        )
    for name, value in (headers or {}).items():
        there = exchange.headers.get(name.lower())
        if there is None or not matches(value, there):
            findings.append(
                Finding(
                    what=f"the answer of {asked} has another header {name}",
                    expected=wanted(value),
                    found="no such header" if there is None else repr(there),
                )
            )
    return Checked(evidence=exchange, findings=tuple(findings))


def _no_answer(
    exchange: Exchange, expected: Sequence[int], state: ContainerState | None, log: str, own_address: str
) -> Finding:
    found = f"{exchange.error}, {exchange.attempts} tries in {exchange.seconds:.1f} s"
    if state is not None:
        found += f"\nthe container is {state}; the last it printed:\n{tail(log)}"
    if state is not None and not state.running:
        why, hint = "its main process has ended, and with it the server", "read what it printed, above"
    else:
        why = "a server that listens on 127.0.0.1 inside the container can't be reached through a published port"
        hint = f"let it listen on {own_address} (--ip={own_address}, --host {own_address}), and check its port"
    return Finding(
        what=f"{exchange.method} {exchange.url} got no answer",
        expected=" or ".join(map(str, expected)),
        found=found,
        why=why,
        hint=hint,
    )


def _status_why(status: int) -> str:
    if status in (401, 403):
        return "the server answers, and wants a token or password"
    if status == 404:
        return "the server answers, and knows no such path"
    if status in (301, 302, 303, 307, 308):
        return "the server sends the browser elsewhere"
    return "the server answers, and failed at it" if status >= 500 else ""
