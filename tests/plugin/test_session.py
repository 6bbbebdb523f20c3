"""What the processes of a run know of each other."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from dataclasses import asdict

import pytest

from pytest_dockerlab import EngineUnreachable
from pytest_dockerlab.plugin.progress import Progress
from pytest_dockerlab.plugin.seat import Folder, Seat
from pytest_dockerlab.plugin.session import Run
from pytest_dockerlab.reaping import beside
from pytest_dockerlab.settings import Settings


def run_at(seat: Seat) -> Run:
    return Run(Settings(), seat, Progress(lambda text, goes_on: None))


@pytest.fixture
def leader() -> Seat:
    return Seat.new()


def worker(leader: Seat, name: str) -> Run:
    return run_at(Seat.of_worker(asdict(leader), name))


def test_a_worker_belongs_to_its_leaders_run(leader: Seat) -> None:
    """The run's name and the process whose end is the run's end are the leader's."""
    told = {**asdict(leader), "owner": 4711}
    seat = Seat.of_worker(told, "gw0")
    assert (seat.run, seat.owner, seat.leads) == (leader.run, 4711, False)


def test_a_worker_on_another_host_is_a_run_of_its_own(leader: Seat) -> None:
    """It shares neither folders nor processes with its leader, and cleans up after itself."""
    seat = Seat.of_worker({**asdict(leader), "host": "elsewhere", "owner": 4711}, "gw0")
    assert (seat.run, seat.owner, seat.leads) == (f"{leader.run}gw0", os.getpid(), True)


def test_two_runs_have_two_names() -> None:
    """So that what they make can be told apart."""
    assert Seat.new().run != Seat.new().run


def test_what_ends_the_run_ends_it_for_all(leader: Seat) -> None:
    """The error that one process met is told by the others, of the same kind and in the same words."""
    worker(leader, "gw0").door.fail(EngineUnreachable("nobody there", remedy="start it"))
    error = run_at(leader).door.failure
    assert isinstance(error, EngineUnreachable)
    assert str(error) == "nobody there\n  → start it"


def test_the_runs_folder_is_nobody_elses(leader: Seat) -> None:
    """Other users can't look into it, nor into those above it that were made for it."""
    run = run_at(leader)
    run.folder.write("record", {"a": 1})
    for folder in (run.folder.path, run.folder.path.parent, run.folder.path.parent.parent):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    run.close()
    assert not run.folder.path.exists()


def test_folders_of_killed_runs_go(leader: Seat) -> None:
    """A sweep removes them; that of a run whose owner lives stays."""
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    killed, alive = Folder("killed"), Folder("alive")
    scratches = killed.claim(ended.pid), alive.claim(os.getpid())
    (scratches[0] / "file").touch()
    assert list(beside.dead_runs()) == []
    ended.communicate()
    (dead,) = beside.dead_runs()
    assert beside.remove_beside(dead) == (f"folder {scratches[0]}", f"folder {killed.path}")
    assert [path.exists() for path in (killed.path, alive.path, *scratches)] == [False, True, False, True]
    alive.remove()
    assert not scratches[1].exists()


def test_a_worker_keeps_what_it_made_until_the_others_are_done(leader: Seat) -> None:
    """Its end waits for theirs."""
    early, late = worker(leader, "gw0"), worker(leader, "gw1")
    early.sharing.join()
    late.sharing.join()
    ending = threading.Thread(target=early.close)
    ending.start()
    ending.join(0.3)
    assert ending.is_alive()
    late.close()
    ending.join(120)
    assert not ending.is_alive()


def test_a_workers_lab_of_the_run_outlives_its_fixture(leader: Seat) -> None:
    """It is closed with the worker; labs of shorter scopes, and the leader's, with their fixture."""

    class Box:
        closed = False

        def close(self) -> None:
            self.closed = True

    for run, stays in ((worker(leader, "gw0"), True), (run_at(leader), False)):
        box, other = Box(), Box()
        run.labs.update({"lab_run": box, "lab_session": other})  # type: ignore[dict-item]
        run.close_lab("lab_run")
        run.close_lab("lab_session")
        assert (box.closed, other.closed) == (not stays, True)
        run.close()
        assert box.closed
