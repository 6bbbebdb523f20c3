"""Runs that are killed at random moments leave nothing; `python -m tests.faults.kills` does more of the same."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_dockerlab.lab import Lab

KILLS = 26


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are found through /proc")
@pytest.mark.parametrize("seed", [4, 22])
def test_killed_runs_leave_nothing(private_engines: None, seed: int) -> None:
    """SIGKILL, SIGTERM and SIGINT of the run, of workers and of the watchdog: each run ends, and nothing is left.

    Neither container, network, volume nor image of it, no process, and no folder.
    """
    # On an engine of its own: on the run's, other tests' runs would sweep up after a watchdog that does not work.
    # As a file, not as a module: what is installed is tested, not what lies beside this folder.
    command = [sys.executable, str(Path(__file__).with_name("kills.py")), "--count", str(KILLS), "--seed", str(seed)]
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    print(done.stdout)
    assert done.returncode == 0
    assert "left something: 0 runs" in done.stdout
    summary = next(line for line in done.stdout.splitlines() if line.startswith(f"seed {seed}: "))
    assert int(summary.split()[2]) >= KILLS


def test_the_look_finds_what_is_left(lab_session: Lab, tmp_path: Path) -> None:
    """The referee is no friend: a container of a dead owner, a process and a folder are all seen."""
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        import kills  # type: ignore[import-not-found]
    finally:
        sys.path.pop(0)
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.reaping.owner import Owner, owned_by

    lab_session.image("alpine")
    runtime, temporary = tmp_path / "rt", tmp_path / "tmp"
    (runtime / "runs" / "x").mkdir(parents=True)
    (temporary / "dockerlab-x").mkdir(parents=True)
    arena = kills.Arena(lab_session.engine.endpoint, tmp_path, requests=0)
    child = subprocess.Popen(
        [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, "DOCKERLAB_RUNTIME": str(runtime)},
    )  # fmt: skip
    owner = Owner.of(child.pid)
    try:
        with Engine(lab_session.engine.endpoint) as engine:
            engine.labels = {**lab_session.ownership.labels, **owned_by("killed", owner, "test")}
            volume = engine.volumes.create()
            try:
                engine.images.tag("alpine", "kills-named:seen")
                left = arena._left(owner, runtime, temporary, "seen")
            finally:
                engine.volumes.remove(volume)
                engine.images.remove("kills-named:seen")
        assert "image kills-named:seen" in left
        assert f"volume {volume}" in left
        assert f"folder {runtime}/runs/x" in left
        assert f"folder {temporary}/dockerlab-x" in left
        assert any(row.startswith(f"process {child.pid}: ") for row in left)
    finally:
        child.communicate()
