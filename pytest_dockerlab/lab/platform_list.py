"""One name in a registry for images of several platforms: each is pushed, then a list of them.

Forms: manifest list (distribution's manifest version 2, schema 2) and OCI image index; which of the two follows from
what the engine pushed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from pytest_dockerlab.errors import EngineError, UsageError
from pytest_dockerlab.platforms import Platform, same

if TYPE_CHECKING:
    from pytest_dockerlab.image.model import Image

__all__ = ["Manifests", "Pushes", "push_list"]

_DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_OCI_INDEX = "application/vnd.oci.image.index.v1+json"


class Manifests(Protocol):
    """A registry's manifests."""

    def name(self, repository: str) -> str: ...

    def raw_manifest(self, repository: str, reference: str) -> tuple[bytes, str, str]:
        """Its bytes, its digest and its media type."""

    def put_manifest(self, repository: str, reference: str, content: bytes, kind: str) -> None:
        """Store one under a tag."""


class Pushes(Protocol):
    """Gives an image a name for a while, and pushes it there."""

    def tag(self, image: Any, name: str) -> Image: ...

    def push(self, ref: str) -> object: ...


def push_list(registry: Manifests, images: Pushes, name: str, of: Iterable[Any]) -> Mapping[Platform, str]:
    """Push each image under a tag of its own, and a list of them as ``name``.

    Args:
        name: ``team/app:1``, without the registry's address.
        of: images of different platforms.

    Returns:
        Platform → digest of the manifest in the list.

    Raises:
        UsageError: no image, or two for one platform.
    """
    repository, _, tag = name.partition(":")
    tag = tag or "latest"
    entries: dict[Platform, dict[str, Any]] = {}
    for image in of:
        draft = f"{repository}:{tag}.{len(entries)}"
        platform = images.tag(image, registry.name(draft)).platform
        if platform in entries:
            raise UsageError(f"two images for {platform}", remedy=f"give {name} one image for each platform")
        images.push(registry.name(draft))
        entries[platform] = {
            **_entry(registry, repository, draft.partition(":")[2], platform),
            "platform": _said(platform),
        }
    if not entries:
        raise UsageError(f"{name}: no image was given", remedy="give one image for each platform")
    oci = any("oci" in entry["mediaType"] for entry in entries.values())
    kind = _OCI_INDEX if oci else _DOCKER_LIST
    content = json.dumps({"schemaVersion": 2, "mediaType": kind, "manifests": list(entries.values())}).encode()
    registry.put_manifest(repository, tag, content, kind)
    return {platform: str(entry["digest"]) for platform, entry in entries.items()}


def _entry(registry: Manifests, repository: str, tag: str, platform: Platform) -> dict[str, Any]:
    content, digest, kind = registry.raw_manifest(repository, tag)
    if kind not in (_DOCKER_LIST, _OCI_INDEX):
        return {"mediaType": kind, "size": len(content), "digest": digest}
    # containerd's store pushes a list even of one image, with what BuildKit attests beside it (unknown/unknown).
    for entry in json.loads(content).get("manifests", ()):
        there = entry.get("platform") or {}
        if same(platform, Platform(there.get("os", ""), there.get("architecture", ""), there.get("variant", ""))):
            return {name: entry[name] for name in ("mediaType", "size", "digest")}
    raise EngineError(f"what the engine pushed as {repository}:{tag} has no image for {platform}")


def _said(platform: Platform) -> dict[str, str]:
    found = {"os": platform.os, "architecture": platform.architecture, "variant": platform.variant}
    return {name: text for name, text in found.items() if text}
