"""Removing several things, of which one that can't go holds up none of the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import EngineUnreachable, LabError, NotFound

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.things import Thing

__all__ = ["remove_things"]


def remove_things(engine: Engine, found: Iterable[Thing]) -> list[str]:
    """Remove things in the given order.

    Returns:
        What could not be removed, with the reason.

    Raises:
        EngineUnreachable: the engine does not answer any more.
    """
    from pytest_dockerlab.engine.things import remove

    trouble = []
    for thing in found:
        try:
            remove(engine, thing)
        except NotFound:
            continue  # it went with something else
        except EngineUnreachable:
            raise
        except LabError as error:
            trouble.append(f"{thing}: {error.what}")
    return trouble
