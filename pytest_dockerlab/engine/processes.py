"""Processes by id and start time, found and ended, through ``/proc`` (proc(5))."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

__all__ = ["alive", "descendants", "end", "engine_processes", "started", "until_one_ends"]

# What an engine of ours consists of ("exe" is RootlessKit's second half, /proc/self/exe); a process is ours
# only if it is one of these and works in our folder.
_PROGRAMS = (
    "dockerd", "containerd", "docker-proxy", "docker-registry", "runc", "rootlesskit",
    "exe", "slirp4netns", "vpnkit", "podman", "conmon", "rootlessport", "fuse-overlayfs", "aardvark-dns",
    "catatonit", "dnsmasq",
)  # fmt: skip

_PROC = Path("/proc/self/stat")  # not on macOS, where an engine may run in a virtual machine


def _stat(pid: int) -> list[str]:
    # The name in brackets may hold blanks and brackets itself: what follows the last one is regular.
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return []
    return text[text.rindex(")") + 2 :].split()


def started(pid: int) -> int:
    """Clock ticks since boot at which ``pid`` started, 0 if there is none. Both together name one process for good."""
    fields = _stat(pid)
    return int(fields[19]) if fields else 0


def alive(pid: int, start: int = 0) -> bool:
    """Whether the process runs; a zombie does not. ``start`` guards against a pid that was given out again."""
    fields = _stat(pid) if pid > 0 else []
    if not fields and pid > 0 and not _PROC.exists():
        return _answers_signals(pid)
    return bool(fields) and fields[0] not in "ZX" and start in (0, int(fields[19]))


def _answers_signals(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # another user's
        return True
    return True


def until_one_ends(watched: Mapping[int, int], wake: int | None = None) -> None:
    """Return when one of ``watched`` (pid → start time) has ended, or when ``wake`` can be read from.

    A process that is suspended, or stands in a debugger, has not ended.

    Args:
        wake: a file descriptor.
    """
    poll, handles = select.poll(), []
    try:
        for pid in watched:
            handles.append(os.pidfd_open(pid))
            poll.register(handles[-1], select.POLLIN)
        seen = True
    except (OSError, AttributeError):  # gone already, or a kernel before 5.3: look now and then
        seen = False
        poll = select.poll()
    if wake is not None:
        poll.register(wake, select.POLLIN)
    try:
        # After the handles were opened: a pid that was given out again by then is seen here.
        while all(alive(pid, start) for pid, start in watched.items()):
            if poll.poll(None if seen else 500):
                return
    finally:
        for handle in handles:
            os.close(handle)


def _pids() -> Iterator[int]:
    yield from (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def descendants(roots: Iterable[int]) -> set[int]:
    """All children of ``roots``, and theirs, without the roots."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        if fields := _stat(pid):
            children.setdefault(int(fields[1]), []).append(pid)
    found: set[int] = set()
    queue = list(roots)
    while queue:
        for child in children.get(queue.pop(), ()):
            if child not in found:
                found.add(child)
                queue.append(child)
    return found


def engine_processes(folder: Path) -> set[int]:
    """Engine programs that were started with a path under ``folder``, by whoever."""
    prefix = f"{folder}/"
    found = set()
    for pid in _pids():
        words = _read(pid, "cmdline")
        if not words[0].rpartition("/")[2].startswith(_PROGRAMS):
            continue
        # Podman's helpers name the folder in their environment only.
        if any(prefix in word for word in words[1:]) or f"XDG_RUNTIME_DIR={prefix}x" in _read(pid, "environ"):
            found.add(pid)
    return found


def _read(pid: int, name: str) -> list[str]:
    try:
        return Path(f"/proc/{pid}/{name}").read_bytes().decode(errors="replace").split("\0")
    except OSError:  # it ended, or is another user's
        return [""]


def end(pids: Iterable[int], *, grace: float = 0.0, within: float = 10.0) -> set[int]:
    """SIGTERM, then SIGKILL after ``grace`` seconds, then wait until all are gone.

    Returns:
        What still runs after ``within`` seconds more (uninterruptible sleep); empty as a rule.
    """
    left = {pid: started(pid) for pid in pids if pid not in (1, os.getpid())}
    for number, patience in ((signal.SIGTERM, grace), (signal.SIGKILL, within)):
        if patience <= 0:
            continue
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            for pid in left:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)  # a child of ours stays a zombie until asked for
            left = {pid: start for pid, start in left.items() if alive(pid, start)}
            if left:
                time.sleep(0.01)
        if not left:
            break
    return set(left)
