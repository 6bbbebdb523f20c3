"""Base images for a lab: there already, pulled, from a mirror, or a stand-in made here."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pytest_dockerlab.bases.catalogue import KEY, LABEL, Recipe, content_key, find_recipe
from pytest_dockerlab.bases.deliver import deliver, foreign_name, image_or_none, name_of
from pytest_dockerlab.bases.host import Host, read_host
from pytest_dockerlab.bases.make import Maker, locked
from pytest_dockerlab.bases.rootfs import obstacle
from pytest_dockerlab.bases.store import Store
from pytest_dockerlab.errors import BaseImageMissing, Conflict, LabError, NotFound
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.places import cache_dir
from pytest_dockerlab.platforms import Platform, runs_on, same
from pytest_dockerlab.reaping import names
from pytest_dockerlab.reference import DOCKER_HUB, Reference

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.results import Transfer
    from pytest_dockerlab.settings import Settings

__all__ = ["Bases", "Kind", "Provided"]

Kind = Literal["present", "pulled", "mirror", "stand-in"]

_TOOLS = ("mmdebstrap", "busybox-static")
_LIMITED = ("toomanyrequests", "rate limit", "too many requests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """A base image that is on the engine now.

    Attributes:
        asked: the name that was asked for, in familiar form.
        reference: the name to use on this engine.
        image: what it is.
        kind: how it came; ``present`` if it had been there.
        platform: that was asked for, where it is another one than the engine's own.
        standin: whether it is one, however it came.
        note: what was tried before, for people.
    """

    asked: str
    reference: str
    image: Image
    kind: Kind
    standin: bool = False
    note: str = ""
    platform: Platform | None = None

    @property
    def title(self) -> str:
        """What was asked for, for people."""
        return f"{self.asked} for {self.platform}" if self.platform else self.asked


class Bases:
    """Brings base images onto one engine. Threads may share it; processes that want the same stand-in make it once."""

    def __init__(self, engine: Engine, settings: Settings, on_progress: Callable[[str], None] | None = None) -> None:
        """Args:
        engine: that gets the images.
        settings: ``bases``, ``mirror`` and ``install`` decide what is tried.
        on_progress: is told what happens, a line at a time.
        """
        self._engine = engine
        self._settings = settings
        self._tell = on_progress or (lambda line: None)
        self._lock = threading.RLock()
        self._provided: dict[tuple[str, Platform | None], Provided] = {}
        self._names: list[names.Name] = []
        self._known_host: Host | None = None

    def ensure(self, ref: str, platform: Platform | None = None) -> Provided:
        """Have ``ref`` on the engine, and say under which name.

        Args:
            platform: asked for; ``None`` takes the engine's own.

        Raises:
            BaseImageMissing: it can't be had; says what was tried, why each way failed, and what to do.
            UsageError: ``ref`` is no image name.
        """
        name, platform = Reference.parse(ref), self._foreign(platform)
        key = (str(name), platform)
        with self._lock:
            if key not in self._provided:
                self._provided[key] = self._ensure(name, platform)
            return self._provided[key]

    def at_hand(self, ref: str, platform: Platform | None = None) -> Provided | None:
        """What ``ensure`` would give without bringing anything; ``None`` where it would have to, or can't.

        Raises:
            UsageError: ``ref`` is no image name.
        """
        name, platform = Reference.parse(ref), self._foreign(platform)
        with self._lock:
            if (known := self._provided.get((str(name), platform))) is not None:
                return known
            recipe = find_recipe(name, self._host) if name.host == DOCKER_HUB else None
            return self._present(name, platform, recipe)

    def pull(self, ref: str, platform: Platform) -> Transfer:
        """Pull an image for another platform than the engine's own, beside that one's; ``ensure`` has it then.

        Raises:
            NotFound: the registry has no such image, or not for this platform.
            BaseImageMissing: the registry can't be reached.
        """
        name = Reference.parse(ref)
        with self._lock:
            return self._beside(name.familiar, name, platform)

    def report(self) -> tuple[Provided, ...]:
        """What was provided so far, in order."""
        with self._lock:
            return tuple(self._provided.values())

    def close(self) -> None:
        """Take the names of stand-ins off an engine that is not ours. What was pulled stays."""
        with self._lock:
            while self._names:
                given = self._names.pop()
                with contextlib.suppress(NotFound, Conflict):
                    # Gone already, or still used by somebody's container, whose it is now.
                    self._engine.images.remove(given.name, force=True)
                given.forget()
            self._provided.clear()

    def _foreign(self, platform: Platform | None) -> Platform | None:
        return None if platform is None or same(platform, self._engine.info.platform) else platform

    @property
    def _host(self) -> Host:
        if self._known_host is None:
            self._known_host = read_host()
        return self._known_host

    def _ensure(self, name: Reference, platform: Platform | None) -> Provided:
        recipe = find_recipe(name, self._host) if name.host == DOCKER_HUB else None
        mode = self._settings.bases
        tried: list[str] = []
        if present := self._present(name, platform, recipe):
            return present
        if mode != "stand-in" or recipe is None:
            for way in (self._mirror, self._pull):
                if found := way(name, platform, recipe, tried):
                    return replace(found, note="; ".join(tried), platform=platform)
        if mode == "pull":
            refused = f"a stand-in is not wanted ({self._settings.source('bases')} is pull)"
            tried.append(refused if recipe else "there is no stand-in for this name")
        elif recipe is None:
            tried.append("there is no stand-in for this name")
        else:
            try:
                made = self._stand_in(name, platform or self._engine.info.platform, recipe)
                return replace(made, note="; ".join(tried), platform=platform)
            except LabError as error:
                tried.append(f"stand-in: {error}")
        raise _missing(name, tried, recipe)

    def _present(self, name: Reference, platform: Platform | None, recipe: Recipe | None) -> Provided | None:
        wanted = platform or self._engine.info.platform
        reference = foreign_name(name, platform) if platform else name.familiar
        image = image_or_none(self._engine, reference)
        if image is None and platform is not None:
            # Somebody may have pulled it under its own name, where it can't be relied on to stay.
            image = image_or_none(self._engine, name.familiar)
            if image is not None and same(image.platform, wanted):
                self._name(image.id, reference)
        if image is None or not (same if platform else runs_on)(image.platform, wanted):
            return None
        standin = recipe is not None and image.labels.get(LABEL) == recipe.name
        if recipe is not None and not self._acceptable(image, recipe, standin):
            return None
        return Provided(
            asked=name.familiar, reference=reference, image=image, kind="present", standin=standin, platform=platform
        )

    def _acceptable(self, image: Image, recipe: Recipe, standin: bool) -> bool:
        """Whether an image under a recipe's name, had or pulled, is of the wanted sort and not stale."""
        if not standin:
            return self._settings.bases != "stand-in"
        if self._settings.bases == "pull":
            return False
        if recipe.needs_packages and self._host.obstacle:
            return True  # It was made elsewhere, and can't be made better here.
        return image.labels.get(KEY) == content_key(recipe, self._host, image.platform)

    def _mirror(
        self, name: Reference, platform: Platform | None, recipe: Recipe | None, tried: list[str]
    ) -> Provided | None:
        mirror = self._settings.mirror
        if not mirror or name.host != DOCKER_HUB:
            return None
        there = str(replace(name, host=mirror))
        self._tell(f"pulling {there}")
        try:
            reference = self._fetch(there, name, platform)
        except LabError as error:
            tried.append(f"the mirror that {self._settings.source('mirror')} names, {mirror}: {_reason(error)}")
            return None
        if platform is None and self._engine.endpoint.private and not name.digest:
            self._engine.images.tag(there, name.familiar)
            reference = name.familiar
        image = self._engine.images.get(reference)
        return Provided(asked=name.familiar, reference=reference, image=image, kind="mirror")

    def _pull(
        self, name: Reference, platform: Platform | None, recipe: Recipe | None, tried: list[str]
    ) -> Provided | None:
        if recipe is not None and self._settings.bases == "auto" and not self._hub_answers():
            tried.append("Docker Hub does not answer")
            return None
        self._tell(f"pulling {name.familiar}")
        try:
            reference = self._fetch(name.familiar, name, platform)
        except LabError as error:
            tried.append(f"pulling it: {_reason(error)}")
            return None
        image = self._engine.images.get(reference)
        standin = recipe is not None and image.labels.get(LABEL) == recipe.name
        if recipe is not None and not self._acceptable(image, recipe, standin):
            tried.append("pulling it: the engine's own mirror serves a stand-in, not the image")
            return None
        kind: Kind = "stand-in" if standin else "pulled"
        return Provided(asked=name.familiar, reference=reference, image=image, kind=kind, standin=standin)

    def _fetch(self, there: str, name: Reference, platform: Platform | None) -> str:
        """Pull ``there``, and say under which name it is on the engine.

        Where names hold one image each (graph drivers), a pull for another platform takes the name away from the
        engine's own: it gets it back at once.
        """
        if platform is None:
            self._engine.images.pull(there, None, self._tell)
            return there
        self._beside(there, name, platform)
        return foreign_name(name, platform)

    def _beside(self, there: str, name: Reference, platform: Platform) -> Transfer:
        images = self._engine.images
        with locked(f"pull-{re.sub(r'[^a-z0-9]+', '-', there)}"):
            previous = image_or_none(self._engine, there)
            # Who is killed in between has it given back by who outlives him.
            moved = names.note(self._engine, there, previous.id if previous is not None else "")
            transfer = images.pull(there, platform, self._tell)
            self._name(there, foreign_name(name, platform))
            if previous is not None:
                images.tag(previous.id, there)
            else:
                images.remove(there)
            moved.forget()
        return transfer

    def _name(self, image: str, reference: str) -> None:
        self._own(reference)
        self._engine.images.tag(image, reference)

    def _own(self, reference: str) -> None:
        """A name is about to be given: if nobody has it, and the engine is not ours, it goes at the end."""
        if not self._engine.endpoint.private and image_or_none(self._engine, reference) is None:
            self._names.append(names.note(self._engine, reference, ""))

    def _hub_answers(self) -> bool:
        if self._engine.endpoint.private:
            # A private engine asks our own registry first, which would answer for Docker Hub.
            from pytest_dockerlab.engine.private import hub

            return hub.answers()
        return bool(self._engine.capabilities.has("hub"))

    def _stand_in(self, name: Reference, platform: Platform, recipe: Recipe) -> Provided:
        if recipe.source == "packages" or recipe.parent:
            self._install(obstacle(platform), _TOOLS)
        with self._store() as store:

            def bring(wanted: Recipe, on: Platform) -> str:
                return self._deliver(store, maker, wanted.reference, wanted, on)

            maker = Maker(self._engine, store, self._host, deliver=bring, tell=self._tell)
            try:
                reference = self._deliver(store, maker, name, recipe, platform)
            finally:
                maker.close()
        image = self._engine.images.get(reference)
        return Provided(asked=name.familiar, reference=reference, image=image, kind="stand-in", standin=True)

    def _deliver(self, store: Store, maker: Maker, name: Reference, recipe: Recipe, platform: Platform) -> str:
        stored = maker.make(recipe, platform)
        other = store.find(recipe.reference.path, name.tag, platform)
        if other is None or other.manifest != stored.manifest:
            maker.tag(recipe, name.tag, stored.manifest, platform)
        self._own(name_of(self._engine, store, name, recipe, platform))
        built = maker.built.get(recipe.name, "")
        # What comes by its digest has that name for a moment, which another process would take off.
        with locked(f"deliver-{stored.manifest.partition(':')[2][:16]}"):
            return deliver(self._engine, store, stored, name, recipe, platform, self._tell, built)

    @contextmanager
    def _store(self) -> Iterator[Store]:
        """The registry beside the engine, else one that is started for as long as this takes."""
        from pytest_dockerlab.engine.private import registry

        if self._engine.endpoint.registry:
            store = Store(self._engine.endpoint.registry)
            try:
                yield store
            finally:
                store.close()
            return
        self._install(registry.missing(), ("docker-registry",))
        with registry.RegistryProcess(cache_dir() / "registry", scratch=self._engine.scratch) as process:
            store = Store(process.address)
            try:
                yield store
            finally:
                store.close()

    def _install(self, reason: str, packages: tuple[str, ...]) -> None:
        if reason and self._settings.install:
            from pytest_dockerlab.engine import install

            install.ensure(packages, self._tell)


def _reason(error: LabError) -> str:
    text = error.what
    if any(sign in text.lower() for sign in _LIMITED):
        return f"{text} (Docker Hub counts anonymous pulls per address, over six hours)"
    return text


def _missing(name: Reference, tried: list[str], recipe: Recipe | None) -> BaseImageMissing:
    rows = "".join(f"\n  - {reason}" for reason in tried)
    ways = []
    if any(sign in rows.lower() for sign in _LIMITED):
        ways.append("log in on the engine (docker login), or wait until the limit has passed")
    if name.host == DOCKER_HUB:
        ways.append("name a mirror of Docker Hub (--dockerlab-mirror HOST)")
    if recipe is not None and "not wanted" in rows:
        ways.append("allow stand-ins (--dockerlab-bases auto)")
    ways.append(f"bring it yourself: docker pull {name.familiar}, or docker load")
    return BaseImageMissing(f"the base image {name.familiar} is not on the engine:{rows}", remedy=", or ".join(ways))
