"""Bind mounts that would not be what they look like, refused before a container is made."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.engine.translate import missing_source
from pytest_dockerlab.errors import CapabilityMissing
from pytest_dockerlab.run.spec import Mount

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["refuse_unseen"]


def refuse_unseen(engine: Engine, mounts: Iterable[Mount], about: str) -> None:
    """Refuse what the engine would take for something else: our files where it has none of them, a folder nowhere.

    Docker itself refuses a path that its host lacks. One that its host has, too, would silently be another folder (or
    an empty one: Colima shares the home folder only, colima's FAQ), and Podman makes what is missing
    (podman:pkg/api/handlers/compat/containers_create.go). Sockets and devices are the engine's host's own.

    Args:
        about: what is to be made, for the message.

    Raises:
        CapabilityMissing: a file or folder of this machine, which the engine does not see.
        UsageError: a path that Podman does not find.
    """
    for mount in mounts:
        if mount.kind != "bind":
            continue
        source = Path(mount.source)
        if not engine.capabilities.has("local_files"):
            if source.is_file() or source.is_dir():
                copied = f"volumes={{lab.volume(source={mount.source!r}): {mount.target!r}}}"
                raise CapabilityMissing(
                    f"{about}: bind mount of {mount.source}, a {'folder' if source.is_dir() else 'file'} of this "
                    f"machine: {engine.endpoint.name} at {engine.endpoint.url} does not see this machine's files "
                    f"({engine.capabilities.reason('local_files')})",
                    remedy=f"mount a volume with a copy of it: {copied}",
                )
        elif engine.info.product == "Podman" and not source.exists():
            raise missing_source(mount.source, about)
