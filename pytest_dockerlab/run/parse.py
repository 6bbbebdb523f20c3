"""A container's settings as people write them → ``RunSpec``; every complaint names the setting and the value."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypedDict

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.foreign import shown
from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_bytes, to_nano_cpus
from pytest_dockerlab.run.mounts import parse_tmpfs, parse_volumes
from pytest_dockerlab.run.ports import parse_ports
from pytest_dockerlab.run.readers import READERS, argv, named
from pytest_dockerlab.run.spec import Limits, Mount, PublishedPort, RunSpec

if TYPE_CHECKING:
    # Runtime needs neither: the annotations are never evaluated.
    from typing_extensions import Unpack

__all__ = ["Command", "Named", "RunSettings", "argv", "parse_run"]

Command = str | Sequence[str | int | Path]


class Named(Protocol):
    """A handle that an engine knows by a name: a lab's volume or network."""

    @property
    def name(self) -> str: ...


class RunSettings(TypedDict, total=False):
    """The settings of ``lab.run`` and ``lab.create``; each may be left out.

    entrypoint: as ``command``; ``""`` takes the image's away.
    env: ``{"NAME": "value"}``, or a list of ``"NAME=value"``; a value of ``None``, or a bare
        ``"NAME"`` in a list, takes the variable from this process, as ``docker run -e NAME``.
    user: ``1111``, ``"1111:1111"``, ``"name"``. A number alone leaves the group to the engine: 0
        for a number that the image's ``/etc/passwd`` doesn't know.
    volumes: ``{source: "/target"}`` or ``{source: "/target:ro"}``, where a source is a folder or file of
        the host (``Path``, or text with a ``/``), a lab's volume, or a volume's name; or
        a list of ``"source:/target[:ro]"``; ``"/target"`` alone there is an anonymous volume.
    tmpfs: ``["/scratch"]``, ``{"/scratch": "64m"}``.
    ports: ``[8888]`` (any free host port), ``{8888: 8080}`` (that one), ``["8080:8888", "53/udp"]``.
    cpus, memory, memory_swap, shm_size: ``1.5``, ``"512m"``; ``memory_swap=-1`` is unlimited swap.
    pids: number of processes and threads.
    healthcheck: text is run by the shell, a list as it is, ``False`` switches the image's off.
    rm: the engine removes the container when it ends, and its logs with it.
    """

    entrypoint: Command
    env: Mapping[str, str | int | float | None] | Sequence[str]
    user: str | int
    workdir: str | Path
    volumes: Mapping[Any, str] | Sequence[str | Mount]
    tmpfs: Mapping[str, str | int | None] | Sequence[str] | str
    ports: Mapping[int | str, int | str | None] | Sequence[int | str | PublishedPort] | int | str
    cpus: str | float
    memory: str | int
    memory_swap: str | int
    pids: int
    network: str | Named
    aliases: Sequence[str]
    hostname: str
    extra_hosts: Mapping[str, str]
    read_only: bool
    cap_add: Sequence[str]
    cap_drop: Sequence[str]
    security_opt: Sequence[str]
    privileged: bool
    init: bool
    tty: bool
    stdin: bool
    platform: str | Platform
    name: str
    labels: Mapping[str, str]
    healthcheck: Healthcheck | str | Sequence[str] | bool
    restart: str
    stop_signal: str
    shm_size: str | int
    rm: bool


def parse_run(
    image: str,
    command: Command | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    address: str = "127.0.0.1",
    **settings: Unpack[RunSettings],
) -> RunSpec:
    """Read one container's settings.

    Args:
        image: name or id.
        command: text is split as a shell would split it (and given to no shell), a list is taken as it is.
        environ: where variables without a value come from.
        address: host address that ports are published on unless they name one.

    Raises:
        UsageError: an unknown setting, or a value that can't be meant.
    """
    given: dict[str, Any] = {name: value for name, value in settings.items() if value is not None}
    values: dict[str, object] = {"image": image, "limits": _limits(given)}
    if command is not None:
        values["command"] = argv("command", command)
    if "ports" in given:
        values["ports"] = parse_ports(given.pop("ports"), address=address)
    mounts = parse_volumes(given.pop("volumes", ())) + parse_tmpfs(given.pop("tmpfs", ()))
    values["mounts"] = _each_target_once(mounts)
    if "env" in given:
        values["env"] = _env(given.pop("env"), environ)
    for name, value in given.items():
        reader = READERS.get(name)
        if reader is None:
            close = difflib.get_close_matches(name, RunSettings.__annotations__, n=1)
            raise UsageError(
                f"no such setting of a container: {name}={shown(value)}",
                remedy=f"did you mean {close[0]}?" if close else f"there are {', '.join(RunSettings.__annotations__)}",
            )
        values["auto_remove" if name == "rm" else name] = reader(name, value)
    return RunSpec(**values)  # type: ignore[arg-type]  # each value was read by its own reader


def _limits(given: dict[str, Any]) -> Limits:
    memory = named("memory", to_bytes, given.pop("memory", None))
    swap = given.pop("memory_swap", None)
    swap = -1 if swap in (-1, "-1") else named("memory_swap", to_bytes, swap)
    if swap not in (None, -1) and (memory is None or swap < memory):
        fault = "without memory" if memory is None else f"is less than memory ({memory})"
        raise UsageError(
            f"memory_swap: {swap} bytes {fault}",
            remedy="memory_swap is memory and swap together: give memory, and at least as much",
        )
    pids = given.pop("pids", None)
    if pids is not None and (not isinstance(pids, int) or isinstance(pids, bool) or (pids < 1 and pids != -1)):
        raise UsageError(
            f"pids: not a number of processes: {shown(pids)}", remedy="write a whole number, or -1 for no cap"
        )
    return Limits(
        nano_cpus=named("cpus", to_nano_cpus, given.pop("cpus", None)), memory=memory, memory_swap=swap, pids=pids
    )


def _env(value: object, environ: Mapping[str, str]) -> Mapping[str, str]:
    pairs: list[tuple[object, object]]
    if isinstance(value, Mapping):
        pairs = list(value.items())
    elif isinstance(value, Sequence) and not isinstance(value, str):
        parts = [str(item).partition("=") for item in value]
        pairs = [(name, text if equals else None) for name, equals, text in parts]
    else:
        raise UsageError(f"env: neither a mapping nor a list: {shown(value)}", remedy='write {"NAME": "value"}')
    result: dict[str, str] = {}
    for name, text in pairs:
        if not isinstance(name, str) or not name or "=" in name:
            raise UsageError(f"env: not the name of a variable: {shown(name)}", remedy='write {"NAME": "value"}')
        if text is None:
            if name not in environ:
                raise UsageError(
                    f"env: {name} has no value and is not set here", remedy=f"set {name}, or write its value"
                )
            text = environ[name]
        elif isinstance(text, bool) or not isinstance(text, (str, int, float)):
            raise UsageError(
                f"env: {name}={shown(text)} is not text", remedy="write the text that the program shall read"
            )
        result[name] = str(text)
    return result


def _each_target_once(mounts: tuple[Mount, ...]) -> tuple[Mount, ...]:
    seen: dict[str, Mount] = {}
    for mount in mounts:
        if (other := seen.setdefault(mount.target, mount)) is not mount:
            sources = f"{other.source or other.kind!r} and {mount.source or mount.kind!r}"
            raise UsageError(
                f"volumes: two mounts on {mount.target!r}: {sources}",
                remedy="give each mount a target of its own",
            )
    return mounts
