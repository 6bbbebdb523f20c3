"""What to build: everything that decides a build's outcome, and nothing of how it is carried out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pytest_dockerlab.platforms import Platform

__all__ = ["FRESH_HOST", "BuildLimits", "BuildSpec", "BuilderName", "fresh_host"]

BuilderName = Literal["buildkit", "classic", "podman", "buildx"]
#: What names of the extra hosts that stand for a fresh cache begin with.
FRESH_HOST = "dockerlab-fresh-"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildLimits:
    """What all RUN steps of one build may use together; ``None`` is no limit.

    Attributes:
        memory, disk: bytes; ``disk`` is what its steps write, a file with holes counted in full.
        nano_cpus: billionths of a CPU.
        pids: processes and threads at a time.
    """

    memory: int | None = None
    nano_cpus: int | None = None
    pids: int | None = None
    disk: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSpec:
    """One build.

    Attributes:
        context: the folder that is sent to the engine.
        dockerfile: path of the Dockerfile; relative to ``context``, or absolute, or
            outside of it (``../Dockerfile.dev``). ``None`` means ``context/Dockerfile``.
        tags: names for the result; none leaves it dangling.
        args: build arguments (``ARG``).
        labels: added to the image's own.
        target: stage to stop at, ``""`` for the last.
        platform: asked for; ``None`` leaves it to the engine.
        no_cache: run every step anew, ignoring what is cached (and leaving it there).
        pull: look for a newer base in the registry.
        network: of RUN steps: ``"default"``, ``"none"``, ``"host"``.
        extra_hosts: name → address, added to ``/etc/hosts`` of RUN steps.
        fresh: a nonce; builds with the same nonce share a cache that no build with
            another one has filled (see docs/cache.md on how far that goes per builder).
        secrets, ssh: id → source, as ``docker build --secret`` takes them; need the buildx CLI.
        timeout: seconds after which the build is cancelled, on the engine too.
        limits: of its RUN steps, which need ``fresh``, too: it tells them from those of other builds. An engine
            that can't keep them refuses the build (capability ``build_limits``).
        builder: asked for by name; ``None`` takes the engine's best.
        replace_bases: base name as written → name to build from instead (stand-ins on
            an engine whose registry settings are not ours).
    """

    context: Path
    dockerfile: Path | None = None
    tags: tuple[str, ...] = ()
    args: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    target: str = ""
    platform: Platform | None = None
    no_cache: bool = False
    pull: bool = False
    network: str = "default"
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    fresh: str = ""
    secrets: Mapping[str, str] = field(default_factory=dict)
    ssh: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 600.0
    limits: BuildLimits | None = None
    builder: BuilderName | None = None
    replace_bases: Mapping[str, str] = field(default_factory=dict)

    @property
    def dockerfile_path(self) -> Path:
        """Where the Dockerfile is on this machine."""
        return self.context / (self.dockerfile or "Dockerfile")


def fresh_host(nonce: str) -> str:
    """Name of the extra host that stands for a fresh cache in the key of each RUN."""
    return f"{FRESH_HOST}{nonce}.invalid"
