"""What an engine can do, by name; each is found out when it is first asked for."""

from __future__ import annotations

import difflib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_dockerlab.engine import probes
from pytest_dockerlab.errors import CapabilityMissing, UsageError
from pytest_dockerlab.platforms import Platform

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.support import Support

__all__ = ["EMULATES", "KNOWN", "OF_PLATFORM", "Capabilities", "Capability", "OnPlatform", "check_name"]

EMULATES = "emulates:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capability:
    """A difference between engines that a test may depend on.

    Attributes:
        means: what a test can count on.
        probe: how it is found out.
    """

    means: str
    probe: Callable[[Engine], probes.Answer]


KNOWN: Mapping[str, Capability] = {
    "buildkit": Capability(means="builds with BuildKit", probe=probes.buildkit),
    "classic_builder": Capability(means="builds with Docker's classic builder", probe=probes.classic_builder),
    "buildah": Capability(means="builds with Podman's Buildah", probe=probes.buildah),
    "containerd_store": Capability(means="keeps images in containerd's store", probe=probes.containerd_store),
    "cgroup_v1": Capability(means="its host has cgroup v1", probe=probes.cgroup_v1),
    "cgroup_v2": Capability(means="its host has cgroup v2", probe=probes.cgroup_v2),
    "memory_limit": Capability(means="caps memory", probe=probes.memory_limit),
    "swap_limit": Capability(means="caps swap", probe=probes.swap_limit),
    "cpu_limit": Capability(means="caps CPU time", probe=probes.cpu_limit),
    "pids_limit": Capability(means="caps the number of processes", probe=probes.pids_limit),
    "build_limits": Capability(
        means="memory, CPUs, processes and disk of a build can be limited", probe=probes.build_limits
    ),
    "pause": Capability(means="freezes a container's processes", probe=probes.pause),
    "oom_report": Capability(means="tells whose memory cap was exceeded", probe=probes.oom_report),
    "rootless": Capability(means="runs without root's rights", probe=probes.rootless),
    "userns_remap": Capability(means="maps users of containers to others on the host", probe=probes.userns_remap),
    "local_files": Capability(means="sees this machine's files: bind mounts work", probe=probes.local_files),
    "host_ownership": Capability(
        means="files here can be given to any user of a container: lab.owned_dir()", probe=probes.host_ownership
    ),
    "loopback_ports": Capability(means="published ports answer on 127.0.0.1 here", probe=probes.loopback_ports),
    "loopback_registry": Capability(
        means="reaches a registry on this machine's loopback: lab.registry()", probe=probes.loopback_registry
    ),
    "network_in_build": Capability(means="RUN steps have a way out", probe=probes.network_in_build),
    "native": Capability(means="its processor runs programs itself: ptrace, times", probe=probes.own_platform),
    "set_uid": Capability(means="set-uid programs get their owner's rights", probe=probes.own_platform),
    "hub": Capability(means="Docker Hub answers the engine", probe=probes.hub),
}


#: What depends on the platform of the test, not on the engine alone: where it is missing, a test does not apply.
OF_PLATFORM = ("native", "set_uid")


def check_name(name: str) -> None:
    """Refuse a name that is no capability's; needs no engine.

    Raises:
        UsageError: unknown; lists what is known.
    """
    if name.startswith(EMULATES):
        Platform.parse(name.removeprefix(EMULATES))
    elif name not in KNOWN:
        close = difflib.get_close_matches(name, KNOWN, n=1)
        raise UsageError(
            f"no such capability: {name!r}" + (f", did you mean {close[0]!r}?" if close else ""),
            remedy=f"one of {', '.join(KNOWN)}, {EMULATES}PLATFORM",
        )


class Capabilities:
    """The capabilities of one engine. Threads may share it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._answers: dict[str, probes.Answer] = {}
        self._lock = threading.Lock()

    def has(self, name: str) -> bool:
        """Whether the engine has it. The first time may take as long as the probe does.

        Raises:
            UsageError: no such capability.
        """
        return self._answer(name).ok

    def reason(self, name: str) -> str:
        """How that is known: what is in the way where it is missing, what speaks for it where not.

        Raises:
            UsageError: no such capability.
        """
        return self._answer(name).reason

    def require(self, name: str) -> None:
        """Do nothing, or say what is missing and why.

        Raises:
            CapabilityMissing: the engine doesn't have it.
            UsageError: no such capability.
        """
        answer = self._answer(name)
        if not answer.ok:
            raise CapabilityMissing(
                f"{self._engine.endpoint.name} lacks {name!r}: {answer.reason}",
                remedy="use another engine (DOCKERLAB_ENGINE), or mend the reason; see `dockerlab doctor`",
            )

    def on(self, support: Support) -> OnPlatform:
        """The same for tests on a platform."""
        return OnPlatform(self, support)

    def known(self) -> tuple[str, ...]:
        """Every name but the pattern ``emulates:PLATFORM``."""
        return tuple(KNOWN)

    def _answer(self, name: str) -> probes.Answer:
        check_name(name)
        if name.startswith(EMULATES):
            # One answer for linux/arm64, arm64 and aarch64.
            name = EMULATES + str(Platform.parse(name.removeprefix(EMULATES)))
        # Probes ask one another, so the lock is not held while one runs; two at once find the same.
        with self._lock:
            known = self._answers.get(name)
        if known is None:
            if name.startswith(EMULATES):
                known = probes.emulates(self._engine, Platform.parse(name.removeprefix(EMULATES)))
            else:
                known = KNOWN[name].probe(self._engine)
            with self._lock:
                known = self._answers.setdefault(name, known)
        return known


class OnPlatform:
    """The capabilities of an engine for tests on one platform."""

    def __init__(self, engine: Capabilities, support: Support) -> None:
        self._engine = engine
        self._support = support

    def has(self, name: str) -> bool:
        """As ``Capabilities.has``."""
        if name == "native":
            return self._support.state == "native"
        if name == "set_uid":
            return self._support.set_uid
        return self._engine.has(name)

    def reason(self, name: str) -> str:
        """As ``Capabilities.reason``."""
        if name in OF_PLATFORM:
            return f"{self._support.platform} is {self._support.state} here ({self._support.reason})"
        return self._engine.reason(name)

    def require(self, name: str) -> None:
        """As ``Capabilities.require``."""
        if name not in OF_PLATFORM:
            self._engine.require(name)
        elif not self.has(name):
            raise CapabilityMissing(
                f"{name!r} does not apply: {self.reason(name)}", remedy="run it where its platform is native"
            )
