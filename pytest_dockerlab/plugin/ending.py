"""The end of a run on one of its engines: what its processes left there is removed, an engine of its own is stopped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dockerlab.plugin import keeping
from pytest_dockerlab.reaping import beside, names
from pytest_dockerlab.reaping.owner import LABEL_RUN

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.plugin.seat import Folder

__all__ = ["is_own", "remove_left", "stop"]


def is_own(endpoint: Endpoint) -> bool:
    """Whether the run has started this engine, and nothing on it is kept."""
    return endpoint.private and endpoint.source != "dockerlab up" and not keeping.outlives(endpoint)


def remove_left(endpoint: Endpoint, folder: Folder, run: str, *, crashed: bool, timeout: float) -> list[str]:
    """Remove what carries the run's label, and the names that it gave.

    Two workers that let go of one image at the same moment may each find it in use by the other.

    Args:
        folder: of the run.
        crashed: something is likely to be there.
        timeout: seconds without an answer after which the engine is taken to hang.

    Returns:
        What could not be removed, with the reason.

    Raises:
        EngineError: the engine can't be asked.
    """
    record = beside.RunRecord.read(folder.path)
    scratch = record.scratch if record is not None else None
    if not crashed and not (scratch is not None and names.written(scratch)):
        from pytest_dockerlab.engine.glance import is_clear

        if is_clear(endpoint, {LABEL_RUN: run}):
            return []  # as a rule; a process that has only watched its workers need not load docker-py for it
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.reaping.clear import remove_leftovers

    with Engine(endpoint, timeout=timeout) as engine:
        return remove_leftovers(engine, run, scratch)


def stop(endpoint: Endpoint) -> None:
    """Stop an engine of the run's own.

    Raises:
        EngineError: it does not end.
    """
    from pytest_dockerlab.engine import private

    private.stop(endpoint)
