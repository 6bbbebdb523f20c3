"""Indexes of layers on disk, so that the next run asks the engine for nothing that it was told before.

Layers are named by digest, so a file is either right or damaged, never out of date. Several processes
use the shelf at once: files appear whole, by renaming, and what somebody else removed stays readable
for those who have it open.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import tempfile
import time
import weakref
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from hashlib import sha256
from pathlib import Path
from stat import S_ISDIR, S_ISREG

from filelock import FileLock, Timeout

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.keep import InMemory, Known
from pytest_dockerlab.image.layer_index import LayerIndex, LayerWriter
from pytest_dockerlab.image.table import Table
from pytest_dockerlab.places import cache_dir

__all__ = ["MOST_BYTES", "Shelf", "usual_place"]

#: Some four million files; what was used least recently goes first.
MOST_BYTES = 256 * 1024**2
#: As so large each file counts, so that thousands of tiny ones go, too.
_LEAST_BYTES = 64 * 1024
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE_LINE = b"dockerlab image 1 "
#: A file that is being written is renamed within seconds; an older one's writer was killed.
_ABANDONED_SECONDS = 3600.0
#: Who waits longer (its holder may be in a debugger) does the work once more.
_PATIENCE_SECONDS = 120.0
#: Whatever a file holds instead of what was written; the last two are JSON of another shape.
_UNREADABLE = (OSError, FormatError, ValueError, zlib.error, KeyError, TypeError)


def usual_place() -> Path:
    """The shelf's folder: one for each user, since a cache folder may be shared (``sudo`` keeps HOME)."""
    return cache_dir() / f"index-{os.getuid()}"


class Shelf:
    """``Keep`` on disk. Where nothing can be written it keeps in memory, and nobody notices but the clock.

    Args:
        folder: made when first needed; used only if it is ours and nobody else may write to it.
        most_bytes: all files together.
    """

    def __init__(self, folder: Path, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder
        self._most_bytes = most_bytes
        self._memory = InMemory()
        self._open: weakref.WeakValueDictionary[str, LayerIndex] = weakref.WeakValueDictionary()
        self._usable: bool | None = None

    def layer(self, diff_id: str) -> LayerIndex | None:
        """See ``Keep``."""
        found = self._open.get(diff_id) or self._memory.layer(diff_id)
        if found is None and _DIGEST.fullmatch(diff_id) and self._ready():
            found = self._load(diff_id)
            if found is not None:
                self._open[diff_id] = found
        return found

    def _load(self, diff_id: str) -> LayerIndex | None:
        path = self._layer_path(diff_id)
        try:
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            table = Table(lambda place, length: os.pread(file, length, place), _size(file), path.name)
            table.verify()
            index = LayerIndex(table)
            if index.diff_id != diff_id:
                raise FormatError(f"{path.name}: the index of another layer")
            os.utime(path)  # used just now
        except _UNREADABLE:
            os.close(file)
            self._discard(path)
            return None
        weakref.finalize(index, os.close, file)
        return index

    def add_layer(self, diff_id: str, writer: LayerWriter) -> LayerIndex:
        """See ``Keep``."""
        if _DIGEST.fullmatch(diff_id) and self._write(self._layer_path(diff_id), writer.file(diff_id)):
            found = self.layer(diff_id)
            self._prune()
            if found is not None:
                return found
        return self._memory.add_layer(diff_id, writer)

    def image(self, id: str) -> Known | None:
        """See ``Keep``."""
        if (known := self._memory.image(id)) is not None or not self._ready():
            return known
        path = self._image_path(id)
        try:
            line, _, data = path.read_bytes().partition(b"\n")
        except OSError:
            return None
        try:
            if line != _IMAGE_LINE + b"%08x" % zlib.crc32(data):
                raise FormatError(f"{path.name}: damaged")
            fields = json.loads(data)
            if fields["id"] != id:
                raise FormatError(f"{path.name}: another image's")
            os.utime(path)
            return Known(config=fields["config"], names=tuple(fields["names"]))
        except _UNREADABLE:
            self._discard(path)
            return None

    def add_image(self, id: str, known: Known) -> None:
        """See ``Keep``."""
        data = json.dumps({"id": id, "config": known.config, "names": known.names}).encode()
        if not self._write(self._image_path(id), [_IMAGE_LINE, b"%08x\n" % zlib.crc32(data), data]):
            self._memory.add_image(id, known)

    def making(self, id: str) -> AbstractContextManager[object]:
        """See ``Keep``."""
        return self._alone(self._folder / f"lock-{self._image_path(id).name[-2:]}")

    @contextlib.contextmanager
    def _alone(self, path: Path) -> Iterator[None]:
        lock = FileLock(path) if self._ready(make=True) else None
        with contextlib.ExitStack() as held:
            # Without a lock (a file system that has none) two may do the same work: slower, not wrong.
            with contextlib.suppress(OSError, NotImplementedError, Timeout):
                if lock is not None:
                    held.enter_context(lock.acquire(timeout=_PATIENCE_SECONDS))
            yield

    def _layer_path(self, diff_id: str) -> Path:
        return self._folder / f"layer-{diff_id.removeprefix('sha256:')}"

    def _image_path(self, id: str) -> Path:
        return self._folder / f"image-{sha256(id.encode()).hexdigest()}"

    def _ready(self, *, make: bool = False) -> bool:
        """Whether the folder is there and ours alone: whoever can write to it can tell us anything of an image."""
        if self._usable is None or (make and not self._usable):
            try:
                if make:
                    self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                found = self._folder.lstat()
            except FileNotFoundError:
                return False
            except OSError:
                self._usable = False
                return False
            self._usable = S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o022
        return self._usable

    def _write(self, path: Path, chunks: Iterable[bytes]) -> bool:
        """Put a file in its place, whole or not at all."""
        if not self._ready(make=True):
            return False
        made: Path | None = None
        try:
            with tempfile.NamedTemporaryFile(prefix="new-", dir=self._folder, delete=False) as out:
                made = Path(out.name)
                out.writelines(chunks)
            made.replace(path)
        except OSError:
            return False
        finally:
            if made is not None:
                self._discard(made)  # only where it went wrong: in its place it has another name
        return True

    def _prune(self) -> None:
        """Remove what was used least recently, if all together are too much."""
        entries: list[tuple[float, int, str]] = []
        now = time.time()
        with contextlib.suppress(OSError), os.scandir(self._folder) as found:
            for entry in found:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if entry.name.startswith(("layer-", "image-")) and S_ISREG(status.st_mode):
                        entries.append((status.st_mtime, max(status.st_size, _LEAST_BYTES), entry.path))
                    elif entry.name.startswith("new-") and now - status.st_mtime > _ABANDONED_SECONDS:
                        self._discard(Path(entry.path))
        size = sum(entry[1] for entry in entries)
        if size <= self._most_bytes:
            return
        for _, bytes_of, path in sorted(entries):
            if size <= self._most_bytes * 3 // 4:
                break
            self._discard(Path(path))
            size -= bytes_of

    @staticmethod
    def _discard(path: Path) -> None:
        with contextlib.suppress(OSError):
            path.unlink()


def _size(file: int) -> int:
    return os.fstat(file).st_size
