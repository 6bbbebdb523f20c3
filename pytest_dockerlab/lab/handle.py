"""What is known of a container from outside: its state, its limits, its ports, its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.image.model import FileStat, Image
from pytest_dockerlab.lab import transfer
from pytest_dockerlab.lab.kernel import read_kernel_limits, read_kernel_usage
from pytest_dockerlab.run.cgroups import KernelLimits, KernelUsage
from pytest_dockerlab.run.ports import split_port
from pytest_dockerlab.run.spec import Limits, RunSpec
from pytest_dockerlab.run.state import ContainerState, limits_of

if TYPE_CHECKING:
    from pytest_dockerlab.lab.tc import LabContainer
    from pytest_dockerlab.platforms import Platform

__all__ = ["Handle"]


class Handle:
    """The half of ``Container`` that changes nothing about its process.

    Attributes:
        id: the engine's.
        image: what it runs.
        spec: what was asked for.
        warnings: what the engine said when it was created, such as limits that it can't apply.
        testcontainer: the testcontainers object underneath, for its wait strategies and helpers.
    """

    def __init__(self, testcontainer: LabContainer, image: Image) -> None:
        self.testcontainer = testcontainer
        self.id: str = testcontainer.get_container_id()
        self.image = image
        self.spec: RunSpec = testcontainer.spec
        self.warnings = testcontainer.warnings
        self._engine = testcontainer.engine

    def __repr__(self) -> str:
        return f"<Container {self.spec.name or self.id[:12]} of {self.spec.image}>"

    # What it is

    @property
    def engine_platform(self) -> Platform:
        """That of the engine which runs it; its image may be for another one, and is emulated then."""
        return self._engine.info.platform

    def inspect(self) -> Mapping[str, Any]:
        """The engine's JSON about it.

        Raises:
            NotFound: it is gone.
        """
        return self._engine.containers.inspect(self.id)

    @property
    def name(self) -> str:
        """Its name on the engine, now."""
        return str(self.inspect().get("Name") or "").lstrip("/")

    @property
    def state(self) -> ContainerState:
        """Its state, now."""
        return self._engine.containers.state(self.id)

    @property
    def limits(self) -> Limits:
        """Its caps, as inspect shows them."""
        return limits_of(self.inspect())

    @property
    def kernel_limits(self) -> KernelLimits:
        """Its caps as the kernel enforces them, read from the cgroup files in it.

        Raises:
            ContainerFailed: it does not run.
        """
        return read_kernel_limits(self._engine, self.id)

    def usage(self) -> KernelUsage:
        """What it has used so far: CPU, memory, processes, throttling.

        Raises:
            ContainerFailed: it does not run.
        """
        return read_kernel_usage(self._engine, self.id)

    # Its files: by the archive API, so without a shell, and whether it runs or not

    def stat(self, path: str, *, owner: bool = True) -> FileStat:
        """The entry at ``path``; a symlink is not followed.

        Args:
            owner: find uid and gid, too, which takes the engine longer (27 ms instead of 1 while it runs).

        Raises:
            NotFound: no such path.
        """
        return self._engine.containers.stat(self.id, path, owner=owner)

    def exists(self, path: str) -> bool:
        """Whether there is anything at ``path``."""
        try:
            self._engine.containers.stat(self.id, path)
        except NotFound:
            self.inspect()  # The path is missing; if it is the container, that is an error.
            return False
        return True

    def read(self, path: str) -> bytes:
        """The content of a regular file; a symlink is followed.

        Raises:
            NotFound: no such file, or not a file.
        """
        return self._engine.containers.read(self.id, path)

    def write(self, path: str, content: str | bytes, *, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Write a file, and the folders above it.

        Raises:
            UsageError: its root is read-only.
        """
        transfer.write(self._engine, self.id, path, content, mode=mode, uid=uid, gid=gid)

    def list(self, path: str, *, deep: bool = False) -> tuple[FileStat, ...]:
        """What is in a folder, with owners; ``deep`` goes down into the folders in it.

        The engine sends the whole folder for it: mind its size.

        Raises:
            NotFound: no such folder.
        """
        return self._engine.containers.children(self.id, path, deep=deep)

    def copy_to(self, source: Path, target: str) -> None:
        """Copy a file or folder of the host to the path ``target`` in it, as root's."""
        transfer.copy_to(self._engine, self.id, source, target)

    def copy_from(self, source: str, target: Path) -> Path:
        """Copy a file or folder of it to the path ``target`` on the host (a folder that exists gets it inside)."""
        return transfer.copy_from(self._engine, self.id, source, target)

    def diff(self) -> Mapping[str, str]:
        """What differs from its image: path → ``added``, ``changed`` or ``deleted``."""
        return self._engine.containers.diff(self.id)

    # Its ports

    def port(self, port: int | str) -> int:
        """The host port that a container port (``8888``, ``"53/udp"``) is published on.

        Raises:
            NotFound: it is not published, or the container does not run.
        """
        return self.testcontainer.published(*split_port(port))

    @property
    def host(self) -> str:
        """The address at which its published ports answer, from here."""
        return str(self.testcontainer.get_container_host_ip())

    def url(self, port: int, path: str = "/", *, scheme: str = "http") -> str:
        """Where a published port answers: ``url(8888)`` → ``http://127.0.0.1:49153/``.

        Raises:
            NotFound: it is not published, or the container does not run.
        """
        return f"{scheme}://{self.host}:{self.port(port)}/{path.lstrip('/')}"
