"""What a lab has besides images and containers: volumes, networks, registries, folders."""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.lab import tc
from pytest_dockerlab.lab.registry import Registry
from pytest_dockerlab.lab.resources import Network, Volume, tar_of
from pytest_dockerlab.lab.transfer import copy_to

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.lab.containers import ContainerMaker
    from pytest_dockerlab.lab.folders import Folders
    from pytest_dockerlab.lab.images import OwnedImages
    from pytest_dockerlab.lab.ownership import ClosingStack, Ownership

__all__ = ["Supplies"]


class Supplies:
    """The part of ``Lab`` that makes what containers use."""

    def __init__(
        self,
        engine: Engine,
        ownership: Ownership,
        stack: ClosingStack,
        folders: Folders,
        images: OwnedImages,
        containers: ContainerMaker,
    ) -> None:
        self.engine = engine
        self.ownership = ownership
        self._stack = stack
        self._folders = folders
        self._images = images
        self._containers = containers
        self._closed = False

    def volume(
        self, name: str = "", *, content: Mapping[str, bytes | str] | None = None, source: str | Path | None = None
    ) -> Volume:
        """A named volume.

        Args:
            name: made up if empty.
            content: files to put into it: path in the volume → content.
            source: a folder, or a file, whose copy is put into it, as root's: what a bind mount can't be where the
                engine does not see this machine's files.

        Raises:
            UsageError: there is no such folder or file.
        """
        self._check_open()
        made = self.engine.volumes.create(name, labels=self.ownership.labels)
        self._stack.push(
            f"volume {made}", lambda: self.engine.volumes.remove(made, force=True), labelled=True, thing=made
        )
        volume = Volume(name=made, engine=self.engine)
        if content or source is not None:
            helper = self._containers.create("alpine", None, {"volumes": {volume: "/volume"}}, 60)
            if source is not None:
                place = Path(source)
                copy_to(self.engine, helper.id, place, f"/volume/{place.name}" if place.is_file() else "/volume")
            if content:
                self.engine.containers.put(helper.id, "/volume", tar_of(content))
            helper.remove()
        return volume

    def network(self, name: str = "", *, internal: bool = False) -> Network:
        """A bridge network.

        Args:
            name: made up if empty.
            internal: nothing in it reaches the outside; this machine itself can be reached.
        """
        self._check_open()
        name = name or f"dockerlab-{self.ownership.run}-{secrets.token_hex(3)}"
        made = self.engine.networks.create(name, labels=self.ownership.labels, internal=internal)
        self._stack.push(
            f"network {name}", lambda: self.engine.networks.remove(made, force=True), labelled=True, thing=made
        )
        return Network(name=name, id=made, engine=self.engine)

    def registry(self) -> Registry:
        """A registry of its own, on loopback.

        Raises:
            CapabilityMissing: the engine runs elsewhere, where our loopback is not its own.
            EngineStartFailed: the program docker-registry is not installed.
        """
        self._check_open()
        from pytest_dockerlab.engine.private.registry import RegistryProcess

        # A rootless dockerd has a loopback of its own.
        if not tc.is_local(self.engine.endpoint) or self.engine.info.rootless:
            self.engine.capabilities.require("loopback_registry")
        storage = Path(tempfile.mkdtemp(prefix="dockerlab-registry-", dir=self.engine.scratch))
        process = RegistryProcess(storage, scratch=self.engine.scratch)
        self._stack.push("registry", lambda: Registry.end(process, storage))
        process.start()
        self._images.registries.add(process.address)
        return Registry(process.address, storage, self._images)

    def owned_dir(self, uid: int, gid: int | None = None, mode: int = 0o755) -> Path:
        """A new folder of the host that belongs to ``uid`` (and ``gid``, the same number by default).

        Raises:
            CapabilityMissing: the engine does not see this machine's files.
        """
        self._check_open()
        if not tc.is_local(self.engine.endpoint):
            self.engine.capabilities.require("local_files")
        if self.engine.info.rootless:
            self.engine.capabilities.require("host_ownership")
        folder = self._folders.make(uid, uid if gid is None else gid, mode)
        self._stack.push(f"folder {folder}", lambda: self._folders.remove(folder), thing=str(folder))
        self._containers.own_folders.add(str(folder))
        return folder

    def _check_open(self) -> None:
        if self._closed:
            raise UsageError(
                f"this lab is closed: its {self.ownership.scope} has ended",
                remedy="take the lab of a longer scope (lab_module, lab_session, lab_run)",
            )
