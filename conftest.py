"""What all of our own tests share; the plugin itself comes from the installed package."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from pytest_dockerlab.errors import BaseImageMissing
from pytest_dockerlab.lab import Lab

pytest_plugins = ["pytester"]
# Courses: graded by tests/grade, with their own settings and policy.
collect_ignore = ["tests/exercises_course", "tests/exercises_course_slow", "tests/hostile/course"]

# The same examples each time and at any pace: a run of the tests is no draw. `--hypothesis-profile=long` looks for new
# ones, and so does the job `fuzz` (docs/robustness.md).
_SLOW = (HealthCheck.too_slow, HealthCheck.data_too_large)
settings.register_profile(
    "dockerlab", derandomize=True, deadline=None, max_examples=60, database=None, suppress_health_check=_SLOW
)
settings.register_profile("long", deadline=None, max_examples=3000, print_blob=True, suppress_health_check=_SLOW)
settings.load_profile("dockerlab")

Need = Callable[[str], None]


@pytest.fixture(scope="session")
def need(lab_session: Lab) -> Need:
    """Takes the reason why something is missing (or ``""``): skips, or fails where CI is set.

    It rests on ``lab_session``, so that the run has installed what it may before anybody asks.
    """

    def judge(reason: str) -> None:
        if reason and os.environ.get("CI"):
            pytest.fail(f"missing in CI: {reason}")
        if reason:
            pytest.skip(reason)

    return judge


@pytest.fixture(scope="session")
def base(need: Need, lab_session: Lab) -> Need:
    """Takes the name of a base image: skips, or fails where CI is set, what can't be had here.

    Without Docker Hub, a user who is not root may lack what a stand-in is made with.
    """

    def bring(name: str) -> None:
        try:
            lab_session.image(name)
        except BaseImageMissing as error:
            need(str(error))

    return bring


@pytest.fixture(scope="session")
def private_engines(need: Need) -> None:
    """Private engines can be started on this machine."""
    from pytest_dockerlab.engine import private

    need(private.missing())


@pytest.fixture
def runtime(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Inner runs depend on nothing of the outer one's environment, and share no run-time folder with it.

    The folder is not ``tmp_path``, whose length a socket's path can't bear.
    """
    for name in list(os.environ):
        if name.startswith(("DOCKERLAB_", "DOCKER_")) and name != "DOCKERLAB_CACHE":
            monkeypatch.delenv(name)
    monkeypatch.delenv("CI", raising=False)
    parent = Path(tempfile.mkdtemp(prefix="dl-"))
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(parent / "rt"))
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    # After pytester, which takes it away.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p dockerlab -p xdist")
    yield parent / "rt"
    shutil.rmtree(parent)
