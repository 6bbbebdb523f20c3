"""Whether an engine can keep the limits of a build, and the error for one that went over them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.spec import BuilderName, BuildSpec, fresh_host
from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.engine.build_errors import tail
from pytest_dockerlab.engine.build_watch import BuildWatch
from pytest_dockerlab.engine.cgroups import writable
from pytest_dockerlab.errors import BuildOverLimit, CapabilityMissing, EngineError, UsageError
from pytest_dockerlab.quantity import human_bytes

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Guard", "guard_of", "reason_against"]

# What shells and runtimes say when the kernel gives them no further process (EAGAIN of fork(2)).
_NO_FORK = re.compile(r"fork: retry|[Cc]an(?:not|'t) fork|[Rr]esource temporarily unavailable")


def reason_against(engine: Engine) -> str:
    """Why an engine can't keep the limits of a build, or ``""``; its being on this machine is asked elsewhere."""
    if engine.info.rootless or engine.info.cgroup_driver == "none":
        return "a rootless engine's control groups are its own"
    if os.getuid() != 0:
        return "only root may set the limits of control groups, and this process is not root's"
    if not (Path(engine.info.root_dir) / "buildkit").is_dir():
        return f"its data are not at {engine.info.root_dir} of this machine"
    return writable(engine.info.cgroup_version)


def guard_of(engine: Engine, builder: BuilderName, spec: BuildSpec) -> Guard | None:
    """What keeps the limits of a build; ``None`` if it has none.

    Raises:
        CapabilityMissing: they can't be kept there.
        UsageError: there is nothing to tell its steps by.
    """
    if spec.limits is None:
        return None
    engine.capabilities.require("build_limits")
    if builder != "buildkit":
        raise CapabilityMissing(
            f"limits of a build are kept with BuildKit, and this one was to be built with {builder}",
            remedy="leave builder out",
        )
    if not spec.fresh:
        raise UsageError("a build with limits needs a fresh cache", remedy="give it fresh=lab.fresh_cache()")
    return Guard(engine, spec)


class Guard:
    """Makes the watch of one build, and judges what it saw."""

    def __init__(self, engine: Engine, spec: BuildSpec) -> None:
        self._engine, self._spec = engine, spec
        self._watch: BuildWatch | None = None

    def __call__(self, cancel: Callable[[], None]) -> BuildWatch:
        info = self._engine.info
        assert self._spec.limits is not None
        host = fresh_host(self._spec.fresh)
        self._watch = BuildWatch(Path(info.root_dir), info.cgroup_version, host, self._spec.limits, cancel)
        return self._watch

    def judge(self, dockerfile: Dockerfile, trace: BuildTrace, running: Step | None) -> None:
        """Raise what the build deserves, if it went over a limit.

        Raises:
            BuildOverLimit: it did.
            EngineError: the limits could not be kept.
        """
        assert self._watch is not None
        limits = self._spec.limits
        assert limits is not None
        if self._watch.broken:
            raise EngineError(
                f"the limits of a build could not be kept: {self._watch.broken}",
                remedy="see whether this machine's control groups can be written (dockerlab doctor)",
            )
        step = trace.failed_step or running
        resource = self._watch.over(step.exit_code if step else None)
        if not resource and step is not None and step.exit_code and limits.pids and _NO_FORK.search(step.log):
            # It ended between two looks at it. Its own words will do: it has failed in any case.
            resource = "pids"
        if not resource:
            return
        most = getattr(limits, resource) or 0
        used = {
            "memory": f"{human_bytes(most)} of memory",
            "pids": f"{most} processes at a time",
            "disk": f"{human_bytes(most)} of disk",
        }[resource]
        where = f", at {step.label}" if step else ""
        error = BuildOverLimit(
            f"the build used more than {used} and was ended{where}",
            remedy="make it do with less; a loop that never ends is a usual cause",
            trace=trace,
            step=step.number if step else None,
            log=tail(step.log) if step else "",
            file=dockerfile.path,
            line=step.line if step else None,
        )
        error.resource, error.limit = resource, most
        raise error
