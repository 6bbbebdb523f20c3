"""Making containers for a lab: settings read, image brought, created, owned, started, waited for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.image.model import Image
from pytest_dockerlab.lab import tc
from pytest_dockerlab.lab.container import Container
from pytest_dockerlab.lab.events import ContainerEvent, Recorder
from pytest_dockerlab.lab.folders import Folders
from pytest_dockerlab.lab.images import ImageLike, OwnedImages
from pytest_dockerlab.lab.ownership import ClosingStack, Ownership
from pytest_dockerlab.lab.waiting import Wait, as_strategy, wait_until_ready
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_seconds
from pytest_dockerlab.run.parse import Command, RunSettings, parse_run
from pytest_dockerlab.run.spec import RunSpec

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["ContainerMaker"]


class ContainerMaker:
    """Makes containers, and knows those it made."""

    def __init__(
        self,
        engine: Engine,
        images: OwnedImages,
        folders: Folders,
        stack: ClosingStack,
        recorder: Recorder,
        ownership: Ownership,
    ) -> None:
        self._engine = engine
        self._images = images
        self._folders = folders
        self._stack = stack
        self._recorder = recorder
        self._ownership = ownership
        self.client = tc.EngineClient(engine, ownership.labels)
        # id → name of the image, oldest first: what a failure's evidence tells about.
        self.made: dict[str, str] = {}
        self.own_folders: set[str] = set()

    def create(
        self,
        image: ImageLike,
        command: Command | None,
        settings: RunSettings,
        timeout: float,
        *,
        labels: Mapping[str, str] | None = None,
    ) -> Container:
        """Create one, not started.

        Args:
            labels: of ours, beside those of ownership.

        Raises:
            UsageError: a setting that can't be meant.
            Conflict: the name is taken.
        """
        platform = settings.get("platform")
        wanted = Platform.parse(platform) if isinstance(platform, str) else platform
        # Read before anything is brought: a slip in a setting should cost nothing.
        address = "127.0.0.1" if self.client.loopback else "0.0.0.0"
        spec = parse_run("", command, address=address, **settings)
        limit = to_seconds(timeout)
        reference, found = self._images.bring(image, wanted)
        return self._of_spec(replace(spec, labels={**spec.labels, **(labels or {})}), reference, found, image, limit)

    def create_of(self, image: ImageLike, spec: RunSpec, timeout: float) -> Container:
        """Create one of a spec that was made elsewhere, not started; the spec's own image does not count."""
        reference, found = self._images.bring(image, spec.platform)
        return self._of_spec(spec, reference, found, image, timeout)

    def _of_spec(self, spec: RunSpec, reference: str, found: Image, image: ImageLike, timeout: float) -> Container:
        spec = replace(spec, image=reference, labels={**spec.labels, **self._ownership.labels})
        self._watch_folders(spec)
        return self._created(tc.LabContainer(self._engine, self.client, spec), found, _said(image), timeout)

    def run(
        self,
        image: ImageLike,
        command: Command | None,
        settings: RunSettings,
        *,
        wait: Wait | None,
        check: bool,
        timeout: float,
        labels: Mapping[str, str] | None = None,
    ) -> Container:
        """Create, start and wait; ``labels`` as in ``create``.

        Raises:
            StartFailed: its process could not be started.
            WaitTimedOut, ContainerFailed: it did not become ready.
            ContainerFailed: with ``check``, it ended with another code than 0.
        """
        if wait is not None:
            as_strategy(wait)
        started = time.monotonic()
        container = self.create(image, command, settings, timeout, labels=labels)
        ok = False
        try:
            container.start()
            if wait is not None:
                wait_until_ready(container.testcontainer, wait, container.timeout)
            ok = True
        finally:
            seconds = round(time.monotonic() - started, 3)
            scope = self._ownership.scope
            self._recorder.add(
                ContainerEvent(name=container.id[:12], image=_said(image), seconds=seconds, ok=ok, scope=scope)
            )
        return container.check() if check else container

    def _created(self, made: tc.LabContainer, image: Image, said: str, timeout: float) -> Container:
        identity = made.create()
        what = f"container {identity[:12]} of {said}"
        ticket = self._stack.push(what, lambda: self._remove(identity), labelled=True, thing=identity)
        self.made[identity] = said

        def forget() -> None:
            self._stack.discard(ticket)
            self.made.pop(identity, None)

        return Container(made, image, timeout=timeout, on_remove=forget, own_image=self._images.commit)

    def _remove(self, identity: str) -> None:
        self.made.pop(identity, None)
        self._engine.containers.remove(identity, force=True, volumes=True)

    def _watch_folders(self, spec: RunSpec) -> None:
        # Pushed before the container is: closed after it, when nobody writes any more.
        for mount in spec.mounts:
            if mount.kind == "bind" and not mount.read_only and mount.source not in self.own_folders:
                folder, since = Path(mount.source), time.time()
                self._stack.push(
                    f"files in {folder}",
                    lambda folder=folder, since=since: self._folders.hand_over(folder, since),  # type: ignore[misc]
                )

    def take(self, identity: str, timeout: float) -> Container:
        """A handle for a container that is there already, and stays its maker's.

        Raises:
            NotFound: no such container.
        """
        inspect = self._engine.containers.inspect(identity)
        made = tc.LabContainer.over(self._engine, self.client, _spec_of(inspect), str(inspect["Id"]))
        return Container(
            made, self._engine.images.get(str(inspect["Image"])), timeout=timeout, own_image=self._images.commit
        )

    def adopt(self, thing: Any) -> Any:
        """Start a testcontainers object under our ownership."""
        started = time.monotonic()
        made = tc.adopted(thing, self.client)
        title = f"{type(made).__name__} {getattr(made, 'image', '')}".strip()
        # Before the start: what fails half-way has to go, too.
        ticket = self._stack.push(title, lambda: tc.end(made), labelled=True)
        tc.start(made, self.client, lambda ref: self._images.bring(ref)[0])
        if isinstance(made, tc.DockerContainer):
            identity = made.get_container_id()
            self._stack.name(ticket, identity)
            self.made[identity] = made.image
            self._recorder.add(
                ContainerEvent(
                    name=identity[:12],
                    image=made.image,
                    seconds=round(time.monotonic() - started, 3),
                    scope=self._ownership.scope,
                )
            )
        return made


def _said(image: ImageLike) -> str:
    return image if isinstance(image, str) else image.name


def _spec_of(inspect: Mapping[str, Any]) -> RunSpec:
    """As much of what was asked for as the handle itself uses."""
    config: Mapping[str, Any] = inspect.get("Config") or {}
    command = config.get("Cmd")
    return RunSpec(
        image=str(config.get("Image") or inspect.get("Image") or ""),
        command=tuple(command) if command else None,
        name=str(inspect.get("Name") or "").lstrip("/"),
        tty=bool(config.get("Tty")),
        stdin=bool(config.get("OpenStdin")),
        labels=config.get("Labels") or {},
    )
