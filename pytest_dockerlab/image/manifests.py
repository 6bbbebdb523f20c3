"""Which images an archive holds: docker-save's ``manifest.json``, or an OCI layout's ``index.json``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_dockerlab.errors import FormatError

__all__ = ["Described", "described"]

_NAME = "io.containerd.image.name"
_TAG = "org.opencontainers.image.ref.name"
_DEEPEST = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """One image of an archive.

    Attributes:
        id: digest of its config.
        digest: of its manifest, ``""`` where it has none.
        config: its config file.
        layers: names of the layers' files in the archive, lowest first.
    """

    id: str
    digest: str = ""
    config: Mapping[str, Any]
    tags: tuple[str, ...]
    layers: tuple[str, ...]


def described(documents: Mapping[str, bytes], archive: str) -> tuple[Described, ...]:
    """Read an archive's table of contents.

    Args:
        documents: name → content of the archive's small files.

    Raises:
        FormatError: there is none, or it names what is not there.
    """
    if "manifest.json" in documents:
        return tuple(_saved(row, documents, archive) for row in _rows(documents, "manifest.json", archive))
    if "index.json" in documents:
        index = _object(documents, "index.json", archive)
        return tuple(_from_index(index, (), documents, archive, 0))
    raise FormatError(
        f"{archive}: not an image archive: neither manifest.json nor index.json is in it",
        remedy="make one with `docker save -o image.tar NAME`; `docker export` makes a file tree, not an image",
    )


def _saved(row: Any, documents: Mapping[str, bytes], archive: str) -> Described:
    if not isinstance(row, dict) or not isinstance(row.get("Config"), str):
        raise FormatError(f"{archive}: manifest.json names no config")
    name = row["Config"]
    config = _object(documents, name, archive)
    return Described(
        id=f"sha256:{hashlib.sha256(documents[name]).hexdigest()}",
        config=config,
        tags=tuple(str(tag) for tag in row.get("RepoTags") or ()),
        layers=tuple(str(layer) for layer in row.get("Layers") or ()),
    )


def _from_index(
    index: Mapping[str, Any], names: tuple[str, ...], documents: Mapping[str, bytes], archive: str, depth: int
) -> Iterator[Described]:
    if depth > _DEEPEST:
        raise FormatError(f"{archive}: indexes within indexes, {depth} deep")
    for row in index.get("manifests") or ():
        notes = row.get("annotations") or {}
        if "vnd.docker.reference.type" in notes:
            continue  # an attestation beside the image, not an image
        known = names or tuple(str(notes[key]) for key in (_NAME, _TAG) if notes.get(key))[:1]
        path = _blob(row.get("digest"), archive)
        if path not in documents:
            continue  # another platform's, left out by whoever saved
        document = _object(documents, path, archive)
        if "manifests" in document:
            yield from _from_index(document, known, documents, archive, depth + 1)
            continue
        config_digest = str((document.get("config") or {}).get("digest") or "")
        yield Described(
            id=config_digest,
            digest=str(row["digest"]),
            config=_object(documents, _blob(config_digest, archive), archive),
            tags=known,
            layers=tuple(_blob(layer.get("digest"), archive) for layer in document.get("layers") or ()),
        )


def _blob(digest: object, archive: str) -> str:
    kind, colon, value = str(digest).partition(":")
    if not colon or not value.isalnum() or not kind.isalnum():
        raise FormatError(f"{archive}: not a digest: {digest!r}")
    return f"blobs/{kind}/{value}"


def _json(documents: Mapping[str, bytes], name: str, archive: str) -> Any:
    if name not in documents:
        raise FormatError(f"{archive}: {name} is named but missing", remedy="the archive is incomplete: save it again")
    try:
        return json.loads(documents[name])
    except ValueError as error:
        raise FormatError(f"{archive}: {name} is not JSON: {error}") from error


def _object(documents: Mapping[str, bytes], name: str, archive: str) -> Mapping[str, Any]:
    value = _json(documents, name, archive)
    if not isinstance(value, dict):
        raise FormatError(f"{archive}: {name} holds no JSON object")
    return value


def _rows(documents: Mapping[str, bytes], name: str, archive: str) -> list[Any]:
    value = _json(documents, name, archive)
    if not isinstance(value, list):
        raise FormatError(f"{archive}: {name} holds no JSON list")
    return value
