"""Limits of a build that its builder does not keep: BuildKit in dockerd gives its RUN steps none.

A thread finds the build's steps as they begin (``build_steps``), gives each its share of the limits before or
milliseconds after its first process runs, and ends the build when one is exceeded. The kernel keeps memory, CPUs and
processes meanwhile; what is written is looked at a few times a second.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from pathlib import Path

from pytest_dockerlab.build.spec import BuildLimits
from pytest_dockerlab.engine.build_steps import RunningStep, running_steps, written
from pytest_dockerlab.engine.cgroups import Counted

__all__ = ["BuildWatch"]

_TURN = 0.015
_LOOK_AT_DISK = 0.3
_PATIENCE = 2.0
# What a step may have taken between our last look at it and the kernel's ending it.
_UNSEEN = 3 / 4


class _Step:
    def __init__(self, found: RunningStep) -> None:
        self.found = found
        self.counted = Counted()
        self.upper: Path | None = None
        self.written = 0
        self.limited = False
        self.since = time.monotonic()
        self.share = 0


class BuildWatch:
    """Entered around one build.

    Args:
        data_root: the engine's.
        version: of the machine's cgroups.
        host: the extra host that only this build's steps have.
        cancel: called once, when a limit was exceeded, or can't be kept.

    Attributes:
        broken: why the limits could not be kept, ``""`` if they were; the build was ended then.
    """

    def __init__(
        self, data_root: Path, version: int, host: str, limits: BuildLimits, cancel: Callable[[], None]
    ) -> None:
        self._root, self._version, self._host, self._limits, self._cancel = data_root, version, host, limits, cancel
        self._steps: dict[str, _Step] = {}
        self._others: set[str] = set()
        self._before = 0
        self._next_look = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="dockerlab-build-watch", daemon=True)
        self._over = ""
        self._killed = ""
        self.broken = ""

    def __enter__(self) -> BuildWatch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def over(self, exit_code: int | None = None) -> str:
        """What was exceeded: ``memory``, ``pids``, ``disk``, or ``""``; known for good once the build has ended.

        Args:
            exit_code: of the step that failed. 137 of one that had most of its memory is the kernel's doing.
        """
        return self._over or (self._killed if exit_code == 137 else "")

    def _watch(self) -> None:
        while True:
            last = self._stop.is_set()
            try:
                self._turn(last)
            except Exception as error:
                self._break(f"{type(error).__name__}: {error}")
            if last or self.broken:
                return
            self._stop.wait(_TURN)

    def _break(self, why: str) -> None:
        """Without limits it must not go on."""
        self.broken = why
        for step in self._steps.values():
            step.found.group.end()
        with contextlib.suppress(Exception):
            self._cancel()

    def _turn(self, last: bool) -> None:
        known = frozenset(self._steps) | self._others
        for found in running_steps(self._root, self._version, known):
            if self._host in found.hosts:
                self._steps[found.ident] = _Step(found)
            else:
                self._others.add(found.ident)
        running = [step for step in self._steps.values() if step.found.bundle.exists()]
        for step in running:
            self._limit(step, len(running))
            self._count(step)
        for ident in [ident for ident, step in self._steps.items() if step not in running or last]:
            self._ended(self._steps.pop(ident))
        self._judge(running, time.monotonic(), last)

    def _limit(self, step: _Step, running: int) -> None:
        """The kernel's caps. Stages are built side by side: they share the CPUs, and the rest is added up."""
        if step.limited and step.share == running:
            return
        most = self._limits
        taken = step.found.group.limit(
            memory=most.memory,
            nano_cpus=None if most.nano_cpus is None else most.nano_cpus // running,
            pids=most.pids,
        )
        step.limited, step.share = taken, running
        step.upper = step.upper or step.found.upper
        if not taken:
            if most.memory is not None and step.found.group.counted().memory > most.memory:
                self._exceeded("memory")
            elif step.found.group.processes() and time.monotonic() - step.since > _PATIENCE:
                self._break("the kernel does not take the limits of a step")

    def _count(self, step: _Step) -> None:
        now = step.found.group.counted()
        if now.pids or now.memory:  # else its group has gone, or is not there yet
            step.counted = now
        if now.oom_kills:
            self._exceeded("memory")
        if now.refused:
            self._exceeded("pids")
        if step.upper is None:
            step.upper = step.found.upper

    def _ended(self, step: _Step) -> None:
        step.found.group.remove()
        if self._limits.memory is not None and step.counted.peak > self._limits.memory * _UNSEEN:
            self._killed = "memory"
        if step.upper is not None and self._limits.disk is not None:
            self._before += written(step.upper, self._limits.disk)
            self._next_look = 0.0

    def _judge(self, running: list[_Step], now: float, last: bool) -> None:
        most = self._limits
        # Of one alone the kernel judges, which knows what it could take back.
        if most.memory is not None and len(running) > 1:
            held = sum(step.found.group.held() for step in running)
            if held > most.memory:
                self._exceeded("memory")
        if most.pids is not None and sum(step.counted.pids for step in running) > most.pids:
            self._exceeded("pids")
        if most.disk is not None and (now >= self._next_look or last):
            for step in running:
                if step.upper is not None:
                    step.written = written(step.upper, most.disk)
            # A folder of a million files takes its time: not more than a tenth of ours.
            self._next_look = now + max(_LOOK_AT_DISK, 10 * (time.monotonic() - now))
            if self._before + sum(step.written for step in running) > most.disk:
                self._exceeded("disk")
        if self._over:
            for step in running:
                step.found.group.end()

    def _exceeded(self, what: str) -> None:
        if not self._over:
            self._over = what
            with contextlib.suppress(Exception):  # the steps are ended in any case
                self._cancel()
