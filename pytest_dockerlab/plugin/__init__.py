"""The pytest plugin: registers what a run needs, and returns."""

from __future__ import annotations

import pytest

from pytest_dockerlab.plugin import options, roles
from pytest_dockerlab.plugin.current import known_run
from pytest_dockerlab.plugin.fixtures import lab, lab_module, lab_platform, lab_run, lab_session
from pytest_dockerlab.plugin.grading import Grading, submission
from pytest_dockerlab.plugin.options import pytest_addoption

__all__ = [
    "lab",
    "lab_module",
    "lab_platform",
    "lab_run",
    "lab_session",
    "pytest_addoption",
    "pytest_configure",
    "pytest_unconfigure",
    "submission",
]

_MARKS = (
    "row(*ids): the behaviours that this test proves; recorded as the property `row` (JUnit XML)",
    "exercise(exercise, name, *, points=1, needs=(), title, hint, visibility, bonus): a check that is worth points",
    "platforms(*names): the platforms that this test runs on, one after another",
    "requires(*capabilities): skip, or fail where strict, on an engine that lacks one of these",
)


def pytest_configure(config: pytest.Config) -> None:
    """Register the marks and the hooks of this process's role; complain of settings that can't be meant."""
    for line in _MARKS:
        config.addinivalue_line("markers", line)
    role = roles.Worker() if hasattr(config, "workerinput") else roles.Leader(config)
    config.pluginmanager.register(roles.Tests(), "dockerlab-tests")
    config.pluginmanager.register(Grading(config), "dockerlab-grading")
    config.pluginmanager.register(role, "dockerlab-role")
    if options.given(config):
        options.settings_of(config)  # read again where a lab is used: a suite without one has no run


def pytest_unconfigure(config: pytest.Config) -> None:
    """Take down what is still up: pytest may have ended before its session did."""
    if (run := known_run(config)) is not None:
        run.close(crashed=True)
