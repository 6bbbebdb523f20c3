"""The files of an engine's image: through a container that is never started, or through a save of it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

from pytest_dockerlab.engine import files
from pytest_dockerlab.errors import Conflict, NotFound
from pytest_dockerlab.image.archive import ArchiveFiles
from pytest_dockerlab.image.blobs import tar_items
from pytest_dockerlab.image.keep import Keep
from pytest_dockerlab.image.model import FileStat, HistoryEntry, LayerFiles, Readable
from pytest_dockerlab.image.tarstream import Blocks
from pytest_dockerlab.reaping.owner import LABEL_OWNER, Owner

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["EngineFiles", "FileContainers"]

T = TypeVar("T")

#: What an engine itself puts into every container, so that the container does not show
#: what the image has there (moby: daemon/initlayer/setup_unix.go).
_PUT_IN = ("/.dockerenv", "/dev", "/proc", "/sys", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab")

#: What a save and an index take for so many bytes of an image, one question to a container takes as well
#: (measured: 27 ms for a file's header, 10 ms for each MB of an image).
_BYTES_A_REQUEST = 2.5e6
#: Bytes of a folder's archive that may come along.
_MOST_OF_A_FOLDER = 512 * 1024


class FileContainers:
    """One container for each image that was looked at, made when first needed and never started."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._ids: dict[str, str] = {}

    def of(self, image: str) -> str:
        """The container for an image's id."""
        with self._lock:
            if image not in self._ids:
                body = {
                    "Image": image,
                    # Never run; an image without a command of its own would be refused otherwise.
                    "Cmd": ["-"],
                    "Labels": {LABEL_OWNER: str(Owner.of()), **self._engine.labels, "org.dockerlab.files": image},
                    "NetworkDisabled": True,
                    "HostConfig": {"NetworkMode": "none"},
                }
                answer = self._engine.api.json("POST", "/containers/create", json=body, about=f"image {image}")
                self._ids[image] = str(answer["Id"])
            return self._ids[image]

    def drop(self, image: str) -> None:
        """Remove an image's container, which would stand in the way of removing the image."""
        with self._lock:
            container = self._ids.pop(image, "")
        if container:
            # Somebody who cleans up by label may have been faster.
            with contextlib.suppress(NotFound, Conflict):
                self._engine.containers.remove(container)

    def forget(self, image: str) -> None:
        """An image's container is gone: make another one when it is needed."""
        with self._lock:
            self._ids.pop(image, None)

    def close(self) -> None:
        """Remove them all."""
        for image in tuple(self._ids):
            self.drop(image)


class EngineFiles:
    """``ImageFiles`` over an engine; what was found out once is kept, since images don't change.

    ``layers``, ``contents`` and ``history`` stream a save of the whole image through memory; the index of its
    layers is then kept on disk, and from then on ``stat`` needs no engine, in later runs neither. Without an
    index ``stat`` and ``read`` ask a container that is created once and never started, a folder at a time,
    until that has cost as much as an index.

    Args:
        layers: the image's diff ids.
        size: the image's bytes.
    """

    def __init__(
        self,
        engine: Engine,
        containers: FileContainers,
        image: str,
        *,
        layers: tuple[str, ...] = (),
        size: int = 0,
        keep: Keep | None = None,
    ) -> None:
        self._engine = engine
        self._containers = containers
        self._image = image
        self._about = f"image {image.removeprefix('sha256:')[:12]}"
        self._stats: dict[str, FileStat] = {}
        self._folders: set[str] = set()
        self._requests_left = size / _BYTES_A_REQUEST
        self._saved = ArchiveFiles(
            lambda: tar_items(Blocks(engine.images.save(image)), self._about),
            self._about,
            image,
            layers=layers,
            keep=keep,
        )

    def stat(self, path: str) -> FileStat:
        """The entry at ``path``; a symlink is not followed. See ``ImageFiles``."""
        if _put_in(path) or self._saved.indexed or (path not in self._stats and self._requests_left < 1):
            return self._saved.stat(path)
        if path not in self._stats:
            self._ask_folder(path)
        if path not in self._stats:
            self._requests_left -= 1
            self._stats[path] = self._through(
                lambda container: files.stat(self._engine.api, container, path, owner=True), path
            )
        return self._stats[path]

    def _ask_folder(self, path: str) -> None:
        """Get to know the path's neighbours as well: the engine tells of a folder as fast as of one file in it."""
        folder = path.rstrip("/").rpartition("/")[0]
        if not folder or folder in self._folders:
            return
        self._folders.add(folder)
        self._requests_left -= 1
        with contextlib.suppress(NotFound):
            found = self._through(
                lambda container: files.some_children(self._engine.api, container, folder, _MOST_OF_A_FOLDER), folder
            )
            self._stats.update((entry.path, entry) for entry in found)

    def read(self, path: str) -> bytes:
        """The content of a regular file; a symlink is followed. See ``ImageFiles``."""
        if _put_in(path):
            return self._saved.read(path)
        return self._through(lambda container: files.read(self._engine.api, container, path), path)

    def _through(self, ask: Callable[[str], T], path: str) -> T:
        try:
            return ask(self._containers.of(self._image))
        except NotFound as error:
            if "no such container" not in error.what.lower():
                raise self._missing(path, error) from error
        # Somebody who cleans up by label removed the container; another one will do.
        self._containers.forget(self._image)
        try:
            return ask(self._containers.of(self._image))
        except NotFound as error:
            raise self._missing(path, error) from error

    def _missing(self, path: str, error: NotFound) -> NotFound:
        if "no such image" in error.what.lower():
            return error
        if "not a regular file" in error.what:
            return NotFound(f"{path} in {self._about}: not a regular file", remedy=error.remedy)
        remedy = "check the spelling, and the instruction that makes it"
        return NotFound(f"no such path in {self._about}: {path}", remedy=remedy)

    def layers(self) -> tuple[LayerFiles, ...]:
        """Every layer's own entries. See ``ImageFiles``."""
        return self._saved.layers()

    def history(self) -> tuple[HistoryEntry, ...]:
        """The config's own history. See ``ImageFiles``."""
        return self._saved.history()

    def contents(self, first_layer: int = 0) -> Iterator[tuple[int, FileStat, Readable]]:
        """Each regular file of each layer. See ``ImageFiles``."""
        return self._saved.contents(first_layer)

    def close(self) -> None:
        """Remove the container that this image was looked at through, if there is one."""
        self._containers.drop(self._image)


def _put_in(path: str) -> bool:
    clean = "/" + "/".join(part for part in path.split("/") if part not in ("", "."))
    return clean in _PUT_IN or clean.startswith(("/dev/", "/proc/", "/sys/"))
