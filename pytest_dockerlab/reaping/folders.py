"""Folders that containers wrote into: what is in them may be other users', and only root may remove it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["remove_folders"]


def remove_folders(engine: Engine, folders: Iterable[Path], labels: Mapping[str, str]) -> None:
    """Remove folders that ``lab.owned_dir`` made; where we may not, by a container.

    Args:
        labels: of that container.

    Raises:
        LabError: the container could not do it.
    """
    from pytest_dockerlab.bases.provide import Bases
    from pytest_dockerlab.lab.folders import Folders
    from pytest_dockerlab.settings import Settings

    bases = Bases(engine, Settings(), lambda line: None)
    remover = Folders(engine, lambda name: bases.ensure(name).reference, labels)
    for folder in folders:
        remover.remove(folder)
