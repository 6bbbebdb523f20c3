"""What the workers did not remove (one crashed, two hindered each other): found by its label, removed by the leader."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import LabError, NotFound

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["remove_leftovers"]


def remove_leftovers(engine: Engine, run: str) -> list[str]:
    """Remove everything that carries the run's label: containers, networks, volumes, images, in this order.

    Returns:
        What could not be removed, with the reason.
    """
    from pytest_dockerlab.lab.ownership import LABEL_RUN

    trouble = []
    for what, remove in _things(engine, {LABEL_RUN: run}):
        try:
            remove()
        except NotFound:
            continue  # it went with something else
        except LabError as error:
            trouble.append(f"{what}: {error.what}")
    return trouble


def _things(engine: Engine, labels: dict[str, str]) -> Iterator[tuple[str, Callable[[], object]]]:
    for container in engine.containers.list(labels):
        yield f"container {container.name}", partial(engine.containers.remove, container.id)
    for network in engine.networks.list(labels):
        yield f"network {network.name}", partial(engine.networks.remove, network.id, force=True)
    for volume in engine.volumes.list(labels):
        yield f"volume {volume.name}", partial(engine.volumes.remove, volume.name, force=True)
    for image in engine.images.list(labels):
        for name in image.tags or (image.id,):
            yield f"image {name}", partial(engine.images.remove, name)
