"""How a process comes to its run: by its settings, and by what the process that leads the run told it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from pytest_dockerlab.plugin.each import Each
from pytest_dockerlab.plugin.options import settings_of
from pytest_dockerlab.plugin.progress import Progress, Screen, appender
from pytest_dockerlab.plugin.seat import Folder, Seat
from pytest_dockerlab.plugin.session import PROGRESS, Run

__all__ = ["new_run"]


def new_run(config: pytest.Config) -> Run:
    """The run that a process takes part in, from its settings and what its leader told it.

    Raises:
        pytest.UsageError: a setting that can't be meant.
    """
    run = _run_of(config)
    config.pluginmanager.register(Each(run), "dockerlab-each")
    return run


def _run_of(config: pytest.Config) -> Run:
    settings = settings_of(config)
    workerinput: Mapping[str, Any] | None = getattr(config, "workerinput", None)
    if workerinput is None:
        return Run(settings, Seat.new(), Progress(Screen(config)))
    told = workerinput.get("dockerlab")
    seat = Seat.of_worker(told, workerinput["workerid"]) if told else Seat.new()
    folder = Folder(seat.run)
    return Run(settings, seat, Progress(appender(folder.path / PROGRESS, folder.make)))
