"""A ``Command`` → the ``RunSpec`` or ``BuildSpec`` that it asks for. What it may have is ``policy``'s matter."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.asked_mounts import normal, read_mounts
from pytest_dockerlab.exercises.commands import Command
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.exercises.shell import Shell
from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import NANO, to_seconds
from pytest_dockerlab.reference import Reference
from pytest_dockerlab.run.parse import parse_run
from pytest_dockerlab.run.spec import RunSpec

__all__ = ["AskedBuild", "AskedRun", "asked_build", "asked_run"]

_REMOTE = re.compile(r"[a-z][a-z0-9+.-]*://|git@|github\.com/|.*\.git(?:[#?].*)?$", re.IGNORECASE | re.ASCII)
_SWITCHES = {"init": "init", "privileged": "privileged", "read-only": "read_only", "rm": "rm", "tty": "tty"}
_TEXTS = {
    "cpus": "cpus",
    "hostname": "hostname",
    "memory": "memory",
    "memory-swap": "memory_swap",
    "name": "name",
    "platform": "platform",
    "restart": "restart",
    "shm-size": "shm_size",
    "stop-signal": "stop_signal",
    "user": "user",
    "workdir": "workdir",
}
_LISTS = {"cap-add": "cap_add", "cap-drop": "cap_drop", "security-opt": "security_opt"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedRun:
    """What a ``docker run`` or ``create`` asks for.

    Attributes:
        spec: as asked; mounts of the host are absolute paths, ports without an address are on loopback.
        start: ``run``, not ``create``.
        detached: ``-d``.
        publish_all: ``-P``: the image's exposed ports, on free ports of the host.
        namespaces: ``ipc``, ``pid``, ``uts``, ``userns``, ``cgroupns`` as asked; never part of the spec.
    """

    command: Command
    spec: RunSpec
    start: bool = True
    detached: bool = False
    publish_all: bool = False
    namespaces: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedBuild:
    """What a ``docker build`` asks for; its context is an absolute path that nobody has looked at."""

    command: Command
    spec: BuildSpec


def asked_run(
    command: Command, shell: Shell, read: Callable[[str], str | None] | None = None
) -> tuple[AskedRun | None, tuple[Refusal, ...]]:
    """Read a ``run`` or ``create``.

    Args:
        read: text of a file of the submission by its absolute path (for ``--env-file``), ``None`` if it is not
            one of the submission's.
    """
    mounts, refusals = read_mounts(command, shell.cwd)
    found = list(refusals)
    settings: dict[str, Any] = {setting: True for name, setting in _SWITCHES.items() if command.on(name)}
    settings.update({setting: command.last(name) for name, setting in _TEXTS.items() if command.last(name)})
    settings.update({setting: command.all(name) for name, setting in _LISTS.items() if command.all(name)})
    if command.on("interactive"):
        settings["stdin"] = True
    files = {name: _file(command, name, shell, read, found) for name in ("env-file", "label-file")}
    readers: tuple[Callable[[], dict[str, Any]], ...] = (
        lambda: {"env": [*files["env-file"], *command.all("env")]},
        lambda: {"labels": dict(_pair(each) for each in [*files["label-file"], *command.all("label")])},
        lambda: {"extra_hosts": dict(_host(each) for each in command.all("add-host"))},
        lambda: {"ports": list(command.all("publish"))},
        lambda: {"entrypoint": [text] if (text := command.last("entrypoint")) else []},
        lambda: _limits(command),
        lambda: _network(command),
        lambda: {"healthcheck": _healthcheck(command)},
    )
    for reader in readers:
        try:
            given = reader()
            if "entrypoint" in given and not command.all("entrypoint"):
                continue
            settings.update(given)
        except UsageError as error:
            found.append(_bad(command, error))
    image, *arguments = command.arguments
    try:
        _image(image)
        # Nothing is taken from the grader's own environment.
        spec = parse_run(image, arguments or None, environ=shell.variables, **settings)
    except UsageError as error:
        return None, (*found, _bad(command, error))
    spaces = {name: command.last(name) for name in ("ipc", "pid", "uts", "userns", "cgroupns") if command.last(name)}
    asked = AskedRun(
        command=command,
        spec=replace(spec, mounts=mounts),
        start=command.verb == "run",
        detached=command.on("detach"),
        publish_all=command.on("publish-all"),
        namespaces=spaces,
    )
    return (None if found else asked), tuple(found)


def asked_build(command: Command, shell: Shell) -> tuple[AskedBuild | None, tuple[Refusal, ...]]:
    """Read a ``build``."""
    (context,) = command.arguments
    written = command.last("file")
    if context == "-" or _REMOTE.match(context):
        return None, (refuse("context_remote", command.where, context),)
    if written == "-" or _REMOTE.match(written):
        return None, (refuse("context_remote", command.where, f"-f {written}"),)
    try:
        for tag in command.all("tag"):
            Reference.parse(tag)
        folder = Path(normal(context, shell.cwd))
        spec = BuildSpec(
            context=folder,
            # -f starts from the current folder, not from the context.
            dockerfile=Path(normal(written, shell.cwd)) if written else None,
            tags=command.all("tag"),
            args=dict(_argument(each, shell) for each in command.all("build-arg")),
            labels=dict(_pair(each) for each in command.all("label")),
            target=command.last("target"),
            platform=Platform.parse(command.last("platform")) if command.last("platform") else None,
            no_cache=command.on("no-cache"),
            pull=command.on("pull"),
            network=command.last("network", "default"),
            extra_hosts=dict(_host(each) for each in command.all("add-host")),
        )
    except UsageError as error:
        return None, (_bad(command, error),)
    return AskedBuild(command=command, spec=spec), ()


def _bad(command: Command, error: UsageError) -> Refusal:
    return refuse("bad_value", command.where, error.what, meant=error.remedy)


def _image(name: str) -> None:
    # An id of an image, whole or in part, is one of this machine, which a student can't know.
    Reference.parse(name)


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name.strip():
        raise UsageError(f"no name in {text!r}", remedy="write NAME=value")
    return name, value


def _argument(text: str, shell: Shell) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals and name not in shell.variables:
        raise UsageError(f"the build argument {name} has no value", remedy=f"write {name}=value")
    return name, value if equals else shell.variables[name]


def _host(text: str) -> tuple[str, str]:
    name, sign, address = text.partition("=" if "=" in text else ":")
    if not name or not sign or not address:
        raise UsageError(f"not a host and its address: {text!r}", remedy="write --add-host name:address")
    return name, address.strip("[]")


def _whole(command: Command, name: str) -> int | None:
    text = command.last(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        raise UsageError(f"--{name}: not a whole number: {text!r}", remedy=f"write --{name} 100") from None


def _limits(command: Command) -> dict[str, Any]:
    found: dict[str, Any] = {}
    quota, period = _whole(command, "cpu-quota"), _whole(command, "cpu-period")
    if quota is not None and quota > 0 and not command.last("cpus"):
        found["cpus"] = quota * NANO // max(1, period or 100_000) / NANO
    pids = _whole(command, "pids-limit")
    if pids is not None:
        found["pids"] = pids if pids > 0 else -1  # docker's 0 is unlimited, too
    return found


def _network(command: Command) -> dict[str, Any]:
    # The long form: name=net,alias=web.
    networks, aliases = [], list(command.all("network-alias"))
    for text in command.all("network"):
        if "=" not in text:
            networks.append(text)
            continue
        for part in text.split(","):
            key, _, value = part.partition("=")
            if key == "name":
                networks.append(value)
            elif key == "alias":
                aliases.append(value)
    if len(set(networks)) > 1:
        raise UsageError(f"--network: several: {', '.join(networks)}", remedy="one network is enough here")
    return {**({"network": networks[0]} if networks else {}), **({"aliases": aliases} if aliases else {})}


def _healthcheck(command: Command) -> Healthcheck | bool | None:
    if command.on("no-healthcheck"):
        return False
    if not command.last("health-cmd"):
        return None
    times = {
        name: to_seconds(command.last(f"health-{flag}") or 0)
        for name, flag in (("interval", "interval"), ("timeout", "timeout"), ("start_period", "start-period"))
    }
    retries = _whole(command, "health-retries") or 0
    return Healthcheck(test=("CMD-SHELL", command.last("health-cmd")), retries=retries, **times)


def _file(
    command: Command, flag: str, shell: Shell, read: Callable[[str], str | None] | None, found: list[Refusal]
) -> list[str]:
    """The lines of ``--env-file`` and ``--label-file``: NAME=value, as they are, no quotes taken off."""
    lines: list[str] = []
    for name in command.all(flag):
        path = posixpath.normpath(normal(name, shell.cwd))
        text = read(path) if read is not None else None
        if text is None:
            found.append(refuse("missing", command.where, f"--{flag} {name}"))
            continue
        rows = (row.lstrip() for row in text.removeprefix("\ufeff").splitlines())
        lines.extend(row for row in rows if row and not row.startswith("#"))
    return lines
