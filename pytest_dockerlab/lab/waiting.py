"""Waiting until a container is ready: testcontainers' strategies, one of ours for Jupyter, and the loop around them."""

from __future__ import annotations

import copy
import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from testcontainers.core.config import testcontainers_config
from testcontainers.core.wait_strategies import (
    CompositeWaitStrategy,
    ContainerStatusWaitStrategy,
    ExecWaitStrategy,
    FileExistsWaitStrategy,
    HealthcheckWaitStrategy,
    HttpWaitStrategy,
    LogMessageWaitStrategy,
    PortWaitStrategy,
)
from testcontainers.core.waiting_utils import WaitStrategy

from pytest_dockerlab.errors import ContainerFailed, LabError, NotFound, UsageError, WaitTimedOut
from pytest_dockerlab.lab.tc import LabContainer

__all__ = [
    "CompositeWaitStrategy",
    "ContainerStatusWaitStrategy",
    "ExecWaitStrategy",
    "FileExistsWaitStrategy",
    "HealthcheckWaitStrategy",
    "HttpWaitStrategy",
    "JupyterWaitStrategy",
    "LogMessageWaitStrategy",
    "PortWaitStrategy",
    "Wait",
    "WaitStrategy",
    "jupyter_ready",
    "log_tail",
    "wait_until_ready",
]

Wait = WaitStrategy | str

# testcontainers looks once a second; most containers are ready sooner than that.
_POLL_SECONDS = 0.1
# A strategy that looks only at a port can't see that nobody will ever listen: in between we look.
_SLICE_SECONDS = 2.0


class JupyterWaitStrategy(WaitStrategy):
    """Ready when the server says its version (``/api``) and lets the token in (``/api/status``).

    ``/api`` answers without a token, so it alone does not show that the token is the right one.
    """

    def __init__(self, token: str = "", base_url: str = "/", port: int = 8888) -> None:
        super().__init__()
        self._token = token
        self._base = "/" + base_url.strip("/") + "/" if base_url.strip("/") else "/"
        self._port = port

    def wait_until_ready(self, container: Any) -> None:
        """Poll until both answer.

        Raises:
            TimeoutError: they did not in time.
            RuntimeError: the server refuses the token.
        """
        deadline = time.monotonic() + self._startup_timeout
        address = f"http://{container.get_container_host_ip()}:{container.get_exposed_port(self._port)}{self._base}"
        while True:
            reason = self._ask(address + "api") or self._ask(address + "api/status")
            if not reason:
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"Jupyter at {address} is not ready after {self._startup_timeout:g} s: {reason}")
            time.sleep(self._poll_interval)

    def _ask(self, url: str) -> str:
        headers = {"Authorization": f"token {self._token}"} if self._token else {}
        try:
            with urlopen(Request(url, headers=headers), timeout=5) as response:
                json.load(response)
        except HTTPError as error:
            error.close()
            if error.code == 403:
                raise RuntimeError(f"{urlsplit(url).path} answers 403: the server does not take this token") from None
            return f"{urlsplit(url).path} answers {error.code}"
        except (URLError, OSError, ValueError, http.client.HTTPException) as error:
            return f"{urlsplit(url).path}: {getattr(error, 'reason', None) or str(error) or type(error).__name__}"
        return ""


def jupyter_ready(token: str = "", base_url: str = "/", port: int = 8888) -> JupyterWaitStrategy:
    """Wait for a Jupyter server.

    Args:
        token: as the server was given it; ``""`` for none.
        base_url: the server's ``base_url`` option.
        port: in the container.
    """
    return JupyterWaitStrategy(token, base_url, port)


def as_strategy(wait: Wait) -> WaitStrategy:
    """A strategy as it is; text is a regular expression that the log must show.

    Raises:
        UsageError: neither.
    """
    if isinstance(wait, str):
        return LogMessageWaitStrategy(wait)
    if not isinstance(wait, WaitStrategy):
        raise UsageError(
            f"wait: not a wait strategy: {wait!r}",
            remedy='give one of testcontainers\' strategies, jupyter_ready(), or text that the log shows: wait="ready"',
        )
    return wait


def wait_until_ready(
    container: LabContainer, wait: Wait, timeout: float, clock: Callable[[], float] = time.monotonic
) -> None:
    """Wait for a strategy, no longer than the container can still become ready.

    Args:
        timeout: seconds; a timeout that was set on the strategy itself goes first.

    Raises:
        WaitTimedOut: not ready in time; shows the end of the log.
        ContainerFailed: the container ended, or the strategy says that it never will be ready.
    """
    original = as_strategy(wait)
    own = original._startup_timeout
    limit = timeout if own == testcontainers_config.timeout else own
    # A copy: a strategy may be shared by several containers, and theirs are not our settings.
    strategy = copy.deepcopy(original)
    if original._poll_interval == testcontainers_config.sleep_time:
        strategy.with_poll_interval(_POLL_SECONDS)
    deadline = clock() + limit
    while True:
        left = deadline - clock()
        # Annotated as int, used as a float.
        strategy.with_startup_timeout(max(0.0, min(_SLICE_SECONDS, left)))  # type: ignore[arg-type]
        try:
            strategy.wait_until_ready(container)
        except (TimeoutError, NotFound) as error:
            status = container.status
            if status in ("exited", "dead"):
                raise _ended(container) from error
            if isinstance(error, NotFound):
                # A port of a container that does not run is not found; it may be about to.
                if status not in ("created", "restarting"):
                    raise
                time.sleep(_POLL_SECONDS)
            if clock() >= deadline:
                raise WaitTimedOut(
                    f"container {container.spec.image} is not ready after {limit:g} s ({_first(error)})\n"
                    f"{log_tail(container)}",
                    remedy="look at the log above; give it longer by timeout=, or wait for something else",
                ) from error
        except LabError:
            raise
        except Exception as error:
            if container.status in ("exited", "dead"):
                raise _ended(container) from error
            raise ContainerFailed(
                f"container {container.spec.image} will not be ready: {_first(error)}\n{log_tail(container)}",
                remedy="look at the log above, and at what is waited for",
            ) from error
        else:
            return


def _ended(container: LabContainer) -> ContainerFailed:
    state = container.engine.containers.state(container.get_container_id())
    return ContainerFailed(
        f"container {container.spec.image} ended before it was ready: {state}\n{log_tail(container)}",
        remedy="look at the log above for why its process ended",
    )


def _first(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def log_tail(container: LabContainer, rows: int = 20) -> str:
    """The last lines of a container's log, indented, for a message; never raises."""
    try:
        text = container.engine.containers.logs(container.get_container_id(), tail=rows).text
    except LabError as error:
        return f"  (no log: {error.what})"
    lines = text.rstrip("\n").splitlines()[-rows:]
    return (
        "\n".join(["  last lines of its log:", *(f"    {line}" for line in lines)]) if lines else "  (its log is empty)"
    )
