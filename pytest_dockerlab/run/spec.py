"""What to run: an image, a command, and every setting of a container that decides what it does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.platforms import Platform

__all__ = ["Limits", "Mount", "PublishedPort", "RunSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """One mount.

    Attributes:
        kind: ``bind`` (``source`` is an absolute host path), ``volume`` (``source`` is
            a volume's name, ``""`` for an anonymous one), ``tmpfs`` (no source).
        target: absolute path in the container.
        read_only: writes are refused.
        size: cap in bytes of a tmpfs, ``None`` for none.
    """

    kind: Literal["bind", "volume", "tmpfs"]
    target: str
    source: str = ""
    read_only: bool = False
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedPort:
    """A container port, published on the host.

    Attributes:
        container: port number in the container.
        protocol: ``tcp`` or ``udp``.
        host: port on the host; ``None`` lets the engine take a free one.
        address: host address it is bound to; loopback by default, so that a test's
            container is not open to the network.
    """

    container: int
    protocol: str = "tcp"
    host: int | None = None
    address: str = "127.0.0.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Caps; ``None`` is no cap. Memory in bytes; ``memory_swap`` is memory plus swap, -1 unlimited."""

    nano_cpus: int | None = None
    memory: int | None = None
    memory_swap: int | None = None
    pids: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSpec:
    """One container-to-be. ``None`` (or empty) leaves a setting to the image or the engine."""

    image: str
    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    user: str = ""
    workdir: str = ""
    mounts: tuple[Mount, ...] = ()
    ports: tuple[PublishedPort, ...] = ()
    limits: Limits = Limits()
    network: str = ""
    aliases: tuple[str, ...] = ()
    hostname: str = ""
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    read_only: bool = False
    cap_add: tuple[str, ...] = ()
    cap_drop: tuple[str, ...] = ()
    security_opt: tuple[str, ...] = ()
    privileged: bool = False
    init: bool = False
    tty: bool = False
    stdin: bool = False
    platform: Platform | None = None
    name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    healthcheck: Healthcheck | None = None
    restart: str = ""
    stop_signal: str = ""
    shm_size: int | None = None
    auto_remove: bool = False
    log_size: int | None = None
    """Bytes of its log that the engine keeps, the newest; ``None`` leaves it to the engine."""
