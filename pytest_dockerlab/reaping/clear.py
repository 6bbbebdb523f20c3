"""Remove what carries a label: in one pass, or as long as it takes until nothing comes up any more."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import EngineUnreachable
from pytest_dockerlab.reaping import kept, names
from pytest_dockerlab.reaping.owner import LABEL_RUN
from pytest_dockerlab.reaping.removing import remove_things

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.things import Thing

__all__ = ["clear", "remove_leftovers"]

_PAUSE = 1.0


def remove_leftovers(engine: Engine, run: str, scratch: Path | None) -> list[str]:
    """Remove, in one pass, what carries the run's label and is not kept on request, and the names that it gave.

    Args:
        scratch: the run's scratch folder, if it has one.

    Returns:
        What could not be removed, with the reason.
    """
    try:
        trouble = remove_things(engine, _left(engine, {LABEL_RUN: run}))
        return trouble + names.take_off(engine, names.left(engine, scratch)) if scratch is not None else trouble
    except EngineUnreachable as error:
        return [f"what carries the label {LABEL_RUN}={run}: {error.what}"]


def clear(engine: Engine, labels: Mapping[str, str], *, within: float = 60.0) -> list[str]:
    """Remove what carries ``labels`` and is not kept, and look again until three looks in a row find nothing.

    An engine carries on with what it was asked for when the asking process is killed: what it makes then comes up
    after the first look.

    Args:
        within: seconds after which it is given up.

    Returns:
        What could not be removed, with the reason.

    Raises:
        EngineUnreachable: the engine does not answer.
    """
    deadline = time.monotonic() + within
    quiet = 0
    trouble: list[str] = []
    while True:
        found = _left(engine, labels)
        trouble = remove_things(engine, found)
        quiet = 0 if found else quiet + 1
        if quiet == 3 or time.monotonic() > deadline:
            return trouble
        # What was just removed may have uncovered more (an image below an image): at once.
        if not found or trouble:
            time.sleep(_PAUSE)


def _left(engine: Engine, labels: Mapping[str, str]) -> tuple[Thing, ...]:
    from pytest_dockerlab.engine.things import labelled

    found = labelled(engine, labels)
    return kept.without_kept(engine, found) if found else found
