"""Which images an archive holds: docker-save's ``manifest.json``, or an OCI layout's ``index.json``."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.foreign import mapping, read_json, rows, shown, text, texts

__all__ = ["Described", "described"]

_NAME = "io.containerd.image.name"
_TAG = "org.opencontainers.image.ref.name"
_DEEPEST = 8
_DIGEST = re.compile(r"[a-z0-9]+:[A-Za-z0-9]+", re.ASCII)
_SAVE_AGAIN = "the archive is incomplete or damaged: save it again"


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
        listed = _json(documents, "manifest.json", archive)
        saved = (_saved(row, documents, archive) for row in rows(listed, f"{archive}: manifest.json"))
        return tuple(each for each in saved if not _unknown(each.config))
    if "index.json" in documents:
        index = _object(documents, "index.json", archive)
        return tuple(_from_index(index, "index.json", (), documents, archive, set()))
    raise FormatError(
        f"{archive}: not an image archive: neither manifest.json nor index.json is in it",
        remedy="make one with `docker save -o image.tar NAME`; `docker export` makes a file tree, not an image",
    )


def _saved(row: Any, documents: Mapping[str, bytes], archive: str) -> Described:
    if not isinstance(row, dict) or not isinstance(row.get("Config"), str):
        raise FormatError(f"{archive}: manifest.json names no config", remedy=_SAVE_AGAIN)
    name = row["Config"]
    config = _object(documents, name, archive)
    return Described(
        id=f"sha256:{hashlib.sha256(documents[name]).hexdigest()}",
        config=config,
        tags=texts(row.get("RepoTags"), f"{archive}: RepoTags in manifest.json"),
        layers=texts(row.get("Layers"), f"{archive}: Layers in manifest.json"),
    )


def _from_index(
    index: Mapping[str, Any],
    about: str,
    names: tuple[str, ...],
    documents: Mapping[str, bytes],
    archive: str,
    seen: set[tuple[str, tuple[str, ...]]],
    depth: int = 0,
) -> Iterator[Described]:
    """The images of an index and of the indexes in it, each once: what names itself again and again ends."""
    if depth > _DEEPEST:
        raise FormatError(f"{archive}: indexes within indexes, {depth} deep", remedy=_SAVE_AGAIN)
    for item in rows(index.get("manifests"), f"{archive}: manifests in {about}"):
        row = mapping(item, f"{archive}: a manifest of {about}")
        notes = mapping(row.get("annotations"), f"{archive}: annotations in {about}")
        if "vnd.docker.reference.type" in notes or _unknown(row.get("platform")):
            continue  # an attestation beside the image, not an image (buildkit: docs/attestations)
        known = names or tuple(text(notes[key], f"{archive}: {key}") for key in (_NAME, _TAG) if notes.get(key))[:1]
        path = _blob(row.get("digest"), archive)
        if path not in documents or (path, known) in seen:
            continue  # another platform's, left out by whoever saved; or the same once more
        seen.add((path, known))
        document = _object(documents, path, archive)
        if "manifests" in document:
            yield from _from_index(document, path, known, documents, archive, seen, depth + 1)
            continue
        config = mapping(document.get("config"), f"{archive}: config in {path}")
        yield Described(
            id=_digest(config.get("digest"), archive),
            digest=str(row["digest"]),
            config=_verified(config.get("digest"), documents, archive),
            tags=known,
            layers=tuple(
                _blob(mapping(layer, f"{archive}: a layer of {path}").get("digest"), archive)
                for layer in rows(document.get("layers"), f"{archive}: layers in {path}")
            ),
        )


def _unknown(platform: object) -> bool:
    """Whether it is the platform of what is for none: attestations have it, so that nobody runs them."""
    return isinstance(platform, Mapping) and platform.get("os") == platform.get("architecture") == "unknown"


def _verified(digest: object, documents: Mapping[str, bytes], archive: str) -> Mapping[str, Any]:
    """An image's config; its digest is the image's id, and must not be another one's."""
    name = _blob(digest, archive)
    config = _object(documents, name, archive)
    found = f"sha256:{hashlib.sha256(documents[name]).hexdigest()}"
    if str(digest).startswith("sha256:") and digest != found:
        raise FormatError(
            f"{archive}: the config {digest} has the digest {found}",
            remedy="the archive was changed or damaged: save or download it again",
        )
    return config


def _digest(digest: object, archive: str) -> str:
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise FormatError(f"{archive}: not a digest: {shown(digest)}", remedy=_SAVE_AGAIN)
    return digest


def _blob(digest: object, archive: str) -> str:
    return "blobs/" + _digest(digest, archive).replace(":", "/")


def _json(documents: Mapping[str, bytes], name: str, archive: str) -> Any:
    if name not in documents:
        raise FormatError(f"{archive}: {name} is named but missing", remedy=_SAVE_AGAIN)
    try:
        return read_json(documents[name])
    except ValueError as error:
        raise FormatError(f"{archive}: {name} is not JSON: {error}", remedy=_SAVE_AGAIN) from error


def _object(documents: Mapping[str, bytes], name: str, archive: str) -> Mapping[str, Any]:
    value = _json(documents, name, archive)
    if not isinstance(value, dict):
        raise FormatError(f"{archive}: {name} holds no JSON object", remedy=_SAVE_AGAIN)
    return value
