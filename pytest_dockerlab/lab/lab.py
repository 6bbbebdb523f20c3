"""The Lab: it makes images, containers, volumes, networks, registries and folders, and removes what it made."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, overload

from pytest_dockerlab.build.spec import BuilderName, BuildLimits
from pytest_dockerlab.engine.support import require
from pytest_dockerlab.errors import BuildFailed
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.lab import failure
from pytest_dockerlab.lab.asked import read_build
from pytest_dockerlab.lab.build import Build
from pytest_dockerlab.lab.building import Bases
from pytest_dockerlab.lab.container import Container
from pytest_dockerlab.lab.containers import ContainerMaker
from pytest_dockerlab.lab.events import Recorder
from pytest_dockerlab.lab.folders import Folders
from pytest_dockerlab.lab.fresh import FreshCache
from pytest_dockerlab.lab.images import ImageLike, OwnedImages
from pytest_dockerlab.lab.ownership import ClosingStack, Owner, Ownership
from pytest_dockerlab.lab.prebuilt import Prebuilt
from pytest_dockerlab.lab.removal import Remover
from pytest_dockerlab.lab.stock import Stock
from pytest_dockerlab.lab.supplies import Supplies
from pytest_dockerlab.lab.waiting import Wait
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_seconds
from pytest_dockerlab.reaping.kept import Kept, keep
from pytest_dockerlab.run.parse import Command, RunSettings
from pytest_dockerlab.run.spec import RunSpec
from pytest_dockerlab.settings import Settings

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pytest_dockerlab.engine.content import Turn
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.results import Transfer

__all__ = ["FreshCache", "Lab"]

T = TypeVar("T")


class Lab(Supplies):
    """Makes things for tests, and owns them: they go in reverse order when it is closed.

    Attributes:
        engine: what it works on, for verbs that no handle has.
        bases: brings its base images.
        scope: ``test``, ``module``, ``session`` or ``run``: when it is closed.
        ownership: the labels on everything that it makes.
        recorder: what it did.
    """

    def __init__(
        self,
        engine: Engine,
        bases: Bases,
        *,
        scope: str = "test",
        run: str = "",
        settings: Settings | None = None,
        recorder: Recorder | None = None,
        owner: Owner | None = None,
        on_progress: Callable[[str], None] | None = None,
        turn: Turn | None = None,
        stock: Stock | None = None,
        platform: Platform | None = None,
        prebuilt: Prebuilt | None = None,
    ) -> None:
        """Args:
        bases: brings base images.
        run: name of the run, the same in all its processes.
        owner: the process whose end is the end of what is made; this one by default.
        on_progress: gets a line for people when a build moves on.
        turn: held while a content is built: others that build the same wait, and find it in the cache.
        stock: has containers that were made ahead.
        platform: of its images and containers, unless a call names another; ``None`` for the engine's own.
        prebuilt: has images that were built ahead.
        """
        self._platform = platform
        self.scope = scope
        self.bases = bases
        self.recorder = recorder if recorder is not None else Recorder()
        run = run or secrets.token_hex(4)
        ownership, stack = Ownership(run=run, owner=owner or Owner.of(), scope=scope), ClosingStack()
        self._settings = settings or Settings()
        self._images = OwnedImages(
            engine,
            bases,
            stack,
            self.recorder,
            run=run,
            scope=scope,
            on_progress=on_progress,
            turn=turn,
            platform=platform,
            prebuilt=prebuilt,
        )
        # A helper that runs: without an emulator.
        folders = Folders(engine, lambda ref: self._images.bring(ref, engine.info.platform)[0], ownership.labels)
        self._containers = ContainerMaker(
            engine, self._images, folders, stack, self.recorder, ownership, stock, platform
        )
        self._stock = stock
        super().__init__(engine, ownership, stack, folders, self._images, self._containers)
        self._fresh: list[str] = []
        self._failed_build: BuildFailed | None = None

    def __repr__(self) -> str:
        return f"<Lab of one {self.scope}: {len(self._stack)} things{', closed' if self._closed else ''}>"

    @property
    def platform(self) -> Platform:
        """What it makes images and containers for."""
        return self._platform or self.engine.info.platform

    # Images

    def build(
        self,
        source: str | Path,
        *,
        dockerfile: str | Path | None = None,
        context: str | Path | None = None,
        tag: str | None = None,
        args: Mapping[str, str] | None = None,
        target: str = "",
        platform: str | Platform | None = None,
        no_cache: bool = False,
        pull: bool = False,
        fresh: str | None = None,
        network: str = "default",
        labels: Mapping[str, str] | None = None,
        extra_hosts: Mapping[str, str] | None = None,
        timeout: float | str = 600,
        builder: BuilderName | None = None,
        base: ImageLike | None = None,
        secrets: Mapping[str, str] | None = None,
        ssh: Mapping[str, str] | None = None,
        limits: BuildLimits | None = None,
    ) -> Build:
        """Build an image; its bases are brought first.

        Args:
            source: the name of a folder below ``dockerfiles/``; the path of a folder or Dockerfile; or a Dockerfile's
                text (it has a line break).
            dockerfile: within the source's folder, if it is not called ``Dockerfile``.
            context: folder to send, if it is not the source's own; a text has an empty one by default.
            tag: a further name; ``""`` leaves the image without any, as ``docker build`` does.
            fresh: what ``fresh_cache()`` gave.
            timeout: seconds after which the build is cancelled.
            base: what the last stage shall start from, instead of what is written there.
            limits: of its RUN steps; needs ``fresh``, and an engine that has the capability ``build_limits``.

        Raises:
            UsageError: nothing to build there, or a value that can't be meant.
            BuildFailed: a step failed; shows it, its log, and the line in the Dockerfile.
            BaseImageMissing: a base can't be had.
        """
        self._check_open()
        order = read_build(
            source,
            dockerfiles=self._settings.dockerfiles,
            owned=self.ownership.labels,
            dockerfile=dockerfile,
            context=context,
            tag=tag,
            args=args,
            target=target,
            platform=platform or self._platform,
            no_cache=no_cache,
            pull=pull,
            fresh=fresh if fresh is not None else self._fresh[-1] if self._fresh else "",
            network=network,
            labels=labels,
            extra_hosts=extra_hosts,
            timeout=timeout,
            limits=limits,
            builder=builder,
            base=base,
            secrets=secrets,
            ssh=ssh,
        )
        try:
            return self._images.build(order)
        except BuildFailed as error:
            self._failed_build = error
            raise

    def fresh_cache(self) -> FreshCache:
        """A cache of its own: builds with the same one share it, and find nothing that was built before.

        ``fresh = lab.fresh_cache()`` and ``lab.build(…, fresh=fresh)``, or ``with lab.fresh_cache(): …``. It
        begins at the first RUN: a COPY before that may still be found in the engine's cache.
        """
        return FreshCache(self._fresh)

    def image(self, ref: str, *, platform: str | Platform | None = None) -> Image:
        """An image by its name, brought if the engine does not have it.

        Raises:
            BaseImageMissing: it can't be had.
        """
        self._check_open()
        return self._images.bring(ref, Platform.parse(platform) if isinstance(platform, str) else platform)[1]

    def pull(self, ref: str, *, platform: str | Platform | None = None) -> Transfer:
        """Pull an image, and say what became of each layer. From a registry of this lab, it is removed at the end."""
        self._check_open()
        return self._images.pull(ref, Platform.parse(platform) if isinstance(platform, str) else platform)

    def push(self, ref: str) -> Transfer:
        """Push an image to the registry that its name names, and say what became of each layer."""
        self._check_open()
        return self._images.push(ref)

    def tag(self, image: ImageLike, name: str) -> Image:
        """Give an image another name, until the end of this lab."""
        self._check_open()
        return self._images.tag(image, name)

    def save(self, image: ImageLike, path: Path) -> Path:
        """Write an image to ``path``, as ``docker save`` does."""
        self._check_open()
        return self._images.save(image, path)

    def load(self, path: Path) -> Image:
        """Read what ``save`` wrote; removed at the end if it was not there before."""
        self._check_open()
        return self._images.load(path)

    # Containers

    def run(
        self,
        image: ImageLike,
        command: Command | None = None,
        *,
        wait: Wait | None = None,
        check: bool = False,
        timeout: float | str = 60,
        ahead: bool = True,
        **settings: Unpack[RunSettings],
    ) -> Container:
        """Start a container, and return as soon as ``wait`` is satisfied (at once without it).

        ``.output`` and ``.exit_code`` of the result wait for its end.

        Args:
            image: a name, a build, an image.
            command: a list as it is; text is split as a shell would split it, and given to no shell.
            wait: a strategy of testcontainers, ``jupyter_ready()``, or a regular expression that its log must show.
            check: wait for its end, and raise unless it ends with 0.
            timeout: seconds for each wait: until it is ready, until it ends, until a command in it ends.
            ahead: it may have been started while an earlier test ran; say ``False`` where its age matters, as in a
                test of what it prints or uses within a time.
            settings: see ``RunSettings``: env, user, volumes, ports, cpus, memory, network, …

        Raises:
            UsageError: a setting that can't be meant; names it.
            StartFailed: its process could not be started (no such program: ``exit_code`` 127).
            WaitTimedOut, ContainerFailed: it did not become ready; shows the end of its log.
        """
        self._check_open()
        return self._containers.run(
            image, command, settings, wait=wait, check=check, timeout=to_seconds(timeout), ahead=ahead
        )

    def create(
        self,
        image: ImageLike,
        command: Command | None = None,
        *,
        timeout: float | str = 60,
        **settings: Unpack[RunSettings],
    ) -> Container:
        """Create a container without starting it; the arguments of ``run``."""
        self._check_open()
        return self._containers.create(image, command, settings, to_seconds(timeout))

    def create_of(self, image: ImageLike, spec: RunSpec, *, timeout: float | str = 60) -> Container:
        """As ``create``, of a spec that was made elsewhere; its image and labels are set here."""
        self._check_open()
        return self._containers.create_of(image, spec, to_seconds(timeout))

    def container(self, id: str, *, timeout: float | str = 60) -> Container:
        """A handle for a container that another lab (or nobody) owns: this one will not remove it.

        Raises:
            NotFound: no such container.
        """
        self._check_open()
        return self._containers.take(id, to_seconds(timeout))

    @overload
    def adopt(self, thing: Callable[[], T]) -> T: ...
    @overload
    def adopt(self, thing: T) -> T: ...
    def adopt(self, thing: Any) -> Any:
        """Start a testcontainers object on this lab's engine, and remove it at the end.

        Args:
            thing: one that is not started, or what makes it: ``lab.adopt(lambda: PostgresContainer("postgres:16"))``
                works without an engine at the default place, too.

        Returns:
            The object, started.
        """
        self._check_open()
        return self._containers.adopt(thing)

    # The lab itself

    def requires(self, capability: str) -> None:
        """Insist on a capability of the engine, as it is for this lab's platform.

        Raises:
            CapabilityMissing: with the reason.
            UsageError: there is no capability of this name.
        """
        if self._platform is None:
            self.engine.capabilities.require(capability)
        else:
            require(self.engine, self._platform, capability)

    def describe_failure(self) -> tuple[tuple[str, str], ...]:
        """Titles and texts that may explain a failed test: the build that failed, each container's state and log."""
        return failure.describe(self.engine, tuple(self._containers.made.items()), self._failed_build)

    def keep(self, test: str) -> Kept | None:
        """Have the containers that are there now, and what they need, survive this lab and its run.

        Args:
            test: on whose account.

        Returns:
            What is kept; ``None`` where there is no container.
        """
        kept = keep(
            self.engine,
            tuple(self._containers.made),
            run=self.ownership.run,
            test=test,
            folders=self._containers.own_folders,
            names=self._stack.things,
        )
        if kept is not None:
            self._stack.spare({*kept.things, *kept.folders, *kept.names})
        return kept

    def leave(self) -> None:
        """Close, and leave what carries the run's label to the sweep at the run's end; the rest is removed.

        For a process that ends while others of its run still use what it made.

        Raises:
            EngineError: as ``close``.
        """
        self._stack.forget_labelled()
        self.close()

    def close(self) -> None:
        """Remove everything that was made, last made first. Twice is fine.

        Raises:
            EngineError: some could not be removed; names each with its reason. The others are gone.
        """
        self._closing()
        self._stack.close()

    def retire(self, remover: Remover) -> None:
        """As ``close``, but containers that nobody will miss go in the background, several at a time.

        Raises:
            EngineError: as ``close``; what fails in the background is kept by the remover.
        """
        self._closing()
        if self.scope != "test":
            remover.wait()  # shorter labs' containers may be of this one's images, or in its networks
        self._stack.retire(remover.submit)

    def _closing(self) -> None:
        self._closed = True
        if self._stock is not None:
            self._stock.forget(self._images.names)

    def __enter__(self) -> Lab:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
