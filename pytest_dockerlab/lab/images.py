"""The images of a lab: their names, and which of them it removes."""

from __future__ import annotations

import itertools
import re
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.engine.results import LayerTransfer, Transfer
from pytest_dockerlab.errors import Conflict, EngineError, NotFound, UsageError
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.lab.asked import BuildOrder
from pytest_dockerlab.lab.build import Build
from pytest_dockerlab.lab.building import Bases, Builder, Provided
from pytest_dockerlab.lab.events import PullEvent, Recorder
from pytest_dockerlab.lab.names import OWN_PREFIX, own_name, own_repository
from pytest_dockerlab.lab.ownership import ClosingStack
from pytest_dockerlab.lab.prebuilt import Prebuilt
from pytest_dockerlab.lab.registry import Registry
from pytest_dockerlab.platforms import Platform, same
from pytest_dockerlab.reaping import names
from pytest_dockerlab.reference import Reference

if TYPE_CHECKING:
    from pytest_dockerlab.engine.content import Turn
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["ImageLike", "OwnedImages"]

ImageLike = str | Build | Image
_CHUNK = 1024 * 1024
_ID = re.compile(r"(?:sha256:)?[0-9a-f]{12,64}", re.ASCII)
_NOTHING_MOVED = Transfer(image="", status="Status: a stand-in, not from a registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Present:
    """An image of this run."""

    reference: str
    image: Image


class OwnedImages:
    """Brings, builds and names images.

    Each build gets a name that nobody else has. Two labs that build the same content share one image, and each
    takes only its own name off: the image goes with the last one. Base images stay.
    """

    def __init__(
        self,
        engine: Engine,
        bases: Bases,
        stack: ClosingStack,
        recorder: Recorder,
        *,
        run: str,
        scope: str,
        on_progress: Callable[[str], None] | None,
        turn: Turn | None = None,
        platform: Platform | None = None,
        prebuilt: Prebuilt | None = None,
    ) -> None:
        self._engine = engine
        self._bases = bases
        self._platform = platform
        self._stack = stack
        self._recorder = recorder
        self._builder = Builder(
            engine=engine, ensure=self.ensure, recorder=recorder, scope=scope, on_progress=on_progress, turn=turn
        )
        self._on_progress = on_progress
        self._prebuilt = prebuilt
        self._repository = own_repository(run)
        self._numbers = itertools.count(1)
        self._own: set[str] = set()
        self.registries: set[str] = set()

    def build(self, order: BuildOrder) -> Build:
        """Build under a name of our own (none for ``tag=""``), and under ``tag``; or take over what was built ahead."""
        if self._prebuilt is None:
            return self._build(order)
        if (built := self._prebuilt.take(order, self._builder.content)) is not None:
            self.own(built.name)
            self._builder.record(built, ahead=True)
            return built
        with self._prebuilt.held():
            return self._build(order)

    def _build(self, order: BuildOrder) -> Build:
        given: tuple[str, ...] = ()
        if order.tag is None or order.tag:
            given = (own_name(self._repository, order.source, next(self._numbers)), *([order.tag] if order.tag else []))
            for name in given:
                self.own(name)
        built = self._builder.build(order, given)
        if not given:
            self.own(built.image.id)
        return built

    def own(self, name: str) -> None:
        """Take a name (or the id of an image without one) off at the end; who had the name before gets it back."""
        previous = ""
        if not name.startswith((OWN_PREFIX, "sha256:")):
            try:
                previous = self._engine.images.get(name).id
            except NotFound:
                previous = ""
        self._own.add(name)
        self._take(name, previous)

    def _take(self, name: str, previous: str) -> None:
        # A name of our own is only on what carries our label; another may be on any image.
        labelled = name.startswith(OWN_PREFIX)
        noted = None if labelled else names.note(self._engine, name, previous)

        def close() -> None:
            self._disown(name, previous)
            if noted is not None:
                noted.forget()

        self._stack.push(f"image {name}", close, labelled=labelled, thing=name)

    def _disown(self, name: str, previous: str) -> None:
        try:
            # Never by force: somebody may have built the same, or run a container of it.
            self._engine.images.remove(name)
        except Conflict:
            # In use by what is not this lab's, whose owner will remove it; an own name of the user's is told.
            if not name.startswith((OWN_PREFIX, "sha256:")):
                raise
        except NotFound:
            pass  # The name is off already; the earlier image still wants it back.
        if previous:
            self._engine.images.tag(previous, name)

    def bring(self, image: ImageLike, platform: Platform | None = None) -> tuple[str, Image]:
        """An image that is on the engine when this returns: the name to use there, and what it is.

        Raises:
            BaseImageMissing: it can't be had.
        """
        if isinstance(image, Build):
            return image.name, image.image
        if isinstance(image, Image):
            return image.id, image
        if not isinstance(image, str):
            raise UsageError(f"not an image: {image!r}", remedy='give a name, lab.build(…) or lab.image("alpine")')
        provided = self.ensure(image, platform)
        return provided.reference, provided.image

    def ensure(self, ref: str, platform: Platform | None = None) -> Provided:
        """Have an image by its name, or by its id if the engine has it.

        What was built or named here is never a base: it is not brought, and may be another image each time.

        Args:
            platform: ``None`` for the lab's.
        """
        if ref in self._own or ref.startswith(OWN_PREFIX) or (_ID.fullmatch(ref) and self._has(ref)):
            return _Present(reference=ref, image=self._engine.images.get(ref))
        started = time.monotonic()
        provided = self._bases.ensure(ref, platform or self._platform)
        kind = str(getattr(provided, "kind", "present"))
        # Asked for again, a base still says how it once came.
        if kind != "present" and all(event.name != ref for event in self._recorder.pulls):
            self._recorder.add(PullEvent(name=ref, seconds=round(time.monotonic() - started, 3), kind=kind))
        return provided

    @property
    def names(self) -> Collection[str]:
        """The names that go with this lab."""
        return self._own

    def _has(self, ref: str) -> bool:
        try:
            self._engine.images.get(ref)
        except NotFound:
            return False
        return True

    def pull(self, ref: str, platform: Platform | None = None) -> Transfer:
        """Pull by the engine, layer by layer; where no registry has it, what stands in for it.

        Raises:
            NotFound: the registry has no such image.
            BaseImageMissing: it can't be had.
        """
        images, wanted = self._engine.images, platform or self._platform
        own = self._engine.info.platform
        if Reference.parse(ref).host in self.registries:
            self.own(ref)
            try:
                return images.pull(ref, wanted, self._on_progress)
            except NotFound:
                if platform is not None or wanted is None:
                    raise
                # Nobody asked for it: what a test pushed may be there for one platform only.
                return images.pull(ref, None, self._on_progress)
        try:
            if wanted is not None and not same(wanted, own):
                return self._bases.pull(ref, wanted)
            return images.pull(ref, wanted, self._on_progress)
        except (NotFound, EngineError):
            # No registry has it, or none answers: a stand-in may be made.
            provided = self.ensure(ref, platform)
        try:
            return images.pull(provided.reference, wanted, self._on_progress)
        except (NotFound, EngineError):
            # It is there, and came another way than from a registry.
            return replace(_NOTHING_MOVED, image=provided.image.id)

    def push(self, ref: str) -> Transfer:
        """Push to the registry that the name names."""
        name = Reference.parse(ref)
        registry = Registry.at(name.host)
        before = frozenset(registry.blobs if registry else ())
        pushed = self._engine.images.push(ref, self._on_progress)
        if registry is None or pushed.layers:
            return pushed
        # Podman does not say how layers fared; our own registry knows what it had.
        layers = [str(row["digest"]) for row in registry.manifest(name.path, name.tag)["layers"]]
        told = (("Layer already exists" if digest in before else "Pushed", digest) for digest in layers)
        return replace(
            pushed, layers=tuple(LayerTransfer(id=digest.partition(":")[2][:12], status=word) for word, digest in told)
        )

    def tag(self, image: ImageLike, name: str) -> Image:
        """Give an image another name; taken off at the end."""
        self.own(name)
        self._engine.images.tag(self.bring(image)[0], name)
        return self._engine.images.get(name)

    def save(self, image: ImageLike, path: Path) -> Path:
        """Write an image as a ``docker save`` tar."""
        with path.open("wb") as file:
            for chunk in self._engine.images.save(self.bring(image)[0]):
                file.write(chunk)
        return path

    def load(self, path: Path) -> Image:
        """Read a ``docker save`` tar; what was not on the engine before is removed at the end.

        Raises:
            UsageError: no such file.
            EngineError: the engine can't read it.
        """
        if not path.is_file():
            raise UsageError(f"load: no such file: {path}", remedy="give the path of a tar that lab.save wrote")
        before = self._names()
        found = self._engine.images.load(_chunks(path))
        for name in found:
            if before.get(name) is None:
                self._take(name, "")
            elif before[name] != self._engine.images.get(name).id:
                self._take(name, before[name])
        return self._engine.images.get(found[0])

    def _names(self) -> Mapping[str, str]:
        found: dict[str, str] = {}
        for image in self._engine.images.list():
            found[image.id] = image.id
            found.update(dict.fromkeys(image.tags, image.id))
        return found

    def commit(self, found: str, ref: str) -> Image:
        """Own the image that a commit made."""
        self._take(ref or found, "")
        return self._engine.images.get(ref or found)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
