"""Layers and configurations of images that are put together here, without an engine.

Forms: image manifest version 2, schema 2 (distribution specification), which every engine reads.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import IO

from pytest_dockerlab.platforms import Platform

__all__ = ["CONFIG", "INDEX", "LAYER", "MANIFEST", "Entry", "Layer", "compress", "config_bytes", "digest_of", "tar_of"]

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
CONFIG = "application/vnd.docker.container.image.v1+json"
LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

_CHUNK = 1 << 20
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A layer as a registry keeps it.

    Attributes:
        diff_id: digest of the tar before compression.
        digest, size: of the compressed blob.
        file: where the blob lies on this machine; ``None`` if the registry has it already.
    """

    diff_id: str
    digest: str
    size: int
    file: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, a folder (``mode`` says which by ``content`` being ``None``) or a symbolic link."""

    path: str
    content: bytes | None = None
    mode: int = 0o755
    link: str = ""


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def compress(tar: IO[bytes], file: Path) -> Layer:
    """Write ``tar`` to ``file`` as a layer blob; one that is compressed already is kept as it is.

    Level 1: what a stand-in is compressed for is written and read on one machine.
    """
    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0

    with file.open("wb") as output:
        chunk = tar.read(_CHUNK)
        # wbits 31 is gzip's form (zlib manual, deflateInit2); its header has no time in it.
        packer = None if chunk[:2] == _GZIP else zlib.compressobj(1, wbits=31)
        unpacker = _Unpacker()
        while chunk:
            plain.update(chunk if packer else unpacker.feed(chunk))
            blob = packer.compress(chunk) if packer else chunk
            packed.update(blob)
            size += output.write(blob)
            chunk = tar.read(_CHUNK)
        if packer:
            blob = packer.flush()
            packed.update(blob)
            size += output.write(blob)
    return Layer(diff_id=f"sha256:{plain.hexdigest()}", digest=f"sha256:{packed.hexdigest()}", size=size, file=file)


class _Unpacker:
    """Gzip as a stream, members one after another."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    def feed(self, data: bytes) -> bytes:
        found = b""
        while data:
            found += self._member.decompress(data)
            data = self._member.unused_data
            if self._member.eof:
                self._member = zlib.decompressobj(wbits=31)
        return found


def tar_of(entries: Iterable[Entry]) -> bytes:
    """A tar of these entries, all root's, without a time of their own (so that equal content has an equal digest)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.mode = entry.mode
            if entry.link:
                info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
            elif entry.content is None:
                info.type = tarfile.DIRTYPE
            else:
                info.size = len(entry.content)
            tar.addfile(info, io.BytesIO(entry.content or b"") if info.isreg() else None)
    return buffer.getvalue()


def config_bytes(
    layers: Iterable[Layer],
    platform: Platform,
    *,
    created_by: str,
    cmd: tuple[str, ...] = (),
    env: tuple[str, ...] = (),
    labels: Mapping[str, str],
) -> bytes:
    """An image's configuration."""
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    diff_ids = [layer.diff_id for layer in layers]
    history: list[dict[str, object]] = [
        {"created": now, "created_by": f"{created_by} # dockerlab stand-in"} for _ in diff_ids
    ]
    history.append({"created": now, "created_by": f"CMD {json.dumps(cmd)}", "empty_layer": True})
    config = {
        "architecture": platform.architecture,
        **({"variant": platform.variant} if platform.variant else {}),
        "os": platform.os,
        "created": now,
        "config": {"Env": list(env), "Cmd": list(cmd), "Labels": dict(labels)},
        "rootfs": {"type": "layers", "diff_ids": diff_ids},
        "history": history,
    }
    return json.dumps(config, indent=1).encode()
