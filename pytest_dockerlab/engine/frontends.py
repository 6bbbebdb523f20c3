"""Which frontend reads a Dockerfile, and whether it knows all that is in there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dockerlab.build.dockerfile import Dockerfile, is_foreign
from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.errors import CapabilityMissing, NotFound, UsageError

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["knows_heredocs", "own_frontend", "refuse_heredocs"]

_HEREDOCS_SINCE = {"Docker Engine": (23, 0), "Podman": (4, 9)}


def own_frontend(engine: Engine, builder: BuilderName, dockerfile: Dockerfile) -> tuple[bool, tuple[str, ...]]:
    """Whether to take ``# syntax=`` out: a frontend image that the engine doesn't have would need a session to pull."""
    syntax = dockerfile.directives.get("syntax", "")
    if builder != "buildkit" or not syntax or is_foreign(syntax):
        return False, ()
    try:
        engine.images.get(syntax)
    except (NotFound, UsageError):
        return True, (f"# syntax={syntax} is not on the engine: its own frontend was used",)
    return False, ()


def refuse_heredocs(engine: Engine, builder: BuilderName, dockerfile: Dockerfile, *, frontend_fetched: bool) -> None:
    """Refuse here-documents that the builder would not understand.

    Raises:
        UsageError: the classic builder would ignore them.
        CapabilityMissing: this engine's own frontend does not know them.
    """
    if not dockerfile.heredocs:
        return
    where = f"{dockerfile.path}:{dockerfile.heredocs[0].line}"
    if builder == "classic":
        raise UsageError(
            f"{where}: the classic builder ignores here-documents: what they should write would silently be empty",
            remedy='build it with BuildKit (builder="buildkit"), or write the file with printf',
        )
    if builder == "buildkit" and dockerfile.directives.get("syntax") and frontend_fetched:
        return
    if not knows_heredocs(engine):
        since = _HEREDOCS_SINCE[engine.info.product]
        raise CapabilityMissing(
            f"{where}: {engine.info.product} {engine.info.version} does not know here-documents",
            remedy=f"use {engine.info.product} {since[0]}.{since[1]} or newer, or write the file with printf",
        )


def knows_heredocs(engine: Engine) -> bool:
    """Whether the engine's own frontend knows here-documents."""
    return _release(engine.info.version) >= _HEREDOCS_SINCE[engine.info.product]


def _release(version: str) -> tuple[int, ...]:
    parts = []
    for part in version.split(".")[:2]:
        digits = "".join(char for char in part if char.isdigit())
        parts.append(int(digits) if digits else 0)
    return tuple(parts)
