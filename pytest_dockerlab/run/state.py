"""A container's state and limits, read from the JSON of ``inspect``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_dockerlab.run.spec import Limits

__all__ = ["ContainerState", "limits_of", "state_of"]


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
    """Read the state from a container's inspect JSON; absent fields get their defaults."""
    state: Mapping[str, Any] = inspect.get("State") or {}
    # Podman's own API calls it Healthcheck, its compatible one Health.
    health: Mapping[str, Any] = state.get("Health") or state.get("Healthcheck") or {}
    return ContainerState(
        status=str(state.get("Status") or "unknown").lower(),
        exit_code=int(state.get("ExitCode") or 0),
        oom_killed=bool(state.get("OOMKilled")),
        error=str(state.get("Error") or ""),
        health=str(health.get("Status") or "").replace("none", ""),
        pid=int(state.get("Pid") or 0),
        started_at=str(state.get("StartedAt") or ""),
        finished_at=str(state.get("FinishedAt") or ""),
        restart_count=int(inspect.get("RestartCount") or 0),
    )


def limits_of(inspect: Mapping[str, Any]) -> Limits:
    """Read the caps from a container's inspect JSON; 0 there means none.

    ``--cpus`` fills ``NanoCpus`` on Docker; Podman shows a quota and a period
    instead unless the period is 100000 (podman:libpod/container_inspect.go).
    """
    host: Mapping[str, Any] = inspect.get("HostConfig") or {}
    nano = int(host.get("NanoCpus") or 0)
    if not nano and int(host.get("CpuQuota") or 0) > 0:
        nano = int(host["CpuQuota"]) * 1_000_000_000 // (int(host.get("CpuPeriod") or 0) or 100_000)
    pids = int(host.get("PidsLimit") or 0)
    return Limits(
        nano_cpus=nano or None,
        memory=int(host.get("Memory") or 0) or None,
        memory_swap=int(host.get("MemorySwap") or 0) or None,
        pids=pids if pids > 0 else None,
    )
