"""The engines of Debian's suites: which there are, and what a root file system of each needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

__all__ = ["ENGINES", "HERE", "IN_CI", "Edition", "chosen"]

_DOCKER = ("docker.io", "containerd", "runc", "iptables", "iproute2", "ca-certificates")
_PODMAN = ("podman", "netavark", "aardvark-dns", "catatonit", "runc", "iptables", "iproute2", "ca-certificates")
# A user's need a control group of his own, which cgroup v2 and a service manager give.
_CAPS = ("memory_limit", "swap_limit", "cpu_limit", "pids_limit", "pause")
# The tests are root's here, and such an engine is somebody else's.
_OF_A_USER = (*_CAPS, "host_ownership")
_ROOTLESS = ("uidmap", "slirp4netns", "fuse-overlayfs")

# By product: each has builders of its own.
_LACKS = {
    "dockerd": ("buildah",),
    "podman": ("buildkit", "classic_builder"),
    "": ("buildah", "buildkit", "classic_builder"),
}
#: The engine that any run of tests would use.
HERE = "here"


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One engine, as a suite of Debian packages it.

    Attributes:
        name: what the command line and the table call it.
        suite: Debian's code name.
        program: ``dockerd`` or ``podman``.
        rootless: run by a user without root's rights.
        features: of ``daemon.json``.
        lacking: capabilities that others of its kind have.
    """

    name: str
    suite: str
    program: str = "dockerd"
    packages: tuple[str, ...] = _DOCKER
    features: Mapping[str, bool] = field(default_factory=dict)
    lacking: tuple[str, ...] = ()
    rootless: bool = False

    @property
    def lacks(self) -> tuple[str, ...]:
        """Capabilities that it does not have: a test that needs one may be skipped."""
        return (*_LACKS[self.program], *self.lacking, *_lacking_here())


ENGINES: Mapping[str, Edition] = {
    edition.name: edition
    for edition in (
        Edition(name="docker-20.10", suite="bookworm"),
        Edition(name="docker-26.1", suite="trixie"),
        Edition(name="docker-28.5", suite="forky", features={"containerd-snapshotter": False}),
        Edition(name="docker-28.5-containerd", suite="forky", features={"containerd-snapshotter": True}),
        Edition(name="podman-4.3", suite="bookworm", program="podman", packages=_PODMAN, lacking=("oom_report",)),
        Edition(name="podman-5.4", suite="trixie", program="podman", packages=_PODMAN),
        Edition(name="podman-5.8", suite="forky", program="podman", packages=_PODMAN),
        Edition(
            name="docker-28.5-rootless",
            suite="forky",
            packages=(*_DOCKER, "rootlesskit", *_ROOTLESS),
            features={"containerd-snapshotter": False},
            rootless=True,
            lacking=(*_OF_A_USER, "loopback_registry"),
        ),
        Edition(
            name="podman-5.4-rootless",
            suite="trixie",
            program="podman",
            packages=(*_PODMAN, *_ROOTLESS),
            rootless=True,
            lacking=_OF_A_USER,
        ),
    )
}
#: What each run of all tests asks, besides the engine that it uses itself.
IN_CI = ("docker-28.5", "docker-28.5-containerd", "podman-5.4")


def chosen(names: str) -> tuple[Edition, ...]:
    """The editions of a list with commas; ``all`` and ``ci`` are lists, too; tox' environments name theirs.

    Raises:
        SystemExit: no such engine.
    """
    wanted = {"all": tuple(ENGINES), "ci": IN_CI}.get(names) or tuple(
        name.removeprefix("contract-") for name in names.split(",")
    )
    known = {**ENGINES, HERE: Edition(name=HERE, suite="", program="")}
    for name in wanted:
        if name not in known:
            raise SystemExit(f"no such engine: {name!r} → all, ci, here, or some of {', '.join(ENGINES)}")
    return tuple(known[name] for name in wanted)


def _lacking_here() -> tuple[str, ...]:
    """What no engine has on this machine: the kernel counts swap only where it was built or booted to."""
    v1, v2 = Path("/sys/fs/cgroup/memory"), Path("/sys/fs/cgroup/cgroup.controllers")
    counted = v2.exists() or (v1 / "memory.memsw.limit_in_bytes").exists()
    return () if counted else ("swap_limit",)
