"""A lab owns what it makes: images, containers, volumes, networks, registries, folders."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_dockerlab.lab.build import Build
    from pytest_dockerlab.lab.container import Container
    from pytest_dockerlab.lab.lab import Lab

__all__ = ["Build", "Container", "Lab"]

_PLACES = {
    "Build": "pytest_dockerlab.lab.build",
    "Container": "pytest_dockerlab.lab.container",
    "Lab": "pytest_dockerlab.lab.lab",
}


def __getattr__(name: str) -> object:
    # Lazy: a Lab brings docker and testcontainers along, an event or an owner doesn't.
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PLACES[name]), name)
