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
from pytest_dockerlab.lab.names import OWN_PREFIX
from pytest_dockerlab.lab.ownership import ClosingStack, Ownership
from pytest_dockerlab.lab.stock import Asked, Order, Stock
from pytest_dockerlab.lab.waiting import Wait, as_strategy, wait_until_ready
from pytest_dockerlab.platforms import Platform, patience, runs_on
from pytest_dockerlab.quantity import to_seconds
from pytest_dockerlab.run.ahead import may_go_later
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
        stock: Stock | None = None,
        platform: Platform | None = None,
    ) -> None:
        self._engine = engine
        self._images = images
        self._folders = folders
        self._stack = stack
        self._recorder = recorder
        self._ownership = ownership
        self._stock = stock
        self._platform = platform or engine.info.platform
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
        spec, found = self._read(image, command, settings, labels)
        return self._own(self._made(spec), found, _said(image), to_seconds(timeout))

    def _read(
        self,
        image: ImageLike,
        command: Command | None,
        settings: RunSettings,
        labels: Mapping[str, str] | None,
    ) -> tuple[RunSpec, Image]:
        """What is asked for, complete; its image is brought."""
        platform = settings.get("platform")
        wanted = Platform.parse(platform) if isinstance(platform, str) else platform
        # Read before anything is brought: a slip in a setting should cost nothing.
        address = "127.0.0.1" if self.client.loopback else "0.0.0.0"
        spec = parse_run("", command, address=address, **settings)
        reference, found = self._images.bring(image, wanted)
        return self._owned(spec, reference, found, labels or {}), found

    def create_of(self, image: ImageLike, spec: RunSpec, timeout: float) -> Container:
        """Create one of a spec that was made elsewhere, not started; the spec's own image does not count."""
        reference, found = self._images.bring(image, spec.platform)
        return self._own(self._made(self._owned(spec, reference, found, {})), found, _said(image), timeout)

    def _owned(self, spec: RunSpec, reference: str, found: Image, labels: Mapping[str, str]) -> RunSpec:
        """The spec of a container of this lab."""
        # Another platform than the engine's has to be asked for: of containerd's store, or it is refused.
        platform = spec.platform or (None if runs_on(found.platform, self._engine.info.platform) else found.platform)
        labels = {**spec.labels, **labels, **self._ownership.labels}
        spec = replace(spec, image=reference, labels=labels, platform=platform)
        self._watch_folders(spec)
        return spec

    def _made(self, spec: RunSpec) -> tc.LabContainer:
        made = tc.LabContainer(self._engine, self.client, spec)
        made.create()
        return made

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
        ahead: bool = True,
    ) -> Container:
        """Create, start and wait; or wait for one that was started ahead.

        Args:
            labels: as in ``create``.
            ahead: it may have been.

        Raises:
            StartFailed: its process could not be started.
            WaitTimedOut, ContainerFailed: it did not become ready.
            ContainerFailed: with ``check``, it ended with another code than 0.
        """
        if wait is not None:
            as_strategy(wait)
        started = time.monotonic()
        limit = to_seconds(timeout)
        spec, found = self._read(image, command, settings, labels)
        asked = spec.platform if settings.get("platform") else None
        ready = self._taken(spec, found, patient=wait is not None) if ahead else None
        made = ready or self._made(spec)
        later = may_go_later(spec)
        container = self._own(made, found, _said(image), limit, later=later, started=ready is not None)
        ok = False
        try:
            if ready is None:
                container.start()
            if wait is not None:
                wait_until_ready(container.testcontainer, wait, container.timeout)
            ok = True
        finally:
            seconds = round(time.monotonic() - started, 3)
            scope = self._ownership.scope
            self._recorder.add(
                ContainerEvent(
                    name=container.id[:12],
                    image=_said(image),
                    seconds=seconds,
                    ok=ok,
                    scope=scope,
                    ahead=ready is not None,
                    odd="" if runs_on(found.platform, asked or self._platform) else str(found.platform),
                )
            )
        return container.check() if check else container

    def _taken(self, spec: RunSpec, image: Image, *, patient: bool) -> tc.LabContainer | None:
        if self._stock is None:
            return None
        asked = Asked(
            order=Order(spec=spec, patient=patient),
            image=image.id,
            # What a test builds or names goes with the test.
            lasting=self._ownership.scope != "test" or spec.image not in self._images.names,
            passing=spec.image.startswith(OWN_PREFIX),
        )
        found = self._stock.take(asked)
        if found is None:
            return None
        made = tc.LabContainer.over(self._engine, self.client, spec, found.id)
        made.warnings = found.warnings
        return made

    def _own(
        self,
        made: tc.LabContainer,
        image: Image,
        said: str,
        timeout: float,
        *,
        later: bool = False,
        started: bool = False,
    ) -> Container:
        identity = made.get_container_id()
        what = f"container {identity[:12]} of {said}"
        ticket = self._stack.push(what, lambda: self._remove(identity), labelled=True, later=later, thing=identity)
        self.made[identity] = said

        def forget() -> None:
            self._stack.discard(ticket)
            self.made.pop(identity, None)

        timeout *= patience(image.platform, self._engine.info.platform)
        return Container(made, image, timeout=timeout, on_remove=forget, own_image=self._images.commit, started=started)

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
