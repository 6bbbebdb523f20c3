"""Bring a stand-in from the local registry onto an engine, under a name that builds and runs can use."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_dockerlab.bases.archive import archive_of
from pytest_dockerlab.bases.catalogue import KEY, Recipe
from pytest_dockerlab.bases.store import Store, StoredImage
from pytest_dockerlab.errors import EngineError, LabError, NotFound
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.platforms import Platform, same
from pytest_dockerlab.reference import DOCKER_HUB, Reference

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["deliver", "foreign_name", "image_or_none", "name_of"]


def image_or_none(engine: Engine, name: str) -> Image | None:
    """The engine's image of this name, if it has one."""
    try:
        return engine.images.get(name)
    except NotFound:
        return None


def foreign_name(name: Reference, platform: Platform) -> str:
    """What an image for another platform than the engine's own is called there: its own name is for that one.

    On a host that does not exist (RFC 6761), so that nobody takes it for one that can be pulled.
    """
    host = f"{str(platform).replace('/', '-')}.dockerlab.invalid"
    path = name.path if name.host == DOCKER_HUB else f"{name.host.replace(':', '-').lower()}/{name.path}"
    return str(replace(name, host=host, path=path, digest="", tag=name.tag or name.digest[7:19]))


def name_of(engine: Engine, store: Store, name: Reference, recipe: Recipe, platform: Platform) -> str:
    """What a stand-in is called on an engine.

    A private engine is ours: there it gets the very name that it stands in for, as ``docker pull`` would give it. On
    another engine that name stays free for the real image, and the stand-in is called after the registry that it came
    from. One for another platform has a name of its own on any engine.
    """
    if not same(platform, engine.info.platform):
        return foreign_name(name, platform)
    return name.familiar if engine.endpoint.private else _local(store, name, recipe)


def _local(store: Store, name: Reference, recipe: Recipe) -> str:
    return f"{store.address}/{recipe.reference.path}:{name.tag}"


def deliver(
    engine: Engine, store: Store, stored: StoredImage, name: Reference, recipe: Recipe, platform: Platform,
    tell: Callable[[str], None], built: str = "",
) -> str:  # fmt: skip
    """Make the engine have ``stored``; returns the name that it has there, as ``name_of`` says.

    Args:
        built: a name under which the engine has it because it has just built it.

    Raises:
        EngineError: the engine took the image and has another one under the name.
    """
    private = engine.endpoint.private
    local = _local(store, name, recipe)
    foreign = None if same(platform, engine.info.platform) else platform
    wanted = name_of(engine, store, name, recipe, platform)
    if _has(engine, wanted, stored):
        return wanted
    if built:
        engine.images.tag(built, wanted)
        return wanted
    if foreign:
        # By its digest: no name moves that stands for the engine's own platform.
        exact = f"{store.address}/{recipe.reference.path}@{stored.manifest}"
        if engine.endpoint.socket and _try_pull(engine, exact, foreign):
            engine.images.tag(exact, wanted)
            engine.images.remove(exact)
    elif private:
        _try_pull(engine, wanted)  # through the engine's mirror, as a user's docker pull goes
    if not foreign and not _has(engine, wanted, stored) and engine.endpoint.socket:
        _try_pull(engine, local)
        if private and _has(engine, local, stored):
            engine.images.tag(local, wanted)
            engine.images.remove(local)
    if not _has(engine, wanted, stored):
        # Not every engine reaches this machine's loopback: a virtual machine, another host, Podman without TLS.
        tell(f"loading the stand-in for {recipe.name}")
        engine.images.load(archive_of(store, stored, wanted))
    if not _has(engine, wanted, stored):
        raise EngineError(f"{engine.endpoint.name} took the stand-in for {recipe.name} and has no such image {wanted}")
    return wanted


def _has(engine: Engine, name: str, stored: StoredImage) -> bool:
    image = image_or_none(engine, name)
    return image is not None and image.labels.get(KEY, "") == stored.key and image.platform == _platform(stored)


def _platform(stored: StoredImage) -> Platform:
    config = json.loads(stored.config)
    return Platform(config["os"], config["architecture"], config.get("variant", ""))


def _try_pull(engine: Engine, name: str, platform: Platform | None = None) -> bool:
    # There is another way; whether this one worked is looked at, not believed.
    with contextlib.suppress(LabError):
        engine.images.pull(name, platform)
        return True
    return False
