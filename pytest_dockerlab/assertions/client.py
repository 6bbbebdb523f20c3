"""HTTP requests as values: no proxies, no cookies kept, no exceptions for an answer that is not there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pytest_dockerlab.checks.web import Exchange

if TYPE_CHECKING:
    from requests import Response

__all__ = ["ask", "ask_until_up"]

# What servers (and what stands before them) say while they start.
_STARTING = (502, 503, 504)
_SINGLE = 10.0
# Seconds for a long answer, beside those until it begins.
_GRACE = 20.0
_HOPS = 20
_SEE_OTHER = (301, 302, 303)
_CHUNK = 64 * 1024
_LONGEST = 64 * 1024**2
_ENDLESS = "the answer does not end"


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    follow: bool = False,
    timeout: float = _SINGLE,
) -> Exchange:
    """One request; with ``follow``, redirects are followed, as long as they stay at the same server.

    Args:
        timeout: seconds for the connection, and between two pieces of the answer.
    """
    done: list[Exchange | BaseException] = []

    def work() -> None:
        try:
            done.append(_ask(url, method, headers, body, follow, timeout))
        except BaseException as error:
            done.append(error)

    # Who answers may do so a byte at a time for ever, and no timeout of a socket would mind.
    asker = threading.Thread(target=work, name="dockerlab-ask", daemon=True)
    begun = time.monotonic()
    asker.start()
    asker.join(max(timeout, _SINGLE) + _GRACE)
    if not done:
        return Exchange(method=method, url=url, error=_ENDLESS, seconds=time.monotonic() - begun)
    if isinstance(done[0], BaseException):
        raise done[0]
    return done[0]


def _ask(
    url: str, method: str, headers: Mapping[str, str] | None, body: bytes | str | None, follow: bool, timeout: float
) -> Exchange:
    import requests

    begun = time.monotonic()
    with requests.Session() as session:
        # Proxies and .netrc of the host are not for its own containers.
        session.trust_env = False
        try:
            for _ in range(_HOPS):
                answer = session.request(
                    method,
                    url,
                    headers=dict(headers or {}),
                    data=body,
                    allow_redirects=False,
                    timeout=timeout,
                    stream=True,
                )
                target = session.get_redirect_target(answer) if follow else None
                # Not to another server: what is asked is this one, and others may be none of its business.
                if target is None or urlsplit(urljoin(url, target))[:2] != urlsplit(url)[:2]:
                    break
                answer.close()
                url = urljoin(url, target)
                if answer.status_code in _SEE_OTHER:
                    method, body = "GET", None
            content = _content(answer)
        except requests.RequestException as error:
            return Exchange(method=method, url=url, error=_plain(error), seconds=time.monotonic() - begun)
        if content is None:
            return Exchange(method=method, url=url, error=_ENDLESS, seconds=time.monotonic() - begun)
        return Exchange(
            method=method,
            url=str(answer.url),
            status=answer.status_code,
            reason=answer.reason or "",
            headers={name.lower(): value for name, value in answer.headers.items()},
            cookies={str(cookie.name): str(cookie.value) for cookie in session.cookies},
            body=content,
            seconds=time.monotonic() - begun,
        )


def _content(answer: Response) -> bytes | None:
    """The body; ``None`` if it is too long."""
    content = bytearray()
    with answer:
        for chunk in answer.iter_content(_CHUNK):
            content += chunk
            if len(content) > _LONGEST:
                return None
    return bytes(content)


def _plain(error: Exception) -> str:
    """The reason, without the layers that each repeat it."""
    reasons: list[BaseException] = [error]
    while (inner := _inner(reasons[-1])) is not None and inner not in reasons:
        reasons.append(inner)
    text = str(reasons[-1]) or type(reasons[-1]).__name__
    for words, plain in (
        ("refused", "connection refused"),
        ("timed out", "timed out"),
        ("reset by peer", "connection reset by peer"),
        ("without response", "the connection was closed without an answer"),
        ("Name or service not known", "no such host"),
    ):
        if words in text:
            return plain
    return f"{type(reasons[-1]).__name__}: {text}"


def _inner(error: BaseException) -> BaseException | None:
    reason: Any = getattr(error, "reason", None)
    if isinstance(reason, BaseException):
        return reason
    return next((arg for arg in error.args if isinstance(arg, BaseException)), None)


def ask_until_up(
    send: Callable[[float], Exchange],
    timeout: float,
    *,
    alive: Callable[[], bool] = lambda: True,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Exchange:
    """Ask until a server answers for good: not refused, not cut off, not 502, 503 or 504.

    Args:
        send: one request, told the seconds it may take.
        timeout: seconds for all of it; at least one request is made.
        alive: whether an answer may still come.
    """
    begun = clock()
    attempts, pause = 0, 0.1
    while True:
        attempts += 1
        left = timeout - (clock() - begun)
        got = send(max(0.5, min(_SINGLE, left)))
        done = got.status is not None and got.status not in _STARTING
        spent = clock() - begun
        if done or spent >= timeout or not alive():
            break
        sleep(min(pause, timeout - spent))
        pause = min(pause * 1.5, 1.0)
    return got.tried(attempts, clock() - begun)
