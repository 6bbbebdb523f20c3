"""Volumes and networks of a lab."""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Network", "Volume", "tar_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """A named volume; a key of ``volumes=``: ``lab.run(…, volumes={volume: "/data"})``."""

    name: str
    engine: Engine = field(repr=False, compare=False)

    def inspect(self) -> Mapping[str, Any]:
        """The engine's JSON about it."""
        return self.engine.volumes.inspect(self.name)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A bridge network; ``lab.run(…, network=network, aliases=["db"])``: others in it reach it as ``db``."""

    name: str
    id: str
    engine: Engine = field(repr=False, compare=False)

    def inspect(self) -> Mapping[str, Any]:
        """The engine's JSON about it."""
        return self.engine.networks.inspect(self.id)

    def __str__(self) -> str:
        return self.name


def tar_of(content: Mapping[str, bytes | str], *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> bytes:
    """A tar of regular files; the engine makes the folders between them.

    Args:
        content: path → content; text is written as UTF-8.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, data in content.items():
            raw = data.encode() if isinstance(data, str) else data
            entry = tarfile.TarInfo(path.lstrip("/"))
            entry.size, entry.mode, entry.uid, entry.gid, entry.mtime = len(raw), mode, uid, gid, int(time.time())
            tar.addfile(entry, io.BytesIO(raw))
    return buffer.getvalue()
