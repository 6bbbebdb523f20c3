"""The lab of the whole run: what one of its processes has made, the others take over."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.lab import Build, Container, Lab
from pytest_dockerlab.lab.ownership import LABEL_RUN, LABEL_SHARED
from pytest_dockerlab.lab.waiting import wait_until_ready
from pytest_dockerlab.quantity import to_seconds
from pytest_dockerlab.run.parse import parse_run

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from pytest_dockerlab.lab.images import ImageLike
    from pytest_dockerlab.lab.waiting import Wait
    from pytest_dockerlab.plugin.seat import Folder
    from pytest_dockerlab.plugin.sharing import Sharing
    from pytest_dockerlab.run.parse import Command, RunSettings

__all__ = ["RunLab"]


class RunLab(Lab):
    """``lab_run``: its containers are started once, and are everybody's in the run.

    ``run`` with the same image, command and settings gives the same container, in whichever process and test it is
    asked for. What is made by ``create`` belongs to its caller alone.
    """

    def __init__(
        self, *args: Any, sharing: Sharing, folder: Folder, tell: Callable[[str], None], **settings: Any
    ) -> None:
        """Args:
        sharing: this process's part in what is shared.
        folder: the run's, where descriptions of images are kept.
        tell: gets a line when a container that was shared has died.
        """
        super().__init__(*args, **settings)
        self._sharing = sharing
        self._folder = folder
        self._tell = tell

    def run(
        self,
        image: ImageLike,
        command: Command | None = None,
        *,
        wait: Wait | None = None,
        check: bool = False,
        timeout: float | str = 60,
        ahead: bool = False,
        **settings: Unpack[RunSettings],
    ) -> Container:
        """As ``Lab.run``, never ahead; asked for again, in any process of the run, it is the same container."""
        key = _key(image, command, settings)
        return self.shared(key, image, command, wait=wait, check=check, timeout=timeout, **settings)

    def shared(
        self,
        key: str,
        image: ImageLike,
        command: Command | None = None,
        *,
        wait: Wait | None = None,
        check: bool = False,
        timeout: float | str = 60,
        **settings: Unpack[RunSettings],
    ) -> Container:
        """The run's container of this key: made, or taken over if it is there and lives.

        One that ended with 0 and has nothing to be ready for has done its work, and is taken over, too.
        """
        self._check_open()
        key = f"{self.platform}: {key}"
        slug = self._sharing.slug(key)

        def make() -> Container:
            self._clear(slug, by_name=bool(settings.get("name")))
            return self._containers.run(
                image,
                command,
                settings,
                wait=wait,
                check=False,
                timeout=to_seconds(timeout),
                labels={LABEL_SHARED: slug},
            )

        def take(identity: str) -> Container | None:
            try:
                container = self.container(identity, timeout=timeout)
                state = container.state
            except NotFound:
                return None
            if not state.running and (wait is not None or state.status != "exited" or state.exit_code):
                self._tell(f"the run's container {container.spec.name} is {state}: it is made anew")
                return None
            if wait is not None:
                wait_until_ready(container.testcontainer, wait, to_seconds(timeout))
            # Its log explains a failure here as well as there.
            self._containers.made.setdefault(container.id, container.spec.image)
            return container

        container = self._sharing.once(key, make, lambda container: container.id, take)
        return container.check() if check else container

    def _clear(self, slug: str, *, by_name: bool) -> None:
        """Remove what stands in the way of a new one: what its maker died over, and one whose name is wanted again.

        Of those that ended, the others stay until the run's end: their logs may explain something.
        """
        for container in self.engine.containers.list({LABEL_RUN: self.ownership.run, LABEL_SHARED: slug}):
            if by_name or self.engine.containers.state(container.id).running:
                self.engine.containers.remove(container.id, force=True, volumes=True)

    def shared_build(self, key: str, make: Callable[[], Build]) -> Build:
        """The run's image of this key: built, or taken over with the record of how it was built."""
        key = f"{self.platform}: {key}"
        slug = self._sharing.slug(key)

        def keep(build: Build) -> str:
            # Where its files can be looked at is a connection of this process's: no other can use it.
            plain = replace(build, image=replace(build.image, files=None), base=replace(build.base, files=None))
            self._folder.write_bytes(f"{slug}.build", pickle.dumps(plain))
            return build.name

        def take(name: str) -> Build | None:
            try:
                image = self.engine.images.get(name)
            except NotFound:
                return None
            build = pickle.loads(self._folder.read_bytes(f"{slug}.build"))
            assert isinstance(build, Build)
            return replace(build, image=image, base=self._again(build.base))

        return self._sharing.once(key, make, keep, take)

    def _again(self, base: Image) -> Image:
        try:
            return self.engine.images.get(base.id) if base.id else base
        except NotFound:
            return base


def _key(image: ImageLike, command: Command | None, settings: RunSettings) -> str:
    """What makes a container the same as another one.

    Raises:
        UsageError: a setting that can't be meant.
    """
    spec = parse_run(image if isinstance(image, str) else image.id, command, **settings)
    return json.dumps(asdict(spec), sort_keys=True, default=str)
