"""HTTP requests as values: no proxies, no cookies kept, no exceptions for an answer that is not there."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from pytest_dockerlab.checks.web import Exchange

__all__ = ["ask", "ask_until_up"]

# What servers (and what stands before them) say while they start.
_STARTING = (502, 503, 504)
_SINGLE = 10.0


def ask(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | str | None = None,
    follow: bool = False,
    timeout: float = _SINGLE,
) -> Exchange:
    """One request; with ``follow``, redirects are followed.

    Args:
        timeout: seconds for the connection, and between two pieces of the answer.
    """
    import requests

    with requests.Session() as session:
        # Proxies and .netrc of the host are not for its own containers.
        session.trust_env = False
        begun = time.monotonic()
        try:
            answer = session.request(
                method, url, headers=dict(headers or {}), data=body, allow_redirects=follow, timeout=timeout
            )
        except requests.RequestException as error:
            return Exchange(method=method, url=url, error=_plain(error), seconds=time.monotonic() - begun)
        return Exchange(
            method=method,
            url=str(answer.url),
            status=answer.status_code,
            reason=answer.reason or "",
            headers={name.lower(): value for name, value in answer.headers.items()},
            cookies={str(cookie.name): str(cookie.value) for cookie in session.cookies},
            body=answer.content,
            seconds=time.monotonic() - begun,
        )


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
