"""The names that labs make up for the images that they build: nobody else's, and known as ours."""

from __future__ import annotations

import re
import secrets

from pytest_dockerlab.lab.sources import Source

__all__ = ["OWN_PREFIX", "own_name", "own_repository"]

OWN_PREFIX = "dockerlab/"


def own_repository(run: str) -> str:
    """One that nobody has had; says which run's it is."""
    return f"{OWN_PREFIX}{re.sub('[^a-z0-9]+', '', run.lower()) or 'run'}-{secrets.token_hex(3)}"


def own_name(repository: str, source: Source, number: int) -> str:
    """A name in it that says what was built."""
    slug = re.sub(r"[^\w.-]+", "-", source.name, flags=re.ASCII).strip("-.")[:60] or "image"
    return f"{repository}:{slug}-{number}"
