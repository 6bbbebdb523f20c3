"""testcontainers over our engine: its containers, wait strategies, port look-up and host resolution.

Its own client would look for an engine by itself, its reaper needs an image and the engine's socket: here the
client is ours, and ownership is the lab's.
"""

from __future__ import annotations

import contextlib
import functools
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

import testcontainers.core.container
import testcontainers.core.network
from testcontainers.core.config import ConnectionMode, testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.docker_client import DockerClient
from testcontainers.core.network import Network

from pytest_dockerlab.engine.endpoint import listener
from pytest_dockerlab.engine.translate import translating
from pytest_dockerlab.engine.tunnel import host_of
from pytest_dockerlab.errors import NotFound, UsageError
from pytest_dockerlab.run.spec import RunSpec

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine

__all__ = [
    "DockerContainer",
    "EngineClient",
    "LabContainer",
    "Network",
    "adopted",
    "constructing",
    "end",
    "is_local",
    "publishing_address",
    "start",
]

_LOOPBACK = "127.0.0.1"
# Modules that make a client of their own; as Any, because their names are replaced for a while.
_MAKERS: tuple[Any, ...] = (testcontainers.core.container, testcontainers.core.network)


def is_local(endpoint: Endpoint) -> bool:
    """Whether ports that the engine publishes on loopback answer here.

    True for a private engine, and for one at whose unix socket a process of our own pid namespace listens. Where a
    container was given its host's socket the kernel shows the listener as pid 0 (unix(7), SO_PEERCRED).
    testcontainers asks only whether ``/.dockerenv`` exists, and is wrong where the engine itself runs in there.
    """
    if endpoint.private:
        return True
    try:
        return bool(endpoint.socket) and bool(listener(endpoint.socket)[0])
    except OSError:
        return False  # The next request will say what is wrong with it.


class _Shared:
    """docker-py's client for testcontainers, whose ``stop()`` closes what it was given: this one stays open."""

    def __init__(self, client: object) -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def close(self) -> None:
        """Nothing: the engine closes it."""


class EngineClient(DockerClient):
    """testcontainers' client on our engine; what it creates carries the lab's labels."""

    def __init__(self, engine: Engine, labels: Mapping[str, str]) -> None:
        # Not super().__init__(): it looks for an engine of its own, and sets DOCKER_HOST.
        self.client = cast("Any", _Shared(engine.docker))
        self.labels = dict(labels)
        self.local = is_local(engine.endpoint)
        self._endpoint = engine.endpoint

    @property
    def loopback(self) -> bool:
        """Whether a port published on loopback can be reached from here."""
        return self.local or self.host() in ("localhost", _LOOPBACK)

    def create(self, image: str, *args: Any, **kwargs: Any) -> Any:
        """As upstream's, with our labels, and with ports on loopback only where that is reachable."""
        kwargs["labels"] = {**(kwargs.get("labels") or {}), **self.labels}
        if self.loopback:
            kwargs["ports"] = {port: _on_loopback(host) for port, host in (kwargs.get("ports") or {}).items()}
        return super().create(image, *args, **kwargs)

    def client_networks_create(self, name: str, param: dict[str, Any]) -> Any:
        """As upstream's, with our labels."""
        return super().client_networks_create(name, {**param, "labels": {**(param.get("labels") or {}), **self.labels}})

    def find_host_network(self) -> str | None:
        return None if self.local else super().find_host_network()

    def get_connection_mode(self) -> ConnectionMode:
        # testcontainers takes an engine for its own container's host wherever it runs in one itself.
        known = self.local or bool(_host_of(self._endpoint.url))
        if known and testcontainers_config.connection_mode_override is None:
            return ConnectionMode.docker_host
        return super().get_connection_mode()

    def host(self) -> str:
        # "localhost" may mean ::1 first, where nothing is published.
        if self.local and not testcontainers_config.tc_host_override:
            return _LOOPBACK
        if not testcontainers_config.tc_host_override and (there := _host_of(self._endpoint.url)):
            return there
        return super().host()


@functools.lru_cache(maxsize=8)
def _host_of(url: str) -> str:
    """The host of a remote engine, where its published ports answer; ``""`` for a socket of this machine."""
    parts = urlsplit(url)
    return host_of(url) if parts.scheme == "ssh" else parts.hostname or "" if parts.scheme != "unix" else ""


def publishing_address(engine: Engine) -> str:
    """The host address at which ports are published unless the user names one: loopback where that is reachable."""
    return _LOOPBACK if EngineClient(engine, {}).loopback else "0.0.0.0"


def _on_loopback(host: Any) -> Any:
    if host is None:
        return (_LOOPBACK,)
    return (_LOOPBACK, host) if isinstance(host, int) else host


class _Hands:
    """Counts who is inside ``constructing``: what is replaced is put back by the last one."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = 0
        self.local = threading.local()
        self.before: tuple[Any, ...] = ()

    def client(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def make(**kwargs: Any) -> Any:
            # Other threads' containers are none of ours.
            ours = getattr(self.local, "client", None)
            return original(**kwargs) if ours is None else ours

        return make


_HANDS = _Hands()


@contextlib.contextmanager
def constructing(client: EngineClient) -> Iterator[None]:
    """Within: testcontainers objects that this thread makes or starts get ``client``, and no reaper is started.

    Every container of testcontainers makes a client in its constructor, which fails where no engine is found by
    default; there is no parameter to hand one in.
    """
    outer = getattr(_HANDS.local, "client", None)
    with _HANDS.lock:
        _HANDS.inside += 1
        if _HANDS.inside == 1:
            _HANDS.before = (*(maker.DockerClient for maker in _MAKERS), testcontainers_config._ryuk_disabled)
            for maker in _MAKERS:
                maker.DockerClient = _HANDS.client(maker.DockerClient)
            testcontainers_config._ryuk_disabled = True
    _HANDS.local.client = client
    try:
        yield
    finally:
        _HANDS.local.client = outer
        with _HANDS.lock:
            _HANDS.inside -= 1
            if _HANDS.inside == 0:
                *clients, testcontainers_config._ryuk_disabled = _HANDS.before
                for maker, before in zip(_MAKERS, clients, strict=True):
                    maker.DockerClient = before


class LabContainer(DockerContainer):
    """A testcontainers container whose creation and start go through our engine's verbs (``RunSpec``).

    Its wait strategies and ``get_container_host_ip`` are testcontainers' own.
    """

    def __init__(self, engine: Engine, client: EngineClient, spec: RunSpec) -> None:
        with constructing(client):
            super().__init__(spec.image)
        self.image = spec.image  # without the prefix for names of Docker Hub: ours are resolved already
        self.engine = engine
        self.spec = spec
        self.warnings: tuple[str, ...] = ()
        self._id = ""

    @classmethod
    def over(cls, engine: Engine, client: EngineClient, spec: RunSpec, identity: str) -> LabContainer:
        """One for a container that is there already."""
        made = cls(engine, client, spec)
        made._id = identity
        return made

    def create(self) -> str:
        """Create it, not yet started: its id."""
        created = self.engine.containers.create(self.spec)
        self._id = created.id
        self.warnings = tuple(created.warnings)
        return self._id

    def start(self) -> LabContainer:
        """Start it (creating it first if need be); the lab waits for its strategy."""
        self.engine.containers.start(self._id or self.create())
        return self

    def get_wrapped_container(self) -> Any:
        """docker-py's container, looked up when a wait strategy wants it."""
        if self._container is None:
            with translating(f"container {self._id[:12]!r}"):
                self._container = self.engine.docker.containers.get(self._id)
        return self._container

    def get_logs(self) -> tuple[bytes, bytes]:
        # What is waited for stands at the beginning or has just been said, however much there is between.
        logs = self.engine.containers.logs(self._id, ends=True)
        return logs.stdout, logs.stderr

    def get_exposed_port(self, port: int) -> int:
        # testcontainers' own first waits for the container to run, for ever if it has ended.
        return self.published(port, "tcp")

    def published(self, port: int, protocol: str) -> int:
        """The port at which a port of it answers at ``get_container_host_ip``.

        Raises:
            NotFound: it is not published, or the container does not run.
        """
        found = self.engine.containers.port(self._id, port, protocol)
        if found is None:
            state = self.engine.containers.state(self._id)
            have = ", ".join(f"{each.container}/{each.protocol}" for each in self.spec.ports) or "none"
            raise NotFound(
                f"container {self.spec.image} ({state}) publishes no port {port}/{protocol}",
                remedy="only a running one does: look at its log for why it has ended"
                if state.ended
                else f"ask for it: lab.run(…, ports=[{port}]); it was asked for: {have}",
            )
        return found[1] if self.get_docker_client().get_connection_mode().use_mapped_port else port

    def reload(self) -> None:
        self.get_wrapped_container().reload()

    @property
    def status(self) -> str:
        return self.engine.containers.state(self._id).status

    def get_container_id(self) -> str:
        return self._id


def adopted(thing: object, client: EngineClient) -> DockerContainer | Network:
    """A testcontainers object, not yet started, put under our client.

    Args:
        thing: a container or a network that was not started yet, or a callable that makes one.

    Raises:
        UsageError: something else, or started already.
    """
    with constructing(client):
        made = thing if isinstance(thing, (DockerContainer, Network)) else thing() if callable(thing) else None
    if not isinstance(made, (DockerContainer, Network)):
        raise UsageError(
            f"not a testcontainers container or network: {thing!r}",
            remedy='give one that is not started, or what makes it: lab.adopt(lambda: RedisContainer("redis:7"))',
        )
    if (made._container if isinstance(made, DockerContainer) else made._network) is not None:
        raise UsageError(
            f"{type(made).__name__} {getattr(made, 'image', made)} is started already",
            remedy="give it to lab.adopt before it is started: labels are written when it is created",
        )
    made._docker = client
    return made


def start(made: DockerContainer | Network, client: EngineClient, image_for: Callable[[str], str]) -> None:
    """Start what ``adopted`` returned.

    Args:
        image_for: brings an image, and says what it is called on this engine.
    """
    if isinstance(made, DockerContainer):
        made.image = image_for(made.image)
    with constructing(client), translating(f"adopted {type(made).__name__}"):
        made.create() if isinstance(made, Network) else made.start()


def end(made: DockerContainer | Network) -> None:
    """Stop and remove what ``start`` started, however far it got."""
    with translating(f"adopted {type(made).__name__}"):
        if isinstance(made, Network):
            if made._network is not None:
                made.remove()
        elif made._container is not None:
            made.stop()
