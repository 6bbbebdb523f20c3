"""Files into and out of a container, by the archive API."""

from __future__ import annotations

import io
import os
import posixpath
import shutil
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import FormatError, NotFound, UsageError
from pytest_dockerlab.lab.resources import tar_of

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["copy_from", "copy_to", "write"]


def write(engine: Engine, container: str, path: str, content: str | bytes, *, mode: int, uid: int, gid: int) -> None:
    """Write one file; folders that are missing are made, as root's."""
    folder, name = posixpath.split(_absolute(path).rstrip("/"))
    if not name:
        raise UsageError(f"not the path of a file: {path!r}", remedy='write "/folder/name"')
    missing: list[str] = []
    while folder != "/" and not _is_there(engine, container, folder):
        folder, part = posixpath.split(folder)
        missing.insert(0, part)
    tar = tar_of({"/".join([*missing, name]): content}, mode=mode, uid=uid, gid=gid)
    engine.containers.put(container, folder, tar)


def _is_there(engine: Engine, container: str, path: str) -> bool:
    try:
        engine.containers.stat(container, path)
    except NotFound:
        engine.containers.inspect(container)  # If the container is what is missing, that is the error.
        return False
    return True


def copy_to(engine: Engine, container: str, source: Path, target: str) -> None:
    """Copy a file or folder to the path ``target``; owners become root."""
    if not source.exists():
        raise UsageError(f"copy_to: no such file or folder here: {source}", remedy="give a path that exists")
    folder, name = posixpath.split(_absolute(target).rstrip("/"))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        tar.add(source, arcname=name or ".", filter=_as_root)
    engine.containers.put(container, folder, buffer.getvalue())


def _as_root(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = 0
    entry.uname = entry.gname = ""
    return entry


def copy_from(engine: Engine, container: str, source: str, target: Path) -> Path:
    """Copy a file or folder to the host; what could leave the target (absolute, ``..``, links out) is refused."""
    name = posixpath.basename(_absolute(source).rstrip("/"))
    place = target / name if target.is_dir() and name else target
    with tempfile.TemporaryDirectory(prefix="dockerlab-copy-", dir=place.parent) as scratch:
        inside = Path(scratch)
        with tarfile.open(fileobj=_Reader(engine.containers.archive(container, _absolute(source))), mode="r|") as tar:
            for entry in tar:
                _extract(tar, entry, inside)
        found = next(inside.iterdir(), None)
        if found is None:
            raise FormatError(f"the engine sent an empty archive of {source!r}", remedy="see whether the path exists")
        if place.is_dir() and not place.is_symlink():
            shutil.copytree(found, place, symlinks=True, dirs_exist_ok=True)
        else:
            found.replace(place)
    return place


def _extract(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    if entry.isdev():
        return  # Nobody wants a container's device nodes on the host.
    path = posixpath.normpath(entry.name)
    link = entry.linkname
    if entry.issym():
        link = posixpath.join(posixpath.dirname(path), entry.linkname)
    outside = any(p.startswith(("/", "../")) or p == ".." for p in (path, posixpath.normpath(link) if link else ""))
    if outside and not entry.issym():
        raise FormatError(f"an archive entry leads out of its folder: {entry.name!r}", remedy="look at what made it")
    if outside:
        # A link to an absolute path in the container means another place here.
        return
    entry.uid, entry.gid = os.getuid(), os.getgid()
    entry.mode |= 0o700 if entry.isdir() else 0o600
    tar.extract(entry, folder, set_attrs=True, **_filter())


def _filter() -> dict[str, Any]:
    # Python 3.12, and the security releases of 3.10 and 3.11, know filters; 3.14 has "data" by default.
    return {"filter": "data"} if hasattr(tarfile, "data_filter") else {}


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise UsageError(f"not an absolute path in a container: {path!r}", remedy=f'write "/{path}"')
    return path


class _Reader(io.RawIOBase):
    """Chunks as a file that tarfile can read."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self._rest = b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._rest:
            try:
                self._rest = next(self._chunks)
            except StopIteration:
                return 0
        count = min(len(buffer), len(self._rest))
        buffer[:count], self._rest = self._rest[:count], self._rest[count:]
        return count
