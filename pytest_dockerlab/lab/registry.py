"""A registry of a lab's own, to push to and pull from."""

from __future__ import annotations

import http.client
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import EngineError, NotFound

if TYPE_CHECKING:
    from pytest_dockerlab.engine.private.registry import RegistryProcess
    from pytest_dockerlab.lab.images import ImageLike
    from pytest_dockerlab.lab.platform_list import Pushes
    from pytest_dockerlab.platforms import Platform

__all__ = ["Registry"]

# Every kind of manifest that an engine pushes; without the header a registry converts to the oldest one.
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


# Of this process, by address: what they hold tells more of a push than some engines do.
_OPEN: dict[str, Registry] = {}


class Registry:
    """A real registry on loopback: push to ``f"{registry.address}/team/app:1.0"``.

    Engines take registries on 127.0.0.0/8 without TLS.
    """

    def __init__(self, address: str, storage: Path, images: Pushes) -> None:
        """Args:
        images: of the lab, which pushes them.
        """
        self._storage = storage
        self._images = images
        self.address = address
        _OPEN[address] = self

    @staticmethod
    def at(address: str) -> Registry | None:
        """The registry of a lab of this process at an address."""
        return _OPEN.get(address)

    def name(self, repository: str) -> str:
        """An image name in it: ``name("app:1.0")`` → ``"127.0.0.1:43121/app:1.0"``."""
        return f"{self.address}/{repository}"

    def repositories(self) -> tuple[str, ...]:
        """Names of what was pushed."""
        return tuple(self._get("/v2/_catalog?n=1000")[0].get("repositories") or ())

    def tags(self, repository: str) -> tuple[str, ...]:
        """Tags of a repository, sorted.

        Raises:
            NotFound: nothing was pushed there.
        """
        return tuple(sorted(self._get(f"/v2/{repository}/tags/list")[0].get("tags") or ()))

    def push_list(self, name: str, *images: ImageLike) -> Mapping[Platform, str]:
        """Push images of several platforms, and a list of them under one name: a pull gets its platform's.

        Args:
            name: ``team/app:1``, without the registry's address.

        Returns:
            Platform → digest of the manifest in the list.

        Raises:
            UsageError: no image, or two for one platform.
        """
        from pytest_dockerlab.lab.platform_list import push_list

        return push_list(self, self._images, name, images)

    def manifest(self, repository: str, reference: str = "latest") -> Mapping[str, Any]:
        """The manifest of a tag or digest, as JSON.

        Raises:
            NotFound: no such tag or digest.
        """
        return self._get(f"/v2/{repository}/manifests/{reference}")[0]

    def digest(self, repository: str, reference: str = "latest") -> str:
        """The digest that a tag stands for: ``sha256:…``.

        Raises:
            NotFound: no such tag.
        """
        return self._get(f"/v2/{repository}/manifests/{reference}")[1]

    def raw_manifest(self, repository: str, reference: str) -> tuple[bytes, str, str]:
        """The manifest of a tag or digest: its bytes, its digest, its media type.

        Raises:
            NotFound: no such tag or digest.
        """
        body, headers = self._ask("GET", f"/v2/{repository}/manifests/{reference}")
        return body, headers.get("Docker-Content-Digest", ""), headers.get("Content-Type", "")

    def put_manifest(self, repository: str, reference: str, content: bytes, kind: str) -> None:
        """Store a manifest under a tag.

        Args:
            kind: its media type.

        Raises:
            EngineError: the registry refuses it, as one that names what it does not have.
        """
        self._ask("PUT", f"/v2/{repository}/manifests/{reference}", content, {"Content-Type": kind})

    @property
    def blobs(self) -> Mapping[str, int]:
        """Digest → bytes of everything that it stores: layers, configurations, manifests."""
        root = self._storage / "docker" / "registry" / "v2" / "blobs" / "sha256"
        return {f"sha256:{data.parent.name}": data.stat().st_size for data in sorted(root.glob("*/*/data"))}

    @staticmethod
    def end(process: RegistryProcess, storage: Path) -> None:
        """Stop it and delete what it stores."""
        _OPEN.pop(process.address, None)
        process.stop()
        shutil.rmtree(storage, ignore_errors=True)

    def _get(self, path: str) -> tuple[dict[str, Any], str]:
        body, headers = self._ask("GET", path)
        answer: dict[str, Any] = json.loads(body)
        return answer, headers.get("Docker-Content-Digest", "")

    def _ask(
        self, method: str, path: str, content: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> tuple[bytes, Mapping[str, str]]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request(method, path, content, headers={"Accept": ", ".join(_MANIFESTS), **(headers or {})})
            response = connection.getresponse()
            body = response.read()
        except OSError as error:
            raise EngineError(
                f"the registry at {self.address} does not answer: {error}", remedy="it lives as long as its lab"
            ) from error
        finally:
            connection.close()
        if response.status == 404:
            raise NotFound(f"the registry at {self.address} has no {path}", remedy="push it first: lab.push(…)")
        if response.status not in (200, 201):
            raise EngineError(f"the registry at {self.address} answers {response.status} to {path}: {body[:200]!r}")
        return body, dict(response.headers)
