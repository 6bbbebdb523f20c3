"""Emulators of ours: registered for who needs them, gone when nobody does. On this machine's own kernel."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.engine import binfmt, emulation
from pytest_dockerlab.engine.emulation import hold, tidy
from pytest_dockerlab.errors import InstallFailed
from pytest_dockerlab.platforms import Platform

# Nobody else's: runs of the tutorial and other tests may hold arm64's at the same time.
PLATFORM = Platform("linux", "ppc64")
NAME = "dockerlab-ppc64"
ENTRY = binfmt.FOLDER / NAME


@pytest.fixture
def can_register(need: Callable[[str], None]) -> Iterator[None]:
    """This machine lets us register one, and nobody's own is there."""
    need("only root may" if os.getuid() else "")
    try:
        held = hold(PLATFORM, can_install=True)
    except InstallFailed as error:
        need(str(error))
    if held is None:
        pytest.skip("the machine has an emulator of its own for ppc64")
    yield
    held.release()
    emulation.let_go((NAME,))
    assert not ENTRY.exists()


def test_it_is_there_as_long_as_somebody_holds_it(can_register: None) -> None:
    """Registered once for all, with the flags that containers and set-uid programs need; gone with the last hold."""
    first, second = (hold(PLATFORM, can_install=False) for _ in range(2))
    assert first is not None
    assert second is not None
    found = binfmt.emulator("ppc64")
    assert (found.usable, found.name, found.set_uid) == (True, NAME, True)
    assert first.release() == ()
    assert second.release() == ()  # the fixture's
    assert ENTRY.exists()


def test_the_last_one_takes_it_away(can_register: None, request: pytest.FixtureRequest) -> None:
    """What is registered is unregistered, twice is fine, and what is not installed stays unregistered."""
    mine = hold(PLATFORM, can_install=False)
    assert mine is not None
    with _process(f"from pytest_dockerlab.engine import emulation; print(emulation.tidy(('{NAME}',)))") as other:
        assert other.stdout is not None
        assert other.stdout.read() == "()\n"  # another process sees that it is needed
    assert ENTRY.exists()
    mine.release()
    assert mine.release() == ()


def test_a_killed_process_lets_go(can_register: None) -> None:
    """Its lock dies with it; who looks next finds that nobody needs it, and takes it away."""
    holder = _process(
        "import sys; from pytest_dockerlab.engine import emulation; from pytest_dockerlab.platforms import Platform; "
        "held = emulation.hold(Platform('linux', 'sparc64'), can_install=True); print(held is not None, flush=True); "
        "sys.stdin.read()"
    )
    with holder:
        assert holder.stdout is not None
        ours = holder.stdout.readline() == "True\n"
        if not ours:
            holder.kill()
            pytest.skip("the machine has an emulator of its own for sparc64")
        assert tidy(("dockerlab-sparc64",)) == ()
        holder.kill()
    assert tidy(("dockerlab-sparc64",), dry_run=True) in [("emulator dockerlab-sparc64",), ()]  # another run's sweep
    tidy(("dockerlab-sparc64",))
    assert not (binfmt.FOLDER / "dockerlab-sparc64").exists()


def test_what_is_kept_stays_until_it_is_let_go(can_register: None) -> None:
    """As by `dockerlab up`: nobody holds it, and it stays; `dockerlab down` takes it away."""
    kept = hold(PLATFORM, can_install=False, keep=True)
    assert kept is not None
    kept.release()
    assert "kept:" in (Path("/run/dockerlab/emulators") / NAME).read_text()
    assert tidy((NAME,)) == ()
    assert ENTRY.exists()


def test_without_leave_nothing_is_registered() -> None:
    """Where nothing may be installed and nothing of ours is there, the machine stays as it is."""
    assert hold(Platform("linux", "alpha"), can_install=False) is None
    assert not (binfmt.FOLDER / "dockerlab-alpha").exists()


def test_a_platform_without_an_emulator_is_refused(can_register: None) -> None:
    """The error names the file that would say how, and a platform that has one."""
    with pytest.raises(InstallFailed, match=r"no emulator for linux/vax: .*qemu-vax.conf"):
        hold(Platform("linux", "vax"), can_install=True)


def test_a_killed_runs_watchdog_takes_it_away(
    can_register: None, pytester: pytest.Pytester, runtime: Path, lab_session: Lab
) -> None:
    """A run that is killed in the middle of a test, though no other run comes after it."""
    pytester.makepyfile(
        """
        import pathlib, time

        def test(lab):
            pathlib.Path("there").touch()
            time.sleep(600)
        """
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"]
    command += ["--dockerlab-platform=linux/sparc64", "--dockerlab-install"]
    command += [f"--dockerlab-engine={lab_session.engine.endpoint.url}"]
    entry = binfmt.FOLDER / "dockerlab-sparc64"
    with pytester.popen(command, stdout=subprocess.DEVNULL) as run:
        _until((pytester.path / "there").exists)
        assert entry.exists()
        run.kill()
    _until(lambda: not entry.exists())


def _until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not done():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _process(code: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
