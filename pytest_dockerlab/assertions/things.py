"""What an assertion can be asked about, and how its models are got from there.

The handles of a lab fit these protocols, and so does anything else that has the same
few attributes (a fake in a test, an adopted container).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeGuard, TypeVar

from pytest_dockerlab.build.trace import BuildTrace
from pytest_dockerlab.checks import process as check
from pytest_dockerlab.errors import LabError, NotFound, UsageError
from pytest_dockerlab.findings import Checked, demand
from pytest_dockerlab.image.inspect import config_of as read_config
from pytest_dockerlab.image.model import FileKind, FileStat, Image, ImageConfig
from pytest_dockerlab.run.cgroups import KernelLimits, KernelUsage
from pytest_dockerlab.run.spec import Limits, RunSpec
from pytest_dockerlab.run.state import ContainerState

__all__ = [
    "Executed",
    "HasImage",
    "HasLimits",
    "HasTrace",
    "Publishes",
    "RunsCommands",
    "Sight",
    "Thing",
    "config_of",
    "container",
    "demanded",
    "image_of",
    "insist_on_running",
    "is_container",
    "log_of",
    "name_of",
    "read",
    "sight",
    "trace_of",
]

T = TypeVar("T")


class HasImage(Protocol):
    """A build (or a container): something with an image."""

    @property
    def image(self) -> Image: ...


class HasTrace(Protocol):
    """A build, with what became of its steps."""

    @property
    def trace(self) -> BuildTrace: ...


class Executed(Protocol):
    """A command that ran in a container."""

    @property
    def exit_code(self) -> int: ...

    @property
    def output(self) -> str: ...

    @property
    def stderr(self) -> str: ...


class Printed(Protocol):
    """What a container has printed: both streams, as they came and apart."""

    @property
    def text(self) -> str: ...

    @property
    def stdout(self) -> bytes: ...

    @property
    def stderr(self) -> bytes: ...


class RunsCommands(Protocol):
    """A container."""

    @property
    def name(self) -> str: ...

    @property
    def state(self) -> ContainerState: ...

    def inspect(self) -> Mapping[str, Any]: ...

    def stat(self, path: str, *, owner: bool = True) -> FileStat: ...

    def read(self, path: str) -> bytes: ...

    def exec(self, command: Sequence[str], *, user: str = "", env: Mapping[str, str] | None = None) -> Executed: ...

    def logs(self) -> Printed: ...

    def wait(self, timeout: float | None = None) -> int: ...


class HasLimits(RunsCommands, Protocol):
    """A container whose caps can be read from all sides."""

    @property
    def spec(self) -> RunSpec: ...

    @property
    def limits(self) -> Limits: ...

    @property
    def kernel_limits(self) -> KernelLimits: ...

    def usage(self) -> KernelUsage: ...


class Publishes(RunsCommands, Protocol):
    """A container whose ports can be reached from here."""

    def url(self, port: int, path: str = "/") -> str: ...


Thing = Image | HasImage | RunsCommands


def is_container(thing: object) -> TypeGuard[RunsCommands]:
    """Whether commands can be executed in it."""
    # Looked up on the class: a handle's properties may wait or ask the engine.
    return callable(getattr(type(thing), "exec", None)) and callable(getattr(type(thing), "inspect", None))


def container(thing: object, what: str) -> RunsCommands:
    """The container.

    Raises:
        UsageError: it is none.
    """
    if is_container(thing):
        return thing
    raise UsageError(
        f"{what} needs a container, not {_kind(thing)}",
        remedy='run the image first: box = lab.run(image, ["sleep", "600"])',
    )


def _kind(thing: object) -> str:
    return f"{type(thing).__name__} {thing!r}"[:120]


def image_of(thing: object) -> Image:
    """The image: itself, a build's, or a container's.

    Raises:
        UsageError: none of these.
    """
    if isinstance(thing, Image):
        return thing
    image = getattr(thing, "image", None)
    if isinstance(image, Image):
        return image
    raise UsageError(
        f"not an image: {_kind(thing)}", remedy='give lab.build(…), lab.image("python:3.10"), or a container'
    )


def trace_of(build: object) -> BuildTrace:
    """The trace: itself, or a build's.

    Raises:
        UsageError: neither.
    """
    trace = build if isinstance(build, BuildTrace) else getattr(build, "trace", None)
    if isinstance(trace, BuildTrace):
        return trace
    raise UsageError(f"not a build: {_kind(build)}", remedy="give what lab.build(…) returned")


def name_of(thing: object) -> str:
    """What a finding calls it."""
    if is_container(thing):
        return f"container {thing.name}"
    return f"image {image_of(thing).name}"


def log_of(box: RunsCommands) -> str:
    """What it has printed, for a message: it explains a failure, and must not replace it."""
    try:
        return box.logs().text
    except LabError as error:
        return f"(no log: {error.what})"


def insist_on_running(box: RunsCommands, why: str, remedy: str) -> None:
    """Refuse a container of which something is asked that only a running one can show.

    Raises:
        CheckFailed: it has ended, which is its own doing; shows its exit code and the end of its log.
        UsageError: it was not started, which is the asker's.
    """
    state = box.state
    if state.ended:
        demand(check.running(state, of=name_of(box), log=log_of(box)))
    if not state.running:
        raise UsageError(f"{name_of(box)} is {state}: {why}", remedy=remedy)


def config_of(thing: object) -> ImageConfig:
    """How it is configured: a container as it runs (with what docker run changed), else the image."""
    if is_container(thing):
        return read_config(thing.inspect().get("Config") or {})
    return image_of(thing).config


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """A thing whose files are looked at, and what was asked about it beforehand, once for all looks.

    Attributes:
        of: what a finding calls it.
        hidden: places in a container that can't be seen from outside.
    """

    thing: object
    of: str
    hidden: tuple[str, ...] = ()

    def lookup(self, path: str, *, owner: bool = False, follow: bool = True) -> FileStat | None:
        """What is at an absolute path, symlinks followed; ``None`` for nothing (or a link to nothing).

        Args:
            owner: uid and gid are wanted, which a running container is slower to tell.

        Raises:
            UsageError: not an absolute path, or one that can't be seen from outside.
        """
        if not path.startswith("/"):
            raise UsageError(f"not an absolute path: {path!r}", remedy="write it from the root: /…")
        place = path
        # As many links as Linux follows (path_resolution(7)).
        for _ in range(40):
            found = self._stat(place, owner)
            if found is None or found.kind is not FileKind.SYMLINK or not follow:
                return found
            place = _target(found.path or place, found.link)
        return None

    def _stat(self, path: str, owner: bool) -> FileStat | None:
        try:
            if is_container(self.thing):
                self._refuse_hidden(path)
                return self.thing.stat(path, owner=owner)
            image = image_of(self.thing)
            if image.files is None:
                raise UsageError(
                    f"image {image.name} has no files to look at", remedy="take it from an engine or an archive"
                )
            return image.files.stat(path)
        except NotFound:
            return None

    def _refuse_hidden(self, path: str) -> None:
        """The archive API looks below a mount that only the container sees."""
        for place in self.hidden:
            if f"{path.rstrip('/')}/".startswith(f"{place.rstrip('/')}/"):
                raise UsageError(
                    f"{path} can't be seen from outside of the container: {place} is a mount in its memory",
                    remedy=f'look from inside: container.exec(["stat", "{path}"]), or assert_readable and its like',
                )


def sight(thing: object) -> Sight:
    """Get ready to look at an image's or a container's files: at most one question to the engine."""
    if not is_container(thing):
        return Sight(thing=thing, of=name_of(thing))
    inspect = thing.inspect()
    mounts = [str(mount.get("Destination")) for mount in inspect.get("Mounts") or () if mount.get("Type") == "tmpfs"]
    hidden = (*mounts, *((inspect.get("HostConfig") or {}).get("Tmpfs") or ()), "/proc", "/sys", "/dev")
    name = str(inspect.get("Name") or "").lstrip("/") or thing.name
    return Sight(thing=thing, of=f"container {name}", hidden=hidden)


def _target(place: str, link: str) -> str:
    """Where a link at ``place`` leads to, as an absolute path."""
    parts: list[str] = []
    joined = link if link.startswith("/") else f"{place.rpartition('/')[0]}/{link}"
    for part in joined.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def read(thing: object, stat: FileStat) -> bytes:
    """A regular file's content."""
    if is_container(thing):
        return thing.read(stat.path)
    files = image_of(thing).files
    assert files is not None  # stat came from there
    return files.read(stat.path)


def demanded(checked: Checked[T | None]) -> T:
    """The evidence of a check whose evidence is missing only when it failed."""
    evidence = demand(checked)
    assert evidence is not None
    return evidence
