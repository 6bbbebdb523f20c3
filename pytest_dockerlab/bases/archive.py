"""Between a registry and an engine that can't reach it: ``docker save`` archives, read and written."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from pytest_dockerlab.bases.blobs import Layer, compress
from pytest_dockerlab.bases.store import Store, StoredImage
from pytest_dockerlab.errors import FormatError

__all__ = ["archive_of", "read_archive"]

_CHUNK = 1 << 20


def read_archive(archive: Path, folder: Path, base: StoredImage | None = None) -> tuple[bytes, tuple[Layer, ...]]:
    """Configuration and layers of the one image in a saved archive.

    Args:
        archive: as ``docker save`` writes it; graph drivers and the containerd store name
            things differently in it, ``manifest.json`` is the same.
        folder: layers that ``base`` doesn't have are written here.
        base: its layers are taken as they are in the registry.

    Raises:
        FormatError: a layer is not what the configuration says.
    """
    with tarfile.open(archive) as tar:

        def read(name: str) -> bytes:
            try:
                file = tar.extractfile(name)
            except KeyError:
                file = None
            if file is None:
                raise FormatError(f"the saved image has no file {name!r}")
            with file:
                return file.read()

        manifest: dict[str, Any] = json.loads(read("manifest.json"))[0]
        config = read(manifest["Config"])
        known = base.layers if base else ()
        layers: list[Layer] = []
        for number, (diff_id, name) in enumerate(
            zip(json.loads(config)["rootfs"]["diff_ids"], manifest["Layers"], strict=True)
        ):
            if number < len(known) and known[number].diff_id == diff_id:
                layers.append(known[number])
                continue
            content = tar.extractfile(name)
            if content is None:
                raise FormatError(f"the saved image has no file {name!r}")
            with content:
                layer = compress(content, folder / f"layer-{number}")
            if layer.diff_id != diff_id:
                raise FormatError(
                    f"layer {number} of the saved image is {layer.diff_id}, its configuration has {diff_id}"
                )
            layers.append(layer)
    return config, tuple(layers)


def archive_of(store: Store, image: StoredImage, name: str) -> Iterator[bytes]:
    """The archive that ``docker load`` takes, as a stream; the image will be called ``name``."""
    config = f"{image.config_digest.removeprefix('sha256:')}.json"
    names = [f"{number}-{layer.digest[7:23]}/layer.tar" for number, layer in enumerate(image.layers)]
    manifest = json.dumps([{"Config": config, "RepoTags": [name], "Layers": names}]).encode()
    yield from _member("manifest.json", len(manifest), (manifest,))
    yield from _member(config, len(image.config), (image.config,))
    for layer, path in zip(image.layers, names, strict=True):
        with store.blob(image.repository, layer.digest) as answer:
            yield from _member(path, layer.size, answer.iter_content(_CHUNK))
    yield bytes(2 * tarfile.BLOCKSIZE)


def _member(name: str, size: int, chunks: Iterable[bytes]) -> Iterator[bytes]:
    info = tarfile.TarInfo(name)
    info.size = size
    yield info.tobuf(tarfile.PAX_FORMAT)
    yield from chunks
    yield bytes(-size % tarfile.BLOCKSIZE)
