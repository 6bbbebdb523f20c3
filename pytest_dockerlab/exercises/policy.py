"""What a submission may do, and how much of the machine it may take; an instructor's choice, read once."""

from __future__ import annotations

import difflib
import importlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.reasons import REASONS
from pytest_dockerlab.hosts import HostList
from pytest_dockerlab.quantity import to_bytes, to_nano_cpus, to_seconds
from pytest_dockerlab.reference import Reference

__all__ = ["PERMITTABLE", "UNKEPT", "BuildNetwork", "Policies", "Policy", "RunNetwork", "read_policies", "read_policy"]

BuildNetwork = Literal["none", "index", "open"]
RunNetwork = Literal["none", "bridge", "open"]
_MIB = 1024**2
# What a spec can carry, and what reaches no further than the instructor can see.
PERMITTABLE = (
    *("privileged", "cap_add", "security_opt", "host_network", "port_low", "port_address", "image", "registry"),
    *("base", "copy_from", "onbuild", "add_remote", "mount_cache"),
)

# What not every engine can keep: memory, cpus, pids and disk of a build, build_network = "index" and what is like it.
UNKEPT = ("build_limits", "network")


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a submission may do. Sizes in bytes, times in seconds.

    Attributes:
        bases: images to start from and to run; ``name:*`` allows every tag, ``*`` every image. By default those
            of the exercise's own Dockerfile (``with_bases``).
        scratch: ``FROM scratch`` is allowed.
        downloads: addresses that ADD may fetch from: beginnings such as ``https://example.org/data/``.
        registries: hosts that may be pulled from and pushed to.
        networks: names of networks that containers may join besides ``none`` and ``bridge``.
        build_network: of RUN steps: ``none``, ``index`` (the hosts in ``index`` and no others), ``open``.
        index: hosts that ``build_network = "index"`` lets RUN reach over HTTP and HTTPS: ``NAME`` (ports 80 and 443),
            ``NAME:PORT``, ``*.NAME``. By default pip's own index, and those that pip and apt of the grading machine
            install from; what another distribution's base images install from has to be named.
        run_network: of containers that ask for none: ``none``, ``bridge`` (one of its own if ports are published,
            else ``none``), ``open`` (the engine's own bridge, with its way out).
        permits: reasons (of ``PERMITTABLE``) that are none here, such as ``privileged``.
        unkept: limits (``build_limits``, ``network``) that an engine which can't keep them may go without; else
            nothing is graded there.
        variables: that a command may use, ``$NAME``, and what they stand for.
        heredocs: the engine's builder knows here-documents; where it does not, it would read their lines as
            instructions, and they are refused.
        lowest_port: on the host.
        context_size, file_size, files, depth: of what is handed in.
        image_size, layers: of an image that is built.
        instructions, stages: of a Dockerfile.
        build_seconds, run_seconds: after which a build or a container is stopped.
        memory, cpus, pids, disk: of a container, and of a build; ``disk`` is what is written beside the image.
        shm_size, log_size: of a container.
        mounts, ports: of a container.
    """

    bases: tuple[str, ...] = ()
    scratch: bool = False
    downloads: tuple[str, ...] = ()
    registries: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    build_network: BuildNetwork = "index"
    index: tuple[str, ...] = ()
    run_network: RunNetwork = "bridge"
    permits: tuple[str, ...] = ()
    unkept: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    heredocs: bool = True
    lowest_port: int = 1024
    context_size: int = 100 * _MIB
    file_size: int = 50 * _MIB
    files: int = 2_000
    depth: int = 20
    image_size: int = 4_096 * _MIB
    layers: int = 100
    instructions: int = 100
    stages: int = 10
    build_seconds: float = 600.0
    run_seconds: float = 120.0
    memory: int = 2_048 * _MIB
    cpus: float = 2.0
    pids: int = 256
    shm_size: int = 64 * _MIB
    disk: int = 4_096 * _MIB
    log_size: int = 1 * _MIB
    mounts: int = 10
    ports: int = 10

    def with_bases(self, bases: tuple[str, ...]) -> Policy:
        """This policy, with these bases unless it names its own."""
        return self if self.bases else replace(self, bases=bases)

    def allows_image(self, name: str) -> bool:
        """Whether an image of this name may be started from."""
        if "*" in self.bases:
            return True
        try:
            asked = Reference.parse(name)
            for base in self.bases:
                allowed = Reference.parse(base.removesuffix(":*"))
                same = (asked.host, asked.path) == (allowed.host, allowed.path)
                if same and (base.endswith(":*") or (asked.tag, asked.digest) == (allowed.tag, allowed.digest)):
                    return True
        except UsageError:
            pass
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class Policies:
    """A course's policy, and what differs for single exercises."""

    default: Policy = field(default_factory=Policy)
    exercises: Mapping[str, Policy] = field(default_factory=dict)

    def of(self, exercise: str) -> Policy:
        """The policy for this exercise."""
        return self.exercises.get(exercise, self.default)


def read_policies(text: str, *, path: str = "policy.toml") -> Policies:
    """Read a policy file: the settings of ``Policy``, and tables ``[exercise.NAME]`` with what differs there.

    Raises:
        UsageError: not TOML, an unknown setting, a value of another kind; names the file and the setting.
    """
    try:
        data = _toml(text)
    except ValueError as error:
        raise UsageError(f"{path} is not TOML: {error}", remedy='write lines such as memory = "1g"') from None
    tables = data.pop("exercise", {})
    if not isinstance(tables, Mapping) or not all(isinstance(table, Mapping) for table in tables.values()):
        raise UsageError(f"{path}: exercise: not tables: {tables!r}", remedy="write [exercise.NAME] above the settings")
    default = read_policy(data, where=path)
    return Policies(
        default=default,
        exercises={
            name: read_policy(table, where=f"{path}: exercise.{name}", over=default) for name, table in tables.items()
        },
    )


def read_policy(given: Mapping[str, Any], *, where: str = "policy", over: Policy | None = None) -> Policy:
    """Read settings.

    Args:
        over: what is not given is taken from it.

    Raises:
        UsageError: an unknown setting, or a value of another kind.
    """
    over = over or Policy()
    values: dict[str, Any] = {}
    for name, value in given.items():
        reader = _READERS.get(name)
        if reader is None:
            close = difflib.get_close_matches(name, _READERS, n=1)
            raise UsageError(
                f"{where}: no such setting: {name}",
                remedy=f"did you mean {close[0]}?" if close else f"there are {', '.join(_READERS)}",
            )
        try:
            values[name] = reader(value)
        except UsageError as error:
            raise UsageError(f"{where}: {name}: {error.what}", remedy=error.remedy) from None
    for code in values.get("permits", ()):
        if code not in PERMITTABLE:
            close = difflib.get_close_matches(code, PERMITTABLE, n=1)
            fault = "can't be permitted" if code in REASONS else "no such reason"
            raise UsageError(
                f"{where}: permits: {code!r}: {fault}",
                remedy=f"did you mean {close[0]}?" if close else f"there are {', '.join(PERMITTABLE)}",
            )
    return replace(over, **values)


def _toml(text: str) -> dict[str, Any]:
    try:
        reader = importlib.import_module("tomllib")
    except ModuleNotFoundError:  # Python 3.10, where pytest brings the other one along
        reader = importlib.import_module("tomli")
    return dict(reader.loads(text))


def _names(value: object) -> tuple[str, ...]:
    if (
        isinstance(value, str)
        or not isinstance(value, (list, tuple))
        or not all(isinstance(each, str) for each in value)
    ):
        raise UsageError(f"not a list of texts: {value!r}", remedy='write ["…", "…"]')
    return tuple(value)


def _images(value: object) -> tuple[str, ...]:
    names = _names(value)
    for name in names:
        if name != "*":
            Reference.parse(name.removesuffix(":*"))
    return names


def _addresses(value: object) -> tuple[str, ...]:
    addresses = _names(value)
    for address in addresses:
        # Without the slash "https://example.org" would allow https://example.org.evil.net, too.
        if not re.fullmatch(r"https?://[^/@\s]+/\S*", address):
            raise UsageError(
                f"not the beginning of an address: {address!r}", remedy='write "https://example.org/data/"'
            )
    return addresses


def _hosts(value: object) -> tuple[str, ...]:
    names = _names(value)
    HostList(names)
    return names


def _unkept(value: object) -> tuple[str, ...]:
    names = _names(value)
    for name in names:
        if name not in UNKEPT:
            raise UsageError(f"not a limit that an engine may lack: {name!r}", remedy=f"there are {', '.join(UNKEPT)}")
    return names


def _variables(value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise UsageError(f"not names and texts: {value!r}", remedy='write {NAME = "text"}')
    return dict(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"neither true nor false: {value!r}", remedy="write true or false")
    return value


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise UsageError(f"not a whole number: {value!r}", remedy="write a number such as 100")
    return value


def _size(value: Any) -> int:
    return to_bytes(value)


def _seconds(value: Any) -> float:
    return to_seconds(value)


def _cpus(value: Any) -> float:
    return to_nano_cpus(value) / 1_000_000_000


def _one_of(kind: Any) -> Callable[[object], str]:
    def read(value: object) -> str:
        if value not in get_args(kind):
            raise UsageError(f"no such choice: {value!r}", remedy=f"one of {', '.join(get_args(kind))}")
        return cast("str", value)

    return read


_READERS: Mapping[str, Callable[[Any], object]] = {
    "bases": _images,
    "scratch": _switch,
    "downloads": _addresses,
    "registries": _names,
    "networks": _names,
    "build_network": _one_of(BuildNetwork),
    "index": _hosts,
    "run_network": _one_of(RunNetwork),
    "permits": _names,
    "unkept": _unkept,
    "variables": _variables,
    "heredocs": _switch,
    "lowest_port": _count,
    "context_size": _size,
    "file_size": _size,
    "files": _count,
    "depth": _count,
    "image_size": _size,
    "layers": _count,
    "instructions": _count,
    "stages": _count,
    "build_seconds": _seconds,
    "run_seconds": _seconds,
    "memory": _size,
    "cpus": _cpus,
    "pids": _count,
    "shm_size": _size,
    "disk": _size,
    "log_size": _size,
    "mounts": _count,
    "ports": _count,
}
