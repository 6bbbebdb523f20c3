"""A container's state and limits, read from the JSON of ``inspect``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import takewhile
from typing import Any

from pytest_dockerlab.foreign import flag, mapping, text, whole
from pytest_dockerlab.run.spec import Limits

__all__ = ["ContainerState", "limits_of", "moment", "state_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerState:
    """A container at one moment.

    Attributes:
        status: ``created``, ``running``, ``paused``, ``restarting``, ``exited``, ``dead`` …
        exit_code: of the main process; 0 while it never ran (look at ``status``).
        oom_killed: a process in it was killed for want of memory.
        error: why it could not be started.
        health: ``healthy``, ``unhealthy``, ``starting``, or ``""`` without a health check.
        pid: of the main process on the engine's host, 0 if not running.
    """

    status: str
    exit_code: int = 0
    oom_killed: bool = False
    error: str = ""
    health: str = ""
    pid: int = 0
    started_at: str = ""
    finished_at: str = ""
    restart_count: int = 0

    @property
    def running(self) -> bool:
        return self.status in ("running", "paused")

    @property
    def ended(self) -> bool:
        return self.status in ("exited", "dead")

    def __str__(self) -> str:
        text = self.status
        if self.ended:
            text += f" ({self.exit_code})"
        if self.oom_killed:
            text += ", OOM-killed"
        if self.health:
            text += f", {self.health}"
        return text + (f": {self.error}" if self.error else "")


def state_of(inspect: Mapping[str, Any]) -> ContainerState:
    """Read the state from a container's inspect JSON; absent fields get their defaults.

    Raises:
        FormatError: a field has another type than it should.
    """
    state = mapping(inspect.get("State"), "State")
    # Podman's own API calls it Healthcheck, its compatible one Health.
    health = mapping(state.get("Health") or state.get("Healthcheck"), "State.Health")
    status = text(state.get("Status"), "State.Status").lower()
    return ContainerState(
        # Podman: ended, and what it leaves is not tidied up yet (podman:libpod/define/containerstate.go).
        status="exited" if status == "stopped" else status or "unknown",
        exit_code=whole(state.get("ExitCode"), "State.ExitCode"),
        oom_killed=flag(state.get("OOMKilled"), "State.OOMKilled"),
        error=text(state.get("Error"), "State.Error"),
        health=text(health.get("Status"), "State.Health.Status").replace("none", ""),
        pid=whole(state.get("Pid"), "State.Pid"),
        started_at=text(state.get("StartedAt"), "State.StartedAt"),
        finished_at=text(state.get("FinishedAt"), "State.FinishedAt"),
        restart_count=whole(inspect.get("RestartCount"), "RestartCount"),
    )


def limits_of(inspect: Mapping[str, Any]) -> Limits:
    """Read the caps from a container's inspect JSON; 0 there means none.

    ``--cpus`` fills ``NanoCpus`` on Docker; Podman shows a quota and a period
    instead unless the period is 100000 (podman:libpod/container_inspect.go).

    Raises:
        FormatError: a field has another type than it should.
    """
    host = mapping(inspect.get("HostConfig"), "HostConfig")

    def number(name: str) -> int:
        return whole(host.get(name), f"HostConfig.{name}")

    nano = number("NanoCpus")
    if not nano and number("CpuQuota") > 0:
        nano = number("CpuQuota") * 1_000_000_000 // max(1, number("CpuPeriod") or 100_000)
    pids = number("PidsLimit")
    return Limits(
        nano_cpus=nano or None,
        memory=number("Memory") or None,
        memory_swap=number("MemorySwap") or None,
        pids=pids if pids > 0 else None,
    )


def moment(text: str) -> float:
    """An engine's time, such as ``started_at``, in seconds since the epoch.

    Raises:
        ValueError: it is none.
    """
    # Nanoseconds and "Z" are more than Python 3.10 reads.
    head, _, rest = text.partition(".")
    fraction = "".join(takewhile(str.isdigit, rest))
    zone = rest[len(fraction) :] if rest else ""
    if not rest and head.endswith("Z"):
        head, zone = head[:-1], "Z"
    whole = datetime.fromisoformat(head + zone.replace("Z", "+00:00"))
    return whole.timestamp() + float(f"0.{fraction or 0}")
