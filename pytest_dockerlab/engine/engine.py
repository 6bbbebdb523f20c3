"""An engine that answers: who it is, what it can, and the verbs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import docker
import docker.errors
import requests.utils
from docker.tls import TLSConfig

from pytest_dockerlab.engine.api import Api, OnePool, at_least
from pytest_dockerlab.engine.capabilities import Capabilities
from pytest_dockerlab.engine.containers import Containers
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.first_builds import FirstBuilds
from pytest_dockerlab.engine.images import Images
from pytest_dockerlab.engine.info import EngineInfo, read_info
from pytest_dockerlab.engine.resources import Networks, Volumes
from pytest_dockerlab.engine.translate import TRANSPORT_ERRORS, unreachable
from pytest_dockerlab.engine.tunnel import Tunnel
from pytest_dockerlab.errors import EngineError, EngineUnreachable, LabError

if TYPE_CHECKING:
    from pytest_dockerlab.build.spec import BuildSpec
    from pytest_dockerlab.build.trace import BuildTrace
    from pytest_dockerlab.engine.content import Turn

__all__ = ["NEWEST_API", "OLDEST_API", "Engine", "negotiate"]

#: The newest version whose answers this package was written against (Docker Engine 29).
NEWEST_API = "1.52"
#: Docker Engine 20.10 and Podman 4 speak 1.41; 1.40 is what Engine 29.3 lowered its floor to.
OLDEST_API = "1.40"
_CONNECTIONS = 32
_FIRST_ANSWER_SECONDS = 4.0
_FIRST_SSH_SECONDS = 15.0  # a connection is made, keys are tried


def negotiate(version: Mapping[str, Any]) -> str:
    """The API version to speak: the engine's own, but none that we don't know.

    Args:
        version: the answer of ``/version``.

    Raises:
        EngineError: the two have no version in common.
    """
    newest, oldest = str(version.get("ApiVersion") or OLDEST_API), str(version.get("MinAPIVersion") or OLDEST_API)
    chosen = NEWEST_API if at_least(newest, NEWEST_API) else newest
    if not at_least(chosen, oldest) or not at_least(chosen, OLDEST_API):
        raise EngineError(
            f"the engine speaks API {oldest} to {newest}, this package {OLDEST_API} to {NEWEST_API}",
            remedy="upgrade the older of the two (Docker Engine 20.10 or Podman 4 at least)",
        )
    return chosen


class Engine:
    """One engine. Threads may share it; processes make their own.

    Attributes:
        endpoint: where it listens.
        info: what it says of itself.
        capabilities: what it can, found out when asked.
        first_builds: the bases that were built from.
        labels: put on every container, volume, network and imported image that is made through it.
        scratch: folder for what its verbs need for a while; ``None`` for the system's.
        docker: docker-py's client, for code next to this one; its errors are not translated.
    """

    def __init__(self, endpoint: Endpoint, *, timeout: float = 60.0) -> None:
        """Connect, and agree on an API version.

        Args:
            timeout: seconds without a byte after which a request has failed.

        Raises:
            EngineUnreachable: nothing answers there.
        """
        self.endpoint = endpoint
        self.labels: Mapping[str, str] = {}
        self.scratch: Path | None = None
        with contextlib.ExitStack() as opened:
            way = endpoint
            if urlsplit(endpoint.url).scheme == "ssh":
                tunnel = Tunnel(endpoint.url)
                opened.callback(tunnel.close)
                way = replace(endpoint, url=f"unix://{tunnel.path}")
            version = _version(
                endpoint, way, _FIRST_SSH_SECONDS if way is not endpoint else min(timeout, _FIRST_ANSWER_SECONDS)
            )
            self.docker = _client(endpoint, way, negotiate(version), timeout)
            opened.callback(self.docker.close)
            self.api = Api(self.docker.api, endpoint, timeout)
            info = self.api.json("GET", "/info")
            self._opened = opened.pop_all()
        self.info: EngineInfo = read_info(version, info, self.api.version)
        self.capabilities = Capabilities(self)
        self.first_builds = FirstBuilds()
        self.images = Images(self)
        self.containers = Containers(self)
        self.volumes = Volumes(self)
        self.networks = Networks(self)

    def build(
        self, spec: BuildSpec, on_progress: Callable[[str], None] | None = None, turn: Turn | None = None
    ) -> BuildTrace:
        """Build an image.

        Args:
            on_progress: gets a line for people whenever something moves on.
            turn: given the content's key, held while the engine builds: who builds the same waits.

        Raises:
            BuildFailed: a step failed.
            BuildTimedOut: it took longer than ``spec.timeout``.
            DiskFull: the engine has no space left.
        """
        from pytest_dockerlab.engine.builds import build

        return build(self, spec, on_progress, turn)

    def close(self) -> None:
        """Remove the containers that images were looked at through, and hang up."""
        try:
            self.images.close()
        finally:
            self._opened.close()

    def __enter__(self) -> Engine:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Engine {self.endpoint.name} {self.endpoint.url}: {self.info}>"


def _version(endpoint: Endpoint, way: Endpoint, timeout: float) -> Mapping[str, Any]:
    """The engine's first words, which decide how to go on with it."""
    client = _client(endpoint, way, OLDEST_API, timeout)
    try:
        answer = Api(client.api, endpoint, timeout).json("GET", "/version", versioned=False)
    except EngineUnreachable:
        raise
    except LabError as error:
        answer = error
    finally:
        client.close()
    if isinstance(answer, Mapping):
        return answer
    raise EngineUnreachable(
        f"{endpoint.name} at {endpoint.url} (named by {endpoint.source}) is no container engine: it answers {answer}",
        remedy="name the socket or port of a Docker Engine or of Podman's service",
    )


def _client(endpoint: Endpoint, way: Endpoint, version: str, timeout: float) -> docker.DockerClient:
    """A client for an endpoint, of which errors speak, over the way that leads there."""
    tls: TLSConfig | bool = False
    try:
        if endpoint.tls is not None:
            certificate = (endpoint.tls.cert, endpoint.tls.key) if endpoint.tls.cert else None
            tls = TLSConfig(client_cert=certificate, ca_cert=endpoint.tls.ca or None, verify=endpoint.tls.verify)
        client = docker.DockerClient(
            base_url=way.url,
            version=version,
            timeout=int(timeout) or 1,
            tls=tls,
            max_pool_size=_CONNECTIONS,
        )
    except docker.errors.DockerException as error:
        raise EngineUnreachable(
            f"{endpoint.name}: not an address of an engine: {endpoint.url} (named by {endpoint.source}): {error}",
            remedy="write unix:///path, tcp://host:port or ssh://user@host",
        ) from error
    except TRANSPORT_ERRORS as error:
        raise unreachable(error, endpoint.url, endpoint.name, endpoint.source, endpoint.tls) from error
    # Compressing what goes over a socket of the same machine only costs both sides time.
    client.api.headers["Accept-Encoding"] = "identity"
    if way.socket:
        # No proxy and no .netrc leads to a socket; looking for them takes a third of a small request's time.
        client.api.trust_env = False
        client.api.mount("http+docker://", OnePool(f"http+unix://{way.socket}", max_pool_size=_CONNECTIONS))
    elif endpoint.tls is not None:
        # requests would believe REQUESTS_CA_BUNDLE, which is of the web's authorities, over the engine's own
        # (requests: Session.merge_environment_settings). Proxies are what else it takes from there.
        client.api.proxies.update(requests.utils.get_environ_proxies(client.api.base_url))
        client.api.trust_env = False
    return client
