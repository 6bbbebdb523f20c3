"""What an engine says of itself, in one shape for Docker Engine and Podman."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pytest_dockerlab.foreign import mapping, rows, said, text, texts, whole
from pytest_dockerlab.platforms import Platform

__all__ = ["EngineInfo", "Product", "read_info"]

Product = Literal["Docker Engine", "Podman"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineInfo:
    """An engine's own description, from ``/version`` and ``/info``.

    Attributes:
        product: what it is; Docker Desktop and Colima run a Docker Engine.
        api_version: the version that we speak with it.
        store: the graph driver (``overlay2``), or ``containerd (overlayfs)`` for the containerd store.
        cgroup_version: 1 or 2, of the engine's host.
        cgroup_driver: ``cgroupfs``, ``systemd``; ``none`` means that limits are ignored.
        os: kind of the containers' system (``linux``).
        distribution: the host's name of itself (``Debian GNU/Linux 12``, ``Docker Desktop``).
        kernel: release of the kernel that containers share.
        hostname: of the engine's host.
        cpus, memory: of that host; memory in bytes.
        security: options by name (``seccomp``, ``rootless``, ``userns``).
        root_dir: where it keeps its data, on its host.
        memory_limit, swap_limit, cpu_limit, pids_limit: whether it can apply that cap.
        warnings: the engine's own, as ``docker info`` prints them.
    """

    product: Product
    version: str
    api_version: str
    store: str = ""
    cgroup_version: int = 1
    cgroup_driver: str = ""
    os: str = "linux"
    distribution: str = ""
    kernel: str = ""
    hostname: str = ""
    platform: Platform = Platform()
    cpus: int = 0
    memory: int = 0
    rootless: bool = False
    security: tuple[str, ...] = ()
    root_dir: str = ""
    memory_limit: bool = False
    swap_limit: bool = False
    cpu_limit: bool = False
    pids_limit: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def containerd_store(self) -> bool:
        return self.store.startswith("containerd")

    @property
    def userns_remap(self) -> bool:
        return "userns" in self.security

    def __str__(self) -> str:
        cgroup = f"cgroup v{self.cgroup_version}"
        return f"{self.product} {self.version} (API {self.api_version}), {self.store}, {cgroup}, {self.platform}"


def read_info(version: Mapping[str, Any], info: Mapping[str, Any], api_version: str) -> EngineInfo:
    """Make one description of the two answers; what an engine leaves out gets its default.

    Raises:
        FormatError: a field has another type than it should.
    """

    def word(name: str) -> str:
        return text(info.get(name), name)

    security = tuple(_option(each) for each in texts(info.get("SecurityOptions"), "SecurityOptions"))
    system = word("OSType") or text(version.get("Os"), "Os") or "linux"
    architecture = word("Architecture") or text(version.get("Arch"), "Arch") or "amd64"
    return EngineInfo(
        product=_product(version),
        version=text(version.get("Version"), "Version") or word("ServerVersion"),
        api_version=api_version,
        store=_store(info),
        # "2" on Docker; Podman has written "v2".
        cgroup_version=2 if said(info.get("CgroupVersion")).lstrip("v") == "2" else 1,
        cgroup_driver=word("CgroupDriver"),
        os=system,
        distribution=word("OperatingSystem"),
        kernel=word("KernelVersion"),
        hostname=word("Name"),
        platform=Platform.parse(f"{system}/{architecture}"),
        cpus=whole(info.get("NCPU"), "NCPU"),
        memory=whole(info.get("MemTotal"), "MemTotal"),
        rootless="rootless" in security,
        security=security,
        root_dir=word("DockerRootDir"),
        memory_limit=bool(info.get("MemoryLimit")),
        swap_limit=bool(info.get("SwapLimit")),
        cpu_limit=bool(info.get("CpuCfsQuota", info.get("CPUCfsQuota"))),
        pids_limit=bool(info.get("PidsLimit")),
        warnings=texts(info.get("Warnings"), "Warnings"),
    )


def _product(version: Mapping[str, Any]) -> Product:
    parts = (version.get("Platform"), *rows(version.get("Components"), "Components"))
    names = (text(mapping(part, "a component").get("Name"), "a component's Name") for part in parts)
    return "Podman" if any("podman" in name.lower() for name in names) else "Docker Engine"


def _store(info: Mapping[str, Any]) -> str:
    driver = text(info.get("Driver"), "Driver")
    # `docker info` shows this row as "driver-type"; it is how a client tells the containerd store
    # from a graph driver of the same name.
    for row in rows(info.get("DriverStatus"), "DriverStatus"):
        pair = rows(row, "a row of DriverStatus")
        if len(pair) == 2 and pair[0] == "driver-type" and said(pair[1]).startswith("io.containerd.snapshotter"):
            return f"containerd ({driver})"
    return driver


def _option(option: str) -> str:
    """``name=seccomp,profile=default`` → ``seccomp``."""
    for part in option.split(","):
        if part.startswith("name="):
            return part.removeprefix("name=")
    return option
