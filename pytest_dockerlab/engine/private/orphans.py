"""Layers of containers that an engine has forgotten.

A container's state may lie in memory (see in_memory.py), its layer lies on the disk. After a crash the state is gone,
and no verb of the engine reaches the layer any more.
"""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

__all__ = ["remove_orphans"]

# Storage driver → where it keeps the folder of a layer (moby: daemon/graphdriver).
_LAYERS = {"overlay2": "overlay2", "fuse-overlayfs": "fuse-overlayfs", "vfs": "vfs/dir"}


def remove_orphans(data: Path) -> int:
    """Remove layers that belong to no container; the engine of this data root must not run.

    Returns:
        How many containers they were of.
    """
    known = {entry.name for entry in _entries(data / "containers")}
    found = 0
    for driver, place in _LAYERS.items():
        for record in _entries(data / "image" / driver / "layerdb/mounts"):
            if record.name in known:
                continue
            for name in ("mount-id", "init-id"):
                with contextlib.suppress(OSError):
                    _remove_layer(data / place, (record / name).read_text().strip())
            # Last: were it gone before them, an end in between would leave them for good.
            shutil.rmtree(record, ignore_errors=True)
            found += 1
    return found


def _remove_layer(home: Path, ident: str) -> None:
    if not ident or "/" in ident or ident.startswith("."):
        return
    with contextlib.suppress(OSError):
        (home / "l" / (home / ident / "link").read_text().strip()).unlink()
    shutil.rmtree(home / ident, ignore_errors=True)


def _entries(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
