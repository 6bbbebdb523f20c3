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

__all__ = ["Registry"]

# Every kind of manifest that an engine pushes; without the header a registry converts to the oldest one.
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


class Registry:
    """A real registry on loopback: push to ``f"{registry.address}/team/app:1.0"``.

    Engines take registries on 127.0.0.0/8 without TLS.
    """

    def __init__(self, address: str, storage: Path) -> None:
        self._storage = storage
        self.address = address

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

    @property
    def blobs(self) -> Mapping[str, int]:
        """Digest → bytes of everything that it stores: layers, configurations, manifests."""
        root = self._storage / "docker" / "registry" / "v2" / "blobs" / "sha256"
        return {f"sha256:{data.parent.name}": data.stat().st_size for data in sorted(root.glob("*/*/data"))}

    @staticmethod
    def end(process: RegistryProcess, storage: Path) -> None:
        """Stop it and delete what it stores."""
        process.stop()
        shutil.rmtree(storage, ignore_errors=True)

    def _get(self, path: str) -> tuple[dict[str, Any], str]:
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request("GET", path, headers={"Accept": ", ".join(_MANIFESTS)})
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
        if response.status != 200:
            raise EngineError(f"the registry at {self.address} answers {response.status} to {path}: {body[:200]!r}")
        answer: dict[str, Any] = json.loads(body)
        return answer, response.headers.get("Docker-Content-Digest", "")
