"""Carrying out a build for a lab: bases first, then the engine, then the handle."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pytest_dockerlab.build.dockerfile import Dockerfile, parse
from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.build.stage import same_image
from pytest_dockerlab.build.trace import BuildTrace
from pytest_dockerlab.errors import BuildFailed, NotFound
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.lab.asked import BuildOrder
from pytest_dockerlab.lab.build import Build
from pytest_dockerlab.lab.events import BuildEvent
from pytest_dockerlab.lab.sources import Source
from pytest_dockerlab.platforms import Platform, patience

if TYPE_CHECKING:
    from pytest_dockerlab.engine.content import Turn
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.results import Transfer
    from pytest_dockerlab.lab.events import Recorder
    from pytest_dockerlab.lab.images import ImageLike

__all__ = ["Bases", "Builder", "Provided"]


class Provided(Protocol):
    """A base image that is there, and what it is called on this engine."""

    @property
    def reference(self) -> str: ...
    @property
    def image(self) -> Image: ...


class Bases(Protocol):
    """Brings base images: pulled, from a mirror, or stand-ins (``bases.Bases``)."""

    def ensure(self, ref: str, platform: Platform | None = None) -> Provided:
        """Bring an image.

        Raises:
            BaseImageMissing: there is no way to get it.
        """

    def pull(self, ref: str, platform: Platform) -> Transfer:
        """Pull an image for another platform than the engine's own, beside that one's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Builder:
    """What every build of a lab has in common; ``ensure`` brings a base."""

    engine: Engine
    ensure: Callable[[str, Platform | None], Provided]
    recorder: Recorder
    scope: str
    on_progress: Callable[[str], None] | None
    turn: Turn | None = None

    def build(self, order: BuildOrder, names: Sequence[str]) -> Build:
        """Bring the bases, build, and look at the result.

        Args:
            names: for the result, the lab's own first; none leaves it without.

        Raises:
            BuildFailed: a step failed.
        """
        source = order.source.name
        with self._prepared(order) as (spec, file, provided):
            spec = replace(spec, tags=tuple(names))
            try:
                trace, image = self._build(spec)
            except BuildFailed as error:
                seconds = getattr(error.trace, "seconds", 0.0)
                self._record(source, seconds, getattr(error.trace, "work", ()), ok=False)
                raise
        built = Build(
            name=spec.tags[0] if spec.tags else image.id,
            source=source,
            image=image,
            base=_final_base(file, spec.target, provided),
            trace=trace,
            spec=spec,
            tag=order.tag or "",
        )
        self.record(built)
        return built

    def content(self, order: BuildOrder) -> str:
        """A digest of all that decides which steps it runs: what the bases are, and the files that are sent, are read.

        Raises:
            LabError: it can't be read, or a base can't be had.
        """
        from pytest_dockerlab.engine.content import content_of

        with self._prepared(order) as (spec, _, _):
            return content_of(self.engine, spec)

    @contextlib.contextmanager
    def _prepared(self, order: BuildOrder) -> Iterator[tuple[BuildSpec, Dockerfile, Mapping[str, Image]]]:
        """What the engine is asked for, with its bases brought; a text is in a file for as long as this is open."""
        with tempfile.TemporaryDirectory(prefix="dockerlab-build-", dir=self.engine.scratch) as scratch:
            spec = _placed(order.source, order.spec, Path(scratch))
            file, provided, replaced = self._bring(spec, _name(order.base))
            slow = 1.0 if spec.platform is None else patience(spec.platform, self.engine.info.platform)
            yield replace(spec, replace_bases=replaced, timeout=spec.timeout * slow), file, provided

    def record(self, built: Build, *, ahead: bool = False) -> None:
        """Tell the recorder of a build that has an image.

        Args:
            ahead: it was built before it was asked for.
        """
        self._record(built.source, built.seconds, built.trace.work, ok=True, ahead=ahead)

    def _build(self, spec: BuildSpec) -> tuple[BuildTrace, Image]:
        trace = self.engine.build(spec, self.on_progress, self.turn)
        for more in (True, True, False):
            try:
                # By name where there is one: with the containerd store a builder may tell another id (moby#45458).
                return trace, self.engine.images.get(spec.tags[0] if spec.tags else trace.image_id)
            except NotFound:
                # Somebody who had the same image took its last name off just before the engine gave it ours, and it
                # went. It is there again at once, all of it from the cache; what is told is how it was built.
                if not more:
                    raise
                again = self.engine.build(spec, self.on_progress, self.turn)
                trace = replace(trace, image_id=again.image_id)
        raise AssertionError  # the last attempt returns or raises

    def _bring(self, spec: BuildSpec, base: str) -> tuple[Dockerfile, Mapping[str, Image], Mapping[str, str]]:
        # What can't be read or parsed is the builder's to say; here it only means that no base is known.
        try:
            text = spec.dockerfile_path.read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError):
            text = ""
        file = parse(text, path=str(spec.dockerfile_path), args=spec.args)
        if file.problems or not file.stages:
            return file, {}, {}
        images: dict[str, Image] = {}
        names: dict[str, str] = {}
        final = _final_base_name(file, spec.target)
        for use in file.bases(spec.target):
            wanted = base if base and use.name == final else use.name
            platform = self._platform(use.platform) or spec.platform
            provided = self.ensure(wanted, platform)
            images[use.name] = provided.image
            if not same_image(provided.reference, use.name):
                names[use.name] = provided.reference
        return file, images, names

    def _platform(self, text: str) -> Platform | None:
        """What ``FROM --platform=`` says; other variables are the builder's to fill in."""
        if text.strip("${}") == "BUILDPLATFORM":
            return self.engine.info.platform
        return Platform.parse(text) if text and "$" not in text else None

    def _record(self, name: str, seconds: float, work: object, *, ok: bool, ahead: bool = False) -> None:
        steps = work if isinstance(work, tuple) else ()
        reused = sum(1 for step in steps if step.cached)
        self.recorder.add(
            BuildEvent(
                name=name, seconds=seconds, steps=len(steps), reused=reused, ok=ok, scope=self.scope, ahead=ahead
            )
        )


def _name(image: ImageLike | None) -> str:
    return "" if image is None else image if isinstance(image, str) else getattr(image, "name", "") or image.id


def _placed(source: Source, spec: BuildSpec, scratch: Path) -> BuildSpec:
    if not source.text:
        return replace(spec, context=source.context or scratch, dockerfile=source.dockerfile)
    if source.context is None:
        (scratch / "Dockerfile").write_text(source.text)
        return replace(spec, context=scratch, dockerfile=None)
    # Beside the context, not in it: the caller's folder stays as it is.
    (scratch / "Dockerfile").write_text(source.text)
    return replace(spec, context=source.context, dockerfile=scratch / "Dockerfile")


def _final_base_name(file: Dockerfile, target: str) -> str:
    stage = file.stage(target)
    while stage.base_stage is not None:
        stage = file.stages[stage.base_stage]
    return stage.base


def _final_base(file: Dockerfile, target: str, provided: Mapping[str, Image]) -> Image:
    name = _final_base_name(file, target) if file.stages else ""
    return provided.get(name) or Image(id="", layers=())
