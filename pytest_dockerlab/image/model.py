"""One image, wherever it came from: the engine, a saved archive, an OCI layout, a random test image."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from pytest_dockerlab.platforms import Platform

__all__ = [
    "FileKind",
    "FileStat",
    "Healthcheck",
    "HistoryEntry",
    "Image",
    "ImageConfig",
    "ImageFiles",
    "LayerFiles",
    "Readable",
]


class FileKind(str, Enum):
    """What a directory entry is."""

    FILE = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    DEVICE = "device"
    FIFO = "fifo"
    SOCKET = "socket"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class FileStat:
    """One directory entry of an image, a layer or a container.

    Attributes:
        path: absolute, normalised (``/etc/passwd``).
        mode: permission bits with set-uid, set-gid and sticky (``0o4755``), no type bits.
        uid, gid: numeric owner; ``None`` where the source could not tell.
        size: bytes of a regular file, else 0.
        mtime: seconds since the epoch.
        link: where a symlink (or a hard link in a layer) points.
        digest: of a regular file's content (``sha256:…``), ``""`` where the source has not read it.
    """

    path: str
    kind: FileKind
    mode: int
    uid: int | None = None
    gid: int | None = None
    size: int = 0
    mtime: float = 0.0
    link: str = ""
    digest: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFiles:
    """What one layer writes and deletes.

    Attributes:
        diff_id: digest of the uncompressed layer tar, as in the image's ``rootfs.diff_ids``.
        files: every entry of the layer by path, whiteouts apart; may be read from disk each time one goes through them.
        deleted: paths that the layer removes from the layers below (``.wh.`` entries).
        opaque: directories whose lower content the layer hides (``.wh..wh..opq``).
        size: bytes of the regular files in it.
    """

    diff_id: str
    files: Collection[FileStat]
    deleted: tuple[str, ...] = ()
    opaque: tuple[str, ...] = ()
    size: int = 0


class Readable(Protocol):
    """What a stream must offer: bytes, ``b""`` at its end."""

    def read(self, size: int = -1, /) -> bytes: ...


class ImageFiles(Protocol):
    """A source of an image's files; what a source can't tell it raises ``NotFound`` for."""

    def stat(self, path: str) -> FileStat:
        """The entry at ``path`` in the image's final tree (a symlink is not followed).

        Raises:
            NotFound: no such path.
        """

    def read(self, path: str) -> bytes:
        """The content of a regular file in the final tree.

        Raises:
            NotFound: no such file.
        """

    def layers(self) -> tuple[LayerFiles, ...]:
        """Every layer's own entries, lowest layer first."""

    def history(self) -> tuple[HistoryEntry, ...]:
        """The history of the image's own config, oldest first: it knows which entries made no layer."""

    def contents(self, first_layer: int = 0) -> Iterator[tuple[int, FileStat, Readable]]:
        """Each regular file of each layer as ``(layer index, entry, content)``, deleted ones included.

        A content is to be read before the next one is asked for. A layer that the image has twice comes once,
        as its lowest.

        Args:
            first_layer: index; layers below it are left out.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Healthcheck:
    """``HEALTHCHECK`` of an image or container; durations in seconds, 0 means the engine's default."""

    test: tuple[str, ...]
    interval: float = 0.0
    timeout: float = 0.0
    start_period: float = 0.0
    retries: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageConfig:
    """How a container of the image is run unless told otherwise.

    ``cmd`` and ``entrypoint`` are ``None`` where the image has none. ``exposed_ports`` are
    written ``"8888/tcp"``.
    """

    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    cmd: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    workdir: str = ""
    user: str = ""
    exposed_ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()
    healthcheck: Healthcheck | None = None
    stop_signal: str = ""
    shell: tuple[str, ...] = ()
    on_build: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """One line of ``docker history``, oldest first.

    Attributes:
        created_by: the instruction as the builder recorded it.
        comment: ``buildkit.dockerfile.v0`` for BuildKit's.
        empty_layer: whether it made no layer; ``None`` where the source can't tell
            (``/images/{name}/history`` has no such field; the image's config has).
        size: bytes that it added, ``None`` where unknown.
    """

    created_by: str
    created: str = ""
    comment: str = ""
    empty_layer: bool | None = None
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image: its identity, its configuration, its layers, and a way to its files.

    Two images are equal when their id, platform and layers are.

    Attributes:
        id: ``sha256:…`` as the source names it (config digest, or manifest digest
            with the containerd store).
        layers: diff ids, lowest first.
        tags: names in familiar form (``python:3.10``), none for a dangling image.
        digests: ``name@sha256:…`` known from registries.
        size: bytes as the source counts them.
        history: oldest first.
        files: where its files can be looked at; ``None`` for a bare description.
    """

    id: str
    layers: tuple[str, ...]
    platform: Platform = Platform()
    config: ImageConfig = field(default=ImageConfig(), compare=False)
    tags: tuple[str, ...] = field(default=(), compare=False)
    digests: tuple[str, ...] = field(default=(), compare=False)
    size: int = field(default=0, compare=False)
    created: str = field(default="", compare=False)
    history: tuple[HistoryEntry, ...] = field(default=(), compare=False)
    files: ImageFiles | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """Its first tag, or the first 12 digits of its id."""
        return self.tags[0] if self.tags else self.id.removeprefix("sha256:")[:12]

    @property
    def env(self) -> Mapping[str, str]:
        return self.config.env

    @property
    def labels(self) -> Mapping[str, str]:
        return self.config.labels

    @property
    def cmd(self) -> tuple[str, ...] | None:
        return self.config.cmd

    @property
    def entrypoint(self) -> tuple[str, ...] | None:
        return self.config.entrypoint

    @property
    def dangling(self) -> bool:
        """Whether it has no name, as ``docker images`` shows by ``<none>``."""
        return not self.tags
