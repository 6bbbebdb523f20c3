"""Runs that are broken off in an unlucky moment."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.things import labelled
from pytest_dockerlab.reaping import beside
from pytest_dockerlab.reaping.owner import LABEL_OWNER

pytestmark = pytest.mark.usefixtures("inner")


@pytest.mark.parametrize("how", ["in a test", "while collecting"])
def test_an_interrupted_worker_holds_up_nobody(pytester: pytest.Pytester, engine: Engine, how: str) -> None:
    """Though a fixture fails when the interrupted session is taken down, and though the others wait for this worker."""
    pytester.makeconftest(
        f"""
        import os, pytest

        def interrupted():
            return os.environ.get("PYTEST_XDIST_WORKER") == "gw0"

        def pytest_collection_finish(session):
            if interrupted() and {how!r} == "while collecting":
                raise KeyboardInterrupt

        @pytest.fixture
        def torn():
            yield
            if interrupted():
                raise RuntimeError("torn")
        """
    )
    pytester.makepyfile(
        """
        import pytest
        from conftest import interrupted

        @pytest.mark.parametrize("number", range(4))
        def test_it(lab_run, torn, number):
            lab_run.run("alpine", ["sleep", "600"], init=True)
            if interrupted():
                raise KeyboardInterrupt
        """
    )
    # It would hang; pytester ends it then.
    pytester.runpytest_subprocess("-n2", f"--dockerlab-engine={engine.endpoint.url}", timeout=300)
    # What was asked for when the interrupt came may turn up late: the watchdog's business.
    deadline = time.monotonic() + 120
    while labelled(engine, {LABEL_OWNER: ""}):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_registry_of_a_killed_worker_goes_with_the_run(
    pytester: pytest.Pytester, engine: Engine, need: Callable[[str], None]
) -> None:
    """Its process and its folders, though the worker could not end it."""
    from pytest_dockerlab.engine.private.registry import missing as no_registry
    from pytest_dockerlab.engine.processes import engine_processes

    need(no_registry())
    pytester.makepyfile(
        """
        import os
        from pathlib import Path

        def test_it(lab):
            lab.registry()
            Path("scratch").write_text(str(lab.engine.scratch))
            os._exit(1)
        """
    )
    pytester.runpytest_subprocess("-n1", "--max-worker-restart=0", f"--dockerlab-engine={engine.endpoint.url}")
    scratch = Path((pytester.path / "scratch").read_text())
    # What a crashed worker's run may still leave is its watchdog's, which has gone by the time that it is done.
    deadline = time.monotonic() + 120
    while scratch.exists() or engine_processes(scratch) or list(beside.runs_folder().glob("*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
