"""Assertions about what a container publishes, and what answers there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_dockerlab.assertions.client import ask, ask_until_up
from pytest_dockerlab.assertions.things import (
    Publishes,
    RunsCommands,
    container,
    demanded,
    insist_on_running,
    is_container,
    log_of,
    name_of,
)
from pytest_dockerlab.checks import web as check
from pytest_dockerlab.checks.web import Exchange, PublishedAt
from pytest_dockerlab.checks.words import Expected, listing
from pytest_dockerlab.errors import NotFound, UsageError
from pytest_dockerlab.findings import demand
from pytest_dockerlab.run.state import state_of

__all__ = ["address_of", "assert_http", "assert_port_not_published", "assert_port_published"]


def assert_port_published(box: RunsCommands, port: int | str) -> PublishedAt:
    """The container's port (``8888``, ``"53/udp"``) is published on the host. Returns where.

    Raises:
        CheckFailed: it is not; shows the ports that are.
    """
    return _published(container(box, "assert_port_published"), port)


def assert_port_not_published(box: RunsCommands, port: int | str) -> tuple[PublishedAt, ...]:
    """The container's port is not published on the host. Returns the ports that are.

    Raises:
        CheckFailed: it is; shows where. Or the container has ended; shows its exit code and the end of its log.
        UsageError: the container was not started, so that none of its ports is.
    """
    box = container(box, "assert_port_not_published")
    insist_on_running(box, "no port is published while a container does not run", "ask while it runs")
    return demand(check.port_not_published(check.published_ports(box.inspect()), port, of=name_of(box)))


def _published(box: RunsCommands, port: int | str | None) -> PublishedAt:
    inspect = box.inspect()
    ports, state = check.published_ports(inspect), state_of(inspect)
    log = log_of(box) if state.ended else ""
    return demanded(check.port_published(ports, port, state, of=name_of(box), log=log))


def address_of(where: Publishes | str, port: int | None) -> str:
    """The URL of a container's published port, or the URL itself; without a slash at its end.

    Raises:
        UsageError: no port was given and there are several, or what is no URL.
        CheckFailed: the port is not published, or none is.
    """
    if isinstance(where, str):
        if not where.startswith(("http://", "https://")):
            raise UsageError(f"not a URL: {where!r}", remedy='give a container, or "http://127.0.0.1:8888"')
        return where.rstrip("/")
    container(where, "an address")
    if port is None:
        ports = sorted({at.port for at in check.published_ports(where.inspect()) if at.port.endswith("/tcp")})
        if len(ports) > 1:
            raise UsageError(
                f"{name_of(where)} publishes {len(ports)} ports: {listing(ports).replace(chr(10), ', ')}",
                remedy="say which by port=",
            )
        port = int((ports[0] if ports else _published(where, None).port).partition("/")[0])
    try:
        return where.url(port).rstrip("/")
    except NotFound:
        _published(where, port)
        raise


def assert_http(
    where: Publishes | str,
    path: str = "/",
    *,
    port: int | None = None,
    status: int | Sequence[int] = 200,
    contains: Expected | None = None,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    response_headers: Mapping[str, Expected] | None = None,
    follow: bool | None = None,
    timeout: float = 30.0,
) -> Exchange:
    """A server answers with this status, text and headers. Returns its answer (``.status``, ``.text``, ``.json()``).

    Asks again until the server answers, ``timeout`` seconds are over, or the container has
    ended. Refused and cut connections and 502, 503, 504 are a server that still starts; any other
    answer counts at once.

    Args:
        where: a container, or a URL.
        port: of the container; ``None`` where it publishes just one.
        status: or several, of which one has to come.
        contains: text in the body, or a pattern to be found in it.
        headers, body: to be sent.
        response_headers: name → text (or pattern) to be found in the answer's header.
        follow: redirects; ``None`` follows them unless a redirect is the status asked for.

    Raises:
        CheckFailed: no answer, or another one.
    """
    address = address_of(where, port)
    statuses = (status,) if isinstance(status, int) else tuple(status)
    follows = follow if follow is not None else not any(300 <= each < 400 for each in statuses)
    box = where if is_container(where) else None
    answer = ask_until_up(
        lambda seconds: ask(
            f"{address}/{path.lstrip('/')}", method=method, headers=headers, body=body, follow=follows, timeout=seconds
        ),
        timeout,
        alive=lambda: box is None or box.state.running,
    )
    state, log = None, ""
    if box is not None and answer.status is None:
        state, log = box.state, log_of(box)
    return demand(
        check.http_answer(answer, status=statuses, contains=contains, headers=response_headers, state=state, log=log)
    )
