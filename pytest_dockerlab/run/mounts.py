"""Volumes and tmpfs as people write them → ``Mount``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.foreign import shown
from pytest_dockerlab.quantity import to_bytes
from pytest_dockerlab.run.spec import Mount

__all__ = ["parse_tmpfs", "parse_volumes"]

_FORM = 'write {source: "/target"}, {source: "/target:ro"}, or a list of "source:/target:ro"'


def parse_volumes(value: object) -> tuple[Mount, ...]:
    """Binds and volumes.

    A source is a folder or file of the host (a ``Path``, or text with a ``/`` or a leading ``~`` or ``.``; relative
    ones start at the current folder), a handle with a ``name``, or a volume's name.

    Raises:
        UsageError: no absolute target, an option other than ``ro`` and ``rw``, no source.
    """
    if isinstance(value, Mapping):
        return tuple(_mount(source, target, {source: target}) for source, target in value.items())
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise UsageError(f"volumes: neither a mapping nor a list: {shown(value)}", remedy=_FORM)
    return tuple(item if isinstance(item, Mount) else _from_text(item) for item in value)


def _from_text(text: object) -> Mount:
    if not isinstance(text, str):
        raise UsageError(f"volumes: not a mount: {shown(text)}", remedy=_FORM)
    parts = text.split(":")
    if len(parts) == 1:  # docker run -v /data: an anonymous volume
        return Mount(kind="volume", target=_target(parts[0], text))
    if not parts[0]:
        raise UsageError(f"volumes: no source: {shown(text)}", remedy=_FORM)
    return _mount(parts[0], ":".join(parts[1:]), text)


def _mount(source: object, target: object, written: object) -> Mount:
    if not isinstance(target, str):
        raise UsageError(f"volumes: not a target: {shown(target)} of {shown(source)}", remedy=_FORM)
    path, _, options = target.partition(":")
    read_only = False
    for option in options.split(",") if options else ():
        if option not in ("ro", "rw"):
            raise UsageError(f"volumes: unknown option {shown(option)} in {shown(written)}", remedy="use ro or rw")
        read_only = option == "ro"
    path = _target(path, written)
    if isinstance(source, Path) or (isinstance(source, str) and ("/" in source or source[:1] in ("~", "."))):
        folder = Path(source).expanduser().absolute()
        return Mount(kind="bind", source=str(folder), target=path, read_only=read_only)
    name = source if isinstance(source, str) else getattr(source, "name", None)
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"volumes: not a source: {shown(source)}", remedy="give a path, a volume's name or a lab.volume()"
        )
    return Mount(kind="volume", source=name, target=path, read_only=read_only)


def _target(path: str, written: object) -> str:
    if not path.startswith("/"):
        raise UsageError(f"volumes: target {shown(path)} in {shown(written)} is not an absolute path", remedy=_FORM)
    return path if path == "/" else path.rstrip("/")


def parse_tmpfs(value: object) -> tuple[Mount, ...]:
    """File systems in memory: ``["/scratch"]``, ``{"/scratch": "64m"}``, ``"/scratch:size=64m"``.

    Raises:
        UsageError: no absolute target, an unknown option, not a size.
    """
    if isinstance(value, str):
        value = [value]
    if isinstance(value, Mapping):
        return tuple(_tmpfs(target, size, {target: size}) for target, size in value.items())
    if not isinstance(value, Sequence):
        raise UsageError(f"tmpfs: neither a mapping nor a list: {shown(value)}", remedy='write {"/scratch": "64m"}')
    mounts = []
    for text in value:
        target, _, option = str(text).partition(":")
        if option and not option.startswith("size="):
            raise UsageError(
                f"tmpfs: unknown option {shown(option)} in {shown(text)}", remedy='write "/scratch:size=64m"'
            )
        mounts.append(_tmpfs(target, option.removeprefix("size=") or None, text))
    return tuple(mounts)


def _tmpfs(target: object, size: object, written: object) -> Mount:
    if not isinstance(target, str) or not target.startswith("/"):
        raise UsageError(
            f"tmpfs: target {shown(target)} in {shown(written)} is not an absolute path", remedy='write "/scratch"'
        )
    try:
        cap = None if size is None else to_bytes(size)  # type: ignore[arg-type]  # to_bytes refuses what it can't read
    except UsageError as error:
        raise UsageError(f"tmpfs: {error.what}", remedy=error.remedy) from None
    return Mount(kind="tmpfs", target=target.rstrip("/") or "/", size=cap)
