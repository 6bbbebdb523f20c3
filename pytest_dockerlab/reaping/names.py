"""Names that a run gives to images which don't carry its label: written down, so that who outlives it takes them off.

``docker tag`` and ``docker load`` put names on images that others made; by a label these can't be found. So each such
name stands in a file of the run's scratch folder from before it is given until after it is taken off again.
"""

from __future__ import annotations

import contextlib
import json
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import Conflict, NotFound
from pytest_dockerlab.reaping import beside
from pytest_dockerlab.reaping.kept import kept_on

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Name", "left", "note", "take_off", "written"]

_FOLDER = "names"


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name that was given to an image, and the id of the image that had it before (``""`` for none)."""

    name: str
    previous: str
    file: Path | None = None

    def forget(self) -> None:
        """It is off again."""
        if self.file is not None:
            self.file.unlink(missing_ok=True)


def note(engine: Engine, name: str, previous: str) -> Name:
    """Write down that an image is about to get a name; nothing is written for an engine without a scratch folder."""
    if engine.scratch is None:
        return Name(name=name, previous=previous)
    folder = engine.scratch / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{secrets.token_hex(8)}.json"
    beside.write(file, {"engine": engine.endpoint.url, "name": name, "previous": previous})
    return Name(name=name, previous=previous, file=file)


def written(scratch: Path) -> bool:
    """Whether any name stands in a run's scratch folder."""
    return any((scratch / _FOLDER).glob("*.json"))


def left(engine: Engine, scratch: Path) -> tuple[Name, ...]:
    """The names on this engine that are written down in a run's scratch folder, but for those kept on request."""
    found = []
    for file in sorted((scratch / _FOLDER).glob("*.json")):
        said = _read(file)
        if said.get("engine") == engine.endpoint.url:
            found.append(Name(name=str(said.get("name")), previous=str(said.get("previous") or ""), file=file))
    spared = {name for kept in kept_on(engine) for name in kept.names} if found else set[str]()
    return tuple(one for one in found if one.name not in spared)


def take_off(engine: Engine, names: Iterable[Name]) -> list[str]:
    """Take names off that a dead run left, and give them back to who had them before.

    Returns:
        What could not be done, with the reason.

    Raises:
        EngineUnreachable: the engine does not answer.
    """
    trouble = []
    for one in names:
        try:
            _off(engine, one.name, one.previous)
        except Conflict as error:
            trouble.append(f"image {one.name}: {error.what}")
        one.forget()
    return trouble


def _off(engine: Engine, name: str, previous: str) -> None:
    try:
        with contextlib.suppress(NotFound):
            engine.images.remove(name)
    finally:  # in use or not: it goes back
        if previous:
            with contextlib.suppress(NotFound):
                engine.images.tag(previous, name)


def _read(file: Path) -> Mapping[str, object]:
    try:
        said = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError):  # it is going at this moment
        return {}
    return said if isinstance(said, dict) else {}
