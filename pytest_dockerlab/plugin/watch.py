"""The run's watchdog, from the run's side: started once, and told how the run has ended."""

from __future__ import annotations

from pytest_dockerlab.plugin.seat import Folder

__all__ = ["WAITS", "begin", "end"]

#: What to tell where an engine that does not answer has things of the run.
WAITS = (
    "a watchdog waits for the engine to answer again, and removes it then; "
    "after five minutes `dockerlab sweep` does, or the next run"
)

_RECORD = "watchdog.json"


def begin(folder: Folder) -> None:
    """Start the watchdog, unless another process of the run has."""
    from pytest_dockerlab.reaping import watchdog

    with folder.lock("watchdog"):
        if folder.read(_RECORD) is None:
            pid, started = watchdog.start(folder.path)
            folder.write(_RECORD, {"pid": pid, "start": started})


def end(folder: Folder, *, left: bool) -> bool:
    """Remove the run's folder, and let the watchdog go.

    Args:
        left: an engine may still make what a dead process asked for.

    Returns:
        Whether the watchdog sees to that, and to the folder.
    """
    told = folder.read(_RECORD)
    if told is None:
        folder.remove()
        return False
    from pytest_dockerlab.reaping import watchdog

    if left and watchdog.take_over(folder.path, told["pid"], told["start"]):
        return True
    folder.remove()
    watchdog.dismiss(told["pid"], told["start"])
    return False
