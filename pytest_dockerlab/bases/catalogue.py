"""Which names have a stand-in, from what it is made, and what decides that it is made anew."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Literal

from pytest_dockerlab.bases.host import Host
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.reference import DOCKER_HUB, Reference

__all__ = ["KEY", "LABEL", "PYTHON", "RECIPES", "Recipe", "bases_of", "content_key", "find_recipe", "recipe_files"]

LABEL = "org.dockerlab.standin"
KEY = "org.dockerlab.standin.key"
PYTHON = "org.dockerlab.standin.python"

# Raised when the code that makes stand-ins changes what comes out of it.
_VERSION = "3"
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one stand-in is made.

    Attributes:
        name: the image that it stands in for, as people write it; also its label.
        tags: regular expression of the tags that it serves; ``SUITE`` and ``VERSION`` in
            it become the host's.
        source: ``program`` (one static executable), ``busybox`` (one static executable and
            its links), ``packages`` (a tree of the host's distribution), ``same`` (its
            parent's layers, another configuration), ``dockerfile`` (built on its parent).
        parent: name of the recipe that it builds on.
        folder: of its Dockerfile, in ``recipes/``.
        cmd, env: configuration of an image that is not made by a Dockerfile.
        uses_pip: whether the host's pip configuration is in it.
        promise: what a test may rely on, in one sentence.
    """

    name: str
    tags: str
    source: Literal["program", "busybox", "packages", "same", "dockerfile"]
    promise: str
    parent: str = ""
    folder: str = ""
    cmd: tuple[str, ...] = ()
    env: tuple[str, ...] = (_PATH,)
    uses_pip: bool = False

    @property
    def reference(self) -> Reference:
        return Reference.parse(self.name)

    @property
    def needs_packages(self) -> bool:
        """Whether it is made from the distribution's packages, which only some hosts have."""
        return self.source != "program"

    def serves(self, tag: str, host: Host) -> bool:
        pattern = self.tags
        for word, value in (("SUITE", host.suite), ("VERSION", host.version)):
            pattern = pattern.replace(word, re.escape(value or "-"))
        return re.fullmatch(pattern, tag, re.ASCII) is not None


_ALL = (
    Recipe(
        name="hello-world",
        tags=r"latest|linux",
        source="program",
        cmd=("/hello",),
        promise="one static program that greets, no shell, one layer",
    ),
    Recipe(
        name="alpine",
        tags=r"latest|3(\.\d+){0,2}",
        source="busybox",
        cmd=("/bin/sh",),
        promise="busybox's shell and tools in one layer of 2 MB; no package manager, no TLS in wget",
    ),
    Recipe(
        name="debian",
        tags=r"latest|(stable|SUITE|VERSION)(-slim)?",
        source="packages",
        cmd=("bash",),
        promise="a minimal tree of the host's distribution in one layer; apt works",
    ),
    Recipe(
        name="ubuntu",
        tags=r"latest|rolling|\d\d\.\d\d|SUITE|jammy|noble|resolute",
        source="same",
        parent="debian",
        cmd=("/bin/bash",),
        promise="bash, apt and base groups of the host's distribution (see its /etc/os-release); no user 1000 or 1111",
    ),
    Recipe(
        name="python:3.10-slim",
        tags=r"((3(\.\d+)?)-)?slim(-SUITE)?",
        source="dockerfile",
        parent="debian",
        folder="python-slim",
        uses_pip=True,
        promise="the distribution's Python and pip on PATH, pip as root installs system-wide, five layers; no compiler",
    ),
    Recipe(
        name="python:3.10",
        tags=r"latest|3(\.\d+)?(-SUITE)?|SUITE",
        source="dockerfile",
        parent="python:3.10-slim",
        folder="python",
        promise="as python:3.10-slim, with more layers and tools such as make and patch; no curl, no vim, no compiler",
    ),
    Recipe(
        name="jupyter/datascience-notebook",
        tags=r"[\w.-]+",
        source="dockerfile",
        parent="python:3.10",
        folder="datascience-notebook",
        promise="JupyterLab and a Python kernel for user jovyan (1000:100) on port 8888; no conda, no R, no Julia",
    ),
)
RECIPES: Mapping[str, Recipe] = {recipe.name: recipe for recipe in _ALL}


def find_recipe(reference: Reference, host: Host) -> Recipe | None:
    """The recipe that serves this name, if it is a name on Docker Hub without a digest."""
    if reference.host != DOCKER_HUB or reference.digest:
        return None
    for recipe in RECIPES.values():
        if recipe.reference.path == reference.path and recipe.serves(reference.tag, host):
            return recipe
    return None


def recipe_files(recipe: Recipe) -> Mapping[str, bytes]:
    """Name → content of the files that its Dockerfile is built with."""
    if not recipe.folder:
        return {}
    folder = resources.files("pytest_dockerlab.bases") / "recipes" / recipe.folder
    files = sorted((item for item in folder.iterdir() if item.is_file()), key=lambda item: item.name)
    return {item.name: item.read_bytes() for item in files}


def bases_of(recipe: Recipe) -> tuple[Recipe, ...]:
    """The recipes that its Dockerfile's stages start from."""
    text = recipe_files(recipe).get("Dockerfile", b"").decode()
    names = dict.fromkeys(re.findall(r"^FROM (\S+)", text, re.MULTILINE))
    return tuple(RECIPES[name] for name in names)


def content_key(recipe: Recipe, host: Host, platform: Platform) -> str:
    """What a stand-in's label must say for it to be used; another key means that it is stale."""
    parts = [_VERSION, repr(recipe), str(platform)]
    parts += [f"{name}\0{hashlib.sha256(content).hexdigest()}" for name, content in recipe_files(recipe).items()]
    if recipe.parent:
        parts.append(content_key(RECIPES[recipe.parent], host, platform))
    elif recipe.source == "packages":
        parts.append(host.digest)
    elif recipe.source == "busybox":
        parts.append(host.suite)
    if recipe.uses_pip:
        parts.append(host.pip)
    return hashlib.sha256("\1".join(parts).encode()).hexdigest()[:32]
