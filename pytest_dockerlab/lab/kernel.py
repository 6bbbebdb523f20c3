"""A running container's cgroup files, wherever they can be read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import ContainerFailed, ExecFailed
from pytest_dockerlab.lab.tc import is_local
from pytest_dockerlab.run.cgroups import FILES, KernelLimits, KernelUsage, cgroup_paths, limits_from, usage_from

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["read_kernel_limits", "read_kernel_usage"]

_MARK = "==> "
# One exec for all files: it costs more than they do.
_SCRIPT = f'cd /sys/fs/cgroup && for f in "$@"; do [ -r "$f" ] && echo "{_MARK}$f" && cat "$f"; done; true'


def read_kernel_limits(engine: Engine, container: str) -> KernelLimits:
    """The caps that the kernel enforces on a running container.

    Raises:
        ContainerFailed: it does not run, or its files can't be read from anywhere.
    """
    return limits_from(_files(engine, container))


def read_kernel_usage(engine: Engine, container: str) -> KernelUsage:
    """What the kernel has counted for a running container.

    Raises:
        ContainerFailed: it does not run, or its files can't be read from anywhere.
    """
    return usage_from(_files(engine, container))


def _files(engine: Engine, container: str) -> dict[str, str]:
    state = engine.containers.state(container)
    if not state.running:
        raise ContainerFailed(
            f"container {container[:12]} does not run ({state}), so the kernel knows nothing of it",
            remedy="ask while it runs, or look at .limits",
        )
    if state.status == "running" and (found := _from_inside(engine, container)):
        return found
    if found := _from_host(engine, state.pid):
        return found
    raise ContainerFailed(
        f"the cgroup files of container {container[:12]} can't be read: it has no shell with cat (or is paused), "
        "and its engine's host is not this one",
        remedy="look at .limits, or run an image that has a shell",
    )


def _from_inside(engine: Engine, container: str) -> dict[str, str]:
    # The archive API does not see what is mounted within the container's own mount namespace.
    command = ("/bin/sh", "-c", _SCRIPT, "sh", *FILES)
    try:
        result = engine.containers.exec(container, command, user="0")
    except ExecFailed:
        return {}
    files: dict[str, str] = {}
    name = ""
    for row in result.output.splitlines():
        if row.startswith(_MARK):
            name = row.removeprefix(_MARK)
            files[name] = ""
        elif name:
            files[name] += row + "\n"
    return files


def _from_host(
    engine: Engine, pid: int, root: Path = Path("/sys/fs/cgroup"), proc: Path = Path("/proc")
) -> dict[str, str]:
    if not pid or not is_local(engine.endpoint):
        return {}
    try:
        paths = cgroup_paths((proc / str(pid) / "cgroup").read_text())
    except OSError:
        return {}  # The engine's pids are not ours: it runs in another namespace.
    files: dict[str, str] = {}
    for name in FILES:
        controller, slash, leaf = name.partition("/")
        group = paths.get(controller if slash else "")
        if group is None:
            continue
        folder = (root / controller if slash else root) / group.lstrip("/")
        try:
            files[name] = (folder / (leaf or name)).read_text()
        except OSError:
            continue  # A controller that is not enabled, or of the other version.
    return files
