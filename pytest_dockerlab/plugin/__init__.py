"""The pytest plugin: registers what a run needs, and returns."""

from __future__ import annotations

import pytest

from pytest_dockerlab.plugin.fixtures import lab, lab_module, lab_run, lab_session
from pytest_dockerlab.plugin.options import pytest_addoption, settings_of

__all__ = ["lab", "lab_module", "lab_run", "lab_session", "pytest_addoption", "pytest_configure", "pytest_unconfigure"]


def pytest_configure(config: pytest.Config) -> None:
    """Read the settings and register the hooks of this process's role."""
    from pytest_dockerlab.plugin import marks, roles

    marks.declare_marks(config)
    roles.register(config, settings_of(config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take down what is still up: pytest may have ended before its session did."""
    from pytest_dockerlab.plugin.session import RUN

    if (run := config.stash.get(RUN, None)) is not None:
        run.close()
