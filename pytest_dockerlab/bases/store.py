"""The registry that keeps stand-ins: images are put into it and looked up over HTTP, without an engine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, cast

import requests

from pytest_dockerlab.bases.blobs import CONFIG, INDEX, LAYER, MANIFEST, Layer, digest_of
from pytest_dockerlab.bases.catalogue import KEY
from pytest_dockerlab.errors import EngineError
from pytest_dockerlab.platforms import Platform

__all__ = ["Store", "StoredImage"]

_TIMEOUT = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredImage:
    """One image of the registry, for one platform."""

    repository: str
    manifest: str
    config_digest: str
    config: bytes
    layers: tuple[Layer, ...]

    @property
    def labels(self) -> Mapping[str, str]:
        return cast("Mapping[str, str]", json.loads(self.config).get("config", {}).get("Labels") or {})

    @property
    def key(self) -> str:
        """Of the stand-in's content, ``""`` if it is none."""
        return self.labels.get(KEY, "")


class Store:
    """A registry on loopback. A tag holds a list of manifests, one for each platform."""

    def __init__(self, address: str) -> None:
        """Args:
        address: ``127.0.0.1:PORT``.
        """
        self.address = address
        self._session = requests.Session()
        self._session.trust_env = False  # A proxy has no business on loopback.

    def close(self) -> None:
        self._session.close()

    def find(self, repository: str, tag: str, platform: Platform) -> StoredImage | None:
        """The image behind a tag; ``None`` if there is none, or an interrupted write left it unreadable."""
        for entry in self._entries(repository, tag):
            if entry["platform"] == _platform(platform):
                return self._read(repository, entry["digest"])
        return None

    def _read(self, repository: str, manifest_digest: str) -> StoredImage | None:
        raw = self._get(f"{repository}/manifests/{manifest_digest}", MANIFEST)
        manifest = _json(raw)
        if raw is None or "config" not in manifest:
            return None
        config_digest = manifest["config"]["digest"]
        config = self._get(f"{repository}/blobs/{config_digest}")
        if config is None or digest_of(config) != config_digest:
            return None
        diff_ids = _json(config)["rootfs"]["diff_ids"]
        return StoredImage(
            repository=repository,
            manifest=manifest_digest,
            config_digest=config_digest,
            config=config,
            layers=tuple(
                Layer(diff_id=diff_id, digest=layer["digest"], size=layer["size"])
                for diff_id, layer in zip(diff_ids, manifest["layers"], strict=True)
            ),
        )

    def put(self, repository: str, config: bytes, layers: tuple[Layer, ...], *, base: StoredImage | None = None) -> str:
        """Store an image under its digest, which is returned; no tag points to it yet.

        Args:
            layers: those without a file must be in ``base``.
            base: image whose layers may be used.
        """
        for layer in layers:
            self._put_layer(repository, layer, base)
        self._put_blob(repository, digest_of(config), config)
        manifest = json.dumps(
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": {"mediaType": CONFIG, "size": len(config), "digest": digest_of(config)},
                "layers": [{"mediaType": LAYER, "size": layer.size, "digest": layer.digest} for layer in layers],
            }
        ).encode()
        self._put_manifest(repository, digest_of(manifest), manifest, MANIFEST)
        return digest_of(manifest)

    def tag(self, repository: str, tag: str, manifest: str, platform: Platform) -> None:
        """Let ``tag`` mean ``manifest`` for ``platform``; other platforms of the tag stay.

        Two processes must not do this for one repository at once.
        """
        size = len(self._get(f"{repository}/manifests/{manifest}", MANIFEST) or b"")
        entry = {"mediaType": MANIFEST, "size": size, "digest": manifest, "platform": _platform(platform)}
        others = [each for each in self._entries(repository, tag) if each["platform"] != entry["platform"]]
        entries = sorted([*others, entry], key=lambda each: sorted(each["platform"].items()))
        content = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
        self._put_manifest(repository, tag, content, INDEX)

    def blob(self, repository: str, digest: str) -> requests.Response:
        """A blob as a stream; to be closed by the caller."""
        return self._ask("GET", f"{repository}/blobs/{digest}", expect=(HTTPStatus.OK,), stream=True)

    def _entries(self, repository: str, tag: str) -> list[dict[str, Any]]:
        entries = _json(self._get(f"{repository}/manifests/{tag}", INDEX)).get("manifests", [])
        return cast("list[dict[str, Any]]", entries)

    def _put_layer(self, repository: str, layer: Layer, base: StoredImage | None) -> None:
        if self._has(repository, layer.digest):
            return
        if layer.file is not None:
            with layer.file.open("rb") as content:
                self._upload(repository, layer.digest, content)
            return
        if base is None:
            raise EngineError(f"the local registry lost layer {layer.digest} of {repository}", remedy="make it anew")
        self._ask(
            "POST", f"{repository}/blobs/uploads/", params={"mount": layer.digest, "from": base.repository},
            expect=(HTTPStatus.CREATED,),
        )  # fmt: skip

    def _put_blob(self, repository: str, digest: str, content: bytes) -> None:
        if not self._has(repository, digest):
            self._upload(repository, digest, content)

    def _has(self, repository: str, digest: str) -> bool:
        answer = self._ask("HEAD", f"{repository}/blobs/{digest}", expect=(HTTPStatus.OK, HTTPStatus.NOT_FOUND))
        return answer.status_code == HTTPStatus.OK

    def _upload(self, repository: str, digest: str, content: Any) -> None:
        begun = self._ask("POST", f"{repository}/blobs/uploads/", expect=(HTTPStatus.ACCEPTED,))
        headers = {"Content-Type": "application/octet-stream"}
        self._ask(
            "PUT", begun.headers["Location"], params={"digest": digest}, data=content, headers=headers,
            expect=(HTTPStatus.CREATED,),
        )  # fmt: skip

    def _put_manifest(self, repository: str, reference: str, content: bytes, kind: str) -> None:
        path, headers = f"{repository}/manifests/{reference}", {"Content-Type": kind}
        self._ask("PUT", path, data=content, headers=headers, expect=(HTTPStatus.CREATED,))

    def _get(self, path: str, accept: str = "") -> bytes | None:
        headers = {"Accept": accept} if accept else {}
        answer = self._ask("GET", path, headers=headers, expect=None)
        return answer.content if answer.status_code == HTTPStatus.OK else None

    def _ask(self, method: str, path: str, *, expect: tuple[int, ...] | None, **options: Any) -> requests.Response:
        url = path if path.startswith("http") else f"http://{self.address}/v2/{path}"
        try:
            answer = self._session.request(method, url, timeout=_TIMEOUT, **options)
        except requests.RequestException as error:
            raise EngineError(
                f"the local registry at {self.address} does not answer: {error}",
                remedy="start the private engine anew: dockerlab down && dockerlab up",
            ) from error
        if expect is not None and answer.status_code not in expect:
            raise EngineError(
                f"the local registry refused {method} {path}: {answer.status_code} {answer.text[:300]}",
                remedy="see whether its folder has space and can be written",
            )
        return answer


def _json(content: bytes | None) -> dict[str, Any]:
    try:
        found = json.loads(content or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _platform(platform: Platform) -> dict[str, str]:
    found = {"architecture": platform.architecture, "os": platform.os}
    return {**found, "variant": platform.variant} if platform.variant else found
