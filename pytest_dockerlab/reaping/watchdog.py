"""The process that outlives a run which was killed, and removes what it left.

    python -m pytest_dockerlab.reaping.watchdog FOLDER

FOLDER is the run's. It waits, with nothing loaded that is not needed for waiting, until the run's owner ends. A run
that ended in order has removed its folder by then, and the watchdog ends at once. Otherwise it removes, in this order:
the run's other processes, what carries its label on the engine, what it has beside the engine. It says nothing; what it
could not do stands in ``watchdog.log`` beside the folders of the runs.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.engine.processes import alive, started, until_one_ends
from pytest_dockerlab.errors import LabError
from pytest_dockerlab.reaping import beside

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["dismiss", "main", "reap", "start", "take_over"]

# Seconds: an engine that is restarted, or frozen for a while, comes back within this time.
_PATIENCE = 300.0
# In the run's folder: the run is over, its owner may live on.
_OVER = "over"
_LOG_BYTES = 1024 * 1024
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def start(folder: Path) -> tuple[int, int]:
    """Start the watchdog of the run with this folder; pid and start time.

    Neither does this wait for anything, nor can a Ctrl-C in the terminal reach it, from its first moment on.
    """
    environ = dict(os.environ)
    package_root = str(Path(__file__).parents[2])  # a checkout that is not installed has to be found, too
    environ["PYTHONPATH"] = os.pathsep.join(filter(None, [package_root, environ.get("PYTHONPATH", "")]))
    nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
    # Not subprocess: its object complains of a child that outlives it.
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-m", __name__, str(folder)],
        environ,
        file_actions=nothing,
        setsigmask=_SIGNALS,
    )
    return pid, started(pid)


def take_over(folder: Path, pid: int, start_time: int) -> bool:
    """Leave to the watchdog what may still come up of a run that was interrupted, or lost a worker.

    Returns:
        Whether it lives and will see to it.
    """
    if not alive(pid, start_time):
        return False
    (folder / _OVER).touch()
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGTERM)
    return True


def dismiss(pid: int, start_time: int) -> None:
    """Tell the watchdog of a run that has ended in order, and whose folder is gone, that it may go."""
    if not alive(pid, start_time):
        return
    with contextlib.suppress(OSError):
        os.kill(pid, signal.SIGTERM)
    # Where it is our child, it would stay as a zombie until we end.
    deadline = time.monotonic() + 2.0
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(pid, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.005)


def main() -> None:
    wake, told = os.pipe()
    for number in _SIGNALS:
        signal.signal(number, lambda *_: None)
    os.set_blocking(told, False)
    signal.set_wakeup_fd(told, warn_on_full_buffer=False)
    with contextlib.suppress(OSError):  # it leads its group already
        os.setsid()
    os.chdir("/")
    os.umask(0o077)
    _let_go(keep=(wake, told))
    folder = Path(sys.argv[1])
    try:
        record = beside.RunRecord.read(folder)
        if record is None:
            return
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        _wait(record, wake)
        if folder.is_dir():
            # Workers have come since.
            reap(beside.RunRecord.read(folder) or record)
    except Exception:
        _log(folder, traceback.format_exc())
        raise


def _wait(record: beside.RunRecord, wake: int) -> None:
    """Return when the owner has ended, or the run before it. Whoever else sends SIGTERM is not obeyed."""
    owner = record.owner
    while owner.alive is not False and record.folder.is_dir() and not (record.folder / _OVER).exists():
        until_one_ends({owner.pid: int(owner.started or 0)}, wake)
        with contextlib.suppress(BlockingIOError):
            os.set_blocking(wake, False)
            os.read(wake, 4096)


def reap(record: beside.RunRecord) -> None:
    """Remove all that a dead run left."""
    from pytest_dockerlab.engine import emulation

    trouble: list[str] = []
    beside.end_processes(record)
    for fields in record.endpoints:
        trouble += _clear(beside.endpoint_of(fields), record)
    beside.remove_beside(record)
    emulation.tidy()
    if trouble:
        _log(record.folder, f"run {record.run}: not removed:\n" + "\n".join(trouble))


def _clear(endpoint: Endpoint, record: beside.RunRecord) -> list[str]:
    """Remove what carries the run's label, and the folders that this takes a container for.

    Returns:
        What could not be removed, with the reason.
    """
    from pytest_dockerlab.reaping import names
    from pytest_dockerlab.reaping.clear import clear
    from pytest_dockerlab.reaping.owner import LABEL_RUN

    deadline, pause = time.monotonic() + _PATIENCE, 0.2
    while True:
        if _falls_with_its_run(endpoint, record.owner.pid):
            return []
        try:
            with _engine(endpoint) as engine:
                left = clear(engine, {LABEL_RUN: record.run})
                left += names.take_off(engine, names.left(engine, record.scratch))
                _remove_what_others_own(engine, record)
                return left
        except (LabError, OSError) as error:
            if time.monotonic() > deadline:
                return [str(error)]
        time.sleep(pause)
        pause = min(2 * pause, 10.0)


def _remove_what_others_own(engine: Engine, record: beside.RunRecord) -> None:
    """Folders for containers hold files that only root may remove: where we are not, a container has to."""
    from pytest_dockerlab.reaping.folders import remove_folders
    from pytest_dockerlab.reaping.owner import owned_by

    beside.remove_scratch(record)
    left = [path for path in record.scratch.glob("dockerlab-dir-*/dir") if path not in record.kept]
    if left:
        remove_folders(engine, left, owned_by(record.run, record.owner, "run"))


def _falls_with_its_run(endpoint: Endpoint, owner: int) -> bool:
    """Whether this is a private engine whose keeper takes it down, and has done so when this returns."""
    if not endpoint.private:
        return False
    from pytest_dockerlab.engine import private
    from pytest_dockerlab.engine.private.slots import Slot, all_slots

    deadline = time.monotonic() + 60.0
    while True:
        state = next((state for state in map(Slot.read, all_slots()) if state and state.url == endpoint.url), None)
        if state is not None and not state.owner:
            return False
        if state is None or state.owner != owner or time.monotonic() > deadline:
            return True  # it is gone, and its slot perhaps in use again
        if not alive(state.keeper, state.keeper_start):
            private.sweep()
            return True
        time.sleep(0.05)


def _engine(endpoint: Endpoint) -> Engine:
    from pytest_dockerlab.engine.engine import Engine

    return Engine(endpoint, timeout=30.0)


def _let_go(keep: tuple[int, int]) -> None:
    """Close what was inherited: a pipe or a lock that is held open would be waited for by others."""
    try:
        numbers = [int(path.name) for path in Path("/proc/self/fd").iterdir()]
    except OSError:
        numbers = list(range(256))
    for number in numbers:
        if number > 2 and number not in keep:
            with contextlib.suppress(OSError):
                os.close(number)


def _log(folder: Path, text: str) -> None:
    path = folder.parent.parent / "watchdog.log"
    with contextlib.suppress(OSError), path.open("a", encoding="utf-8") as file:
        if file.tell() > _LOG_BYTES:
            file.truncate(0)
        file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")


if __name__ == "__main__":
    main()
