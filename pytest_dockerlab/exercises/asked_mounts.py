"""``-v``, ``--mount`` and ``--tmpfs`` of a command → ``Mount``s, paths made absolute and nothing looked up."""

from __future__ import annotations

import csv
import posixpath
import re
from collections.abc import Iterator
from typing import Literal

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.commands import Command
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.quantity import to_bytes
from pytest_dockerlab.run.spec import Mount

__all__ = ["read_mounts"]

_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]+", re.ASCII)
_HARMLESS = ("rw", "z", "Z", "nocopy", "cached", "delegated", "consistent")
_PROPAGATION = ("shared", "rshared", "slave", "rslave", "private", "rprivate")
_NAMES = {"src": "source", "dst": "target", "destination": "target", "ro": "readonly"}
_MOUNT_KEYS = (
    *("type", "source", "target", "readonly", "bind-propagation", "bind-nonrecursive", "bind-recursive"),
    *("consistency", "volume-nocopy", "volume-subpath", "volume-driver", "volume-opt", "volume-label"),
    *("tmpfs-size", "tmpfs-mode", "image-subpath", "bind-create-src"),
)
_FORM = 'write -v "$PWD/folder:/folder"'


def read_mounts(command: Command, cwd: str) -> tuple[tuple[Mount, ...], tuple[Refusal, ...]]:
    """The mounts in order, and what can't be meant."""
    mounts: list[Mount] = []
    refusals: list[Refusal] = []
    readers = {"volume": _volume, "mount": _mount, "tmpfs": _tmpfs}
    for name, value in command.options:
        if name not in readers:
            continue
        try:
            for found in readers[name](value, cwd):
                if isinstance(found, Mount):
                    mounts.append(found)
                else:
                    refusals.append(refuse(found[0], command.where, f"--{name} {found[1]}"))
        except UsageError as error:
            what = f"--{name}: {error.what}"
            refusals.append(refuse("bad_value", command.where, what, meant=error.remedy))
    seen: dict[str, Mount] = {}
    for mount in mounts:
        if seen.setdefault(mount.target, mount) is not mount:
            what = f"two mounts on {mount.target}"
            refusals.append(refuse("bad_value", command.where, what, meant="give each mount a target of its own"))
    return tuple(mounts), tuple(refusals)


Found = Mount | tuple[str, str]


def _volume(value: str, cwd: str) -> Iterator[Found]:
    parts = value.split(":")
    if len(parts) > 3 or not all(parts):
        raise UsageError(f"not a mount: {value!r}", remedy=_FORM)
    if len(parts) == 1:
        yield Mount(kind="volume", target=_target(parts[0]))
        return
    read_only = False
    for option in parts[2].split(",") if len(parts) == 3 else ():
        if option == "ro":
            read_only = True
        elif option in _PROPAGATION:
            yield ("propagation", option)
        elif option not in _HARMLESS:
            raise UsageError(f"unknown option {option!r} in {value!r}", remedy="use ro or rw")
    kind, source = _source(parts[0], cwd)
    yield Mount(kind=kind, source=source, target=_target(parts[1]), read_only=read_only)


def _source(text: str, cwd: str) -> tuple[Literal["bind", "volume"], str]:
    # The client takes ./x and ../x, and no other relative path; a shell has replaced ~ before it.
    if text.startswith(("/", "./", "../")) or text in (".", ".."):
        return "bind", normal(text, cwd)
    if not _VOLUME.fullmatch(text):
        raise UsageError(f"{text!r} is neither an absolute path nor a volume's name", remedy=_FORM)
    return "volume", text


def _mount(value: str, cwd: str) -> Iterator[Found]:
    given: dict[str, str] = {}
    for field in next(csv.reader([value]), []):
        key, equals, text = field.partition("=")
        key = _NAMES.get(key.strip().lower(), key.strip().lower())
        if key not in _MOUNT_KEYS:
            raise UsageError(f"unknown key {key!r} in {value!r}", remedy="write type=bind,source=/path,target=/path")
        given[key] = text if equals else "true"
    kind = given.get("type", "volume")
    if "volume-driver" in given or "volume-opt" in given:
        yield ("volume_driver", value)
    if "bind-propagation" in given and given["bind-propagation"] not in ("", "rprivate"):
        yield ("propagation", given["bind-propagation"])
    if kind not in ("bind", "volume", "tmpfs"):
        raise UsageError(f"type {kind!r} is not known here", remedy="use bind, volume or tmpfs")
    if "target" not in given:
        raise UsageError(f"no target in {value!r}", remedy="write target=/path")
    target, source = _target(given["target"]), given.get("source", "")
    read_only = given.get("readonly", "false").lower() in ("true", "1")
    if kind == "tmpfs":
        size = given.get("tmpfs-size")
        yield Mount(kind="tmpfs", target=target, size=to_bytes(size) if size else None)
    elif kind == "bind":
        # Unlike -v, --mount has no other meaning for a relative path.
        if not source:
            raise UsageError(f"no source in {value!r}", remedy="write source=/path")
        yield Mount(kind="bind", source=normal(source, cwd), target=target, read_only=read_only)
    else:
        if source and not _VOLUME.fullmatch(source):
            raise UsageError(f"{source!r} is not a volume's name", remedy="use type=bind for a folder")
        yield Mount(kind="volume", source=source, target=target, read_only=read_only)


def _tmpfs(value: str, cwd: str) -> Iterator[Found]:
    target, _, options = value.partition(":")
    sizes = [option.removeprefix("size=") for option in options.split(",") if option.startswith("size=")]
    yield Mount(kind="tmpfs", target=_target(target), size=to_bytes(sizes[-1]) if sizes else None)


def _target(text: str) -> str:
    if not text.startswith("/"):
        raise UsageError(f"the target {text!r} is not an absolute path", remedy=_FORM)
    return normal(text, "/")


def normal(path: str, cwd: str) -> str:
    """An absolute path without ``.``, ``..`` and doubled slashes."""
    # posixpath keeps two leading slashes, which POSIX leaves to the system.
    return "/" + posixpath.normpath(posixpath.join(cwd, path)).lstrip("/")
