"""Images made of nothing, for tests: random ones by seed, or file by file, as any archive that this package reads."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import random
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_dockerlab.image.model import FileKind
from pytest_dockerlab.platforms import Platform

__all__ = ["MadeFile", "MadeImage", "MadeStep", "random_image"]

_OCI_INDEX = "application/vnd.oci.image.index.v1+json"
_OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_OCI_LAYER = "application/vnd.oci.image.layer.v1.tar"
_TYPES = {
    FileKind.FILE: tarfile.REGTYPE,
    FileKind.DIRECTORY: tarfile.DIRTYPE,
    FileKind.SYMLINK: tarfile.SYMTYPE,
    FileKind.FIFO: tarfile.FIFOTYPE,
    FileKind.DEVICE: tarfile.CHRTYPE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFile:
    """One entry of a layer. A file with ``link`` set is a hard link; whiteouts are files with their names."""

    path: str
    content: bytes = b""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    kind: FileKind = FileKind.FILE
    link: str = ""
    mtime: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeStep:
    """One entry of the history; ``files`` is ``None`` for one that makes no layer."""

    created_by: str = ""
    comment: str = ""
    files: tuple[MadeFile, ...] | None = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeImage:
    """An image to be written.

    Attributes:
        config: the ``config`` object of the config file (``{"Cmd": ["sh"]}``).
    """

    steps: tuple[MadeStep, ...]
    config: Mapping[str, Any] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    platform: Platform = Platform()

    def layers(self) -> tuple[bytes, ...]:
        """Each layer's plain tar."""
        return tuple(_layer(step.files) for step in self.steps if step.files is not None)

    def diff_ids(self) -> tuple[str, ...]:
        """Digests of the layers."""
        return tuple(_digest(layer) for layer in self.layers())

    def config_file(self) -> bytes:
        """The config file; its digest is the image's id."""
        document = {
            "os": self.platform.os,
            "architecture": self.platform.architecture,
            "variant": self.platform.variant,
            "config": dict(self.config),
            "rootfs": {"type": "layers", "diff_ids": list(self.diff_ids())},
            "history": [
                {
                    "created": "2000-01-01T00:00:00Z",
                    "created_by": step.created_by,
                    "comment": step.comment,
                    **({"empty_layer": True} if step.files is None else {}),
                }
                for step in self.steps
            ],
        }
        return json.dumps(document).encode()

    @property
    def id(self) -> str:
        return _digest(self.config_file())

    def docker_save(self) -> bytes:
        """As ``docker save`` of an engine with a graph driver writes it."""
        config, layers = self.config_file(), self.layers()
        names = [f"{index:02d}/layer.tar" for index in range(len(layers))]
        config_name = f"{_digest(config).removeprefix('sha256:')}.json"
        manifest = [{"Config": config_name, "RepoTags": list(self.tags), "Layers": names}]
        # The table of contents comes last, as engines have it: names are sorted.
        return _tar([*zip(names, layers, strict=True), (config_name, config), ("manifest.json", _json(manifest))])

    def attested(self) -> tuple[str, Mapping[str, tuple[str, bytes]]]:
        """As buildx builds it: an index of the image and of an attestation beside it.

        (buildkit: docs/attestations/attestation-storage.md)

        Returns:
            The digest of the index, and digest → (media type, content) of it and all that it leads to.
        """
        blobs: dict[str, tuple[str, bytes]] = {}

        def add(content: bytes, media_type: str) -> dict[str, Any]:
            blobs[_digest(content)] = (media_type, content)
            return _descriptor(content, media_type)

        def manifest(config: bytes, layers: Iterable[tuple[bytes, str]]) -> dict[str, Any]:
            document = {
                "schemaVersion": 2,
                "mediaType": _OCI_MANIFEST,
                "config": add(config, "application/vnd.oci.image.config.v1+json"),
                "layers": [add(content, kind) for content, kind in layers],
            }
            return add(_json(document), _OCI_MANIFEST)

        packed = [(gzip.compress(layer, mtime=0), f"{_OCI_LAYER}+gzip") for layer in self.layers()]
        platform = {"os": self.platform.os, "architecture": self.platform.architecture}
        image = {**manifest(self.config_file(), packed), "platform": platform}
        statement = _json(
            {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance"}
        )
        unknown = {"os": "unknown", "architecture": "unknown"}
        config = {**unknown, "config": {}, "rootfs": {"type": "layers", "diff_ids": [_digest(statement)]}}
        beside = {
            **manifest(_json(config), [(statement, "application/vnd.in-toto+json")]),
            "platform": unknown,
            "annotations": {
                "vnd.docker.reference.digest": image["digest"],
                "vnd.docker.reference.type": "attestation-manifest",
            },
        }
        index = {"schemaVersion": 2, "mediaType": _OCI_INDEX, "manifests": [image, beside]}
        return str(add(_json(index), _OCI_INDEX)["digest"]), blobs

    def attested_layout(self) -> bytes:
        """``attested`` as an OCI layout in a tar, as ``docker save`` of an engine with containerd's store begins."""
        digest, blobs = self.attested()
        media_type, content = blobs[digest]
        row = {**_descriptor(content, media_type), "annotations": {"io.containerd.image.name": self.tags[0]}}
        index = _json({"schemaVersion": 2, "manifests": [row]})
        files = [(f"blobs/{name.replace(':', '/')}", blob) for name, (_, blob) in sorted(blobs.items())]
        return _tar([*files, ("index.json", index), ("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))])

    def oci_layout(self, *, compressed: bool = True) -> bytes:
        """As an OCI layout in a tar, without the ``manifest.json`` that newer engines put beside it."""
        blobs = [gzip.compress(layer, mtime=0) if compressed else layer for layer in self.layers()]
        config = self.config_file()
        kind = _OCI_LAYER + ("+gzip" if compressed else "")
        manifest = _json(
            {
                "schemaVersion": 2,
                "config": _descriptor(config, "application/vnd.oci.image.config.v1+json"),
                "layers": [_descriptor(blob, kind) for blob in blobs],
            }
        )
        row = _descriptor(manifest, _OCI_MANIFEST)
        if self.tags:
            row["annotations"] = {"io.containerd.image.name": self.tags[0]}
        files = [(f"blobs/sha256/{_digest(blob).removeprefix('sha256:')}", blob) for blob in (*blobs, config, manifest)]
        index = _json({"schemaVersion": 2, "manifests": [row]})
        return _tar(
            [*sorted(set(files)), ("index.json", index), ("oci-layout", _json({"imageLayoutVersion": "1.0.0"}))]
        )


def random_image(
    seed: int, *, layers: int = 3, files: int = 4, size: int = 2000, tags: Iterable[str] = ()
) -> MadeImage:
    """An image of random files in random folders; the same seed makes the same image.

    Args:
        layers: how many.
        files: in each layer.
        size: at most, of each file, in bytes.
    """
    source = random.Random(seed)
    steps = []
    for number in range(layers):
        made = [
            MadeFile(
                path=f"/{source.choice(('srv', 'opt', 'var/lib'))}/{source.getrandbits(32):08x}",
                content=source.randbytes(source.randrange(size + 1)),
                mode=source.choice((0o644, 0o755, 0o600, 0o4755)),
                uid=source.choice((0, 1000, 1111)),
                gid=source.choice((0, 100)),
            )
            for _ in range(files)
        ]
        steps.append(MadeStep(created_by=f"RUN /bin/sh -c step {number} # buildkit", files=tuple(made)))
    return MadeImage(steps=tuple(steps), config={"Cmd": ["/none"]}, tags=tuple(tags))


def _layer(files: Iterable[MadeFile]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for made in files:
            header = tarfile.TarInfo(made.path.lstrip("/"))
            header.type = tarfile.LNKTYPE if made.kind is FileKind.FILE and made.link else _TYPES[made.kind]
            header.linkname = made.link.lstrip("/") if header.type == tarfile.LNKTYPE else made.link
            header.mode, header.uid, header.gid, header.mtime = made.mode, made.uid, made.gid, made.mtime
            header.size = len(made.content) if header.type == tarfile.REGTYPE else 0
            tar.addfile(header, io.BytesIO(made.content))
    return buffer.getvalue()


def _tar(files: Iterable[tuple[str, bytes]]) -> bytes:
    return _layer(MadeFile(path=name, content=content) for name, content in files)


def _json(value: object) -> bytes:
    return json.dumps(value).encode()


def _digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _descriptor(blob: bytes, media_type: str) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": _digest(blob), "size": len(blob)}
