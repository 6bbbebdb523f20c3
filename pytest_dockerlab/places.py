"""Where things are kept: the cache (images, packages), run-time state (sockets, locks)."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cache_dir", "runtime_dir"]


def cache_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """What may be thrown away at any time, at the price of making it anew.

    ``DOCKERLAB_CACHE``, else ``$XDG_CACHE_HOME/dockerlab``, else ``~/.cache/dockerlab``
    (XDG Base Directory Specification).
    """
    if named := environ.get("DOCKERLAB_CACHE"):
        return Path(named).expanduser().absolute()
    base = environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "dockerlab"


def runtime_dir(environ: Mapping[str, str] = os.environ, *, create: bool = True) -> Path:
    """Sockets, locks and process ids of what runs now; made if missing (and ``create``), closed to other users.

    Root's is under ``/run``, another user's in ``XDG_RUNTIME_DIR`` where there is one.
    The path stays short: a unix socket's is cut at 108 bytes (unix(7)).
    """
    if named := environ.get("DOCKERLAB_RUNTIME"):
        path = Path(named).expanduser().absolute()
    elif os.getuid() == 0:
        path = Path("/run/dockerlab")
    elif environ.get("XDG_RUNTIME_DIR") and os.access(environ["XDG_RUNTIME_DIR"], os.W_OK):
        path = Path(environ["XDG_RUNTIME_DIR"]) / "dockerlab"
    else:
        path = Path(tempfile.gettempdir()) / f"dockerlab-{os.getuid()}"
    if create:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
