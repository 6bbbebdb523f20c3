"""What the classic builder's and Podman's streams have in common: text in which steps follow one another.

A RUN's own output comes in the same stream, so it can imitate the builder's messages. Two rules make
that harmless. A message counts only where the builder can say it (``classic.py``, ``podman.py``), and
as the real header of a step always comes too, a header that came twice gives a false one away: such
a step is never believed to be cached, and the trace warns.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.build.trace import BuildTrace, Step

__all__ = ["TextReader"]

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(slots=True)
class _State:
    """What is known of one step."""

    headers: int = 0
    cached: bool = False
    started: float = 0.0
    ended: float | None = None
    log: list[str] = field(default_factory=list)
    error: str = ""
    exit_code: int | None = None


class TextReader:
    """Keeps what is known of each step; the two builders' readers tell it what happened.

    Args:
        clock: seconds, of any origin; these streams carry no times, so a step takes as long as its messages are apart.
    """

    def __init__(
        self, builder: BuilderName, dockerfile: Dockerfile, target: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.dockerfile = dockerfile
        self.builder: BuilderName = builder
        self.error = ""
        self.image_id = ""
        self._plan = dockerfile.plan(target)
        self._by_line = {step.line: at for at, step in enumerate(self._plan)}
        self._states: dict[int, _State] = {}
        self._current: int | None = None
        self._output: list[str] = []
        self._warnings: list[str] = []
        self._clock = clock

    @property
    def running(self) -> Step | None:
        """The step that was begun last and hasn't ended."""
        at = self._current
        return None if at is None or self._states[at].ended is not None else self._step(at)

    @property
    def ran(self) -> Mapping[int, Step]:
        """The steps that ran to their end and were not cached, by their position; a failed build's, too."""
        ended = (at for at, state in self._states.items() if state.ended is not None)
        return {at: self._step(at) for at in ended if not (self._states[at].cached or self._states[at].error)}

    @property
    def failed_source(self) -> str:
        """The image that could not be resolved, if that is why it failed."""
        failed = next((self._plan[at] for at, state in self._states.items() if state.error), None)
        if failed is None or failed.instruction != "FROM":
            return ""
        return next((stage.base for stage in self.dockerfile.stages if stage.line == failed.line), "")

    def trace(self, seconds: float = 0.0) -> BuildTrace:
        """What is known now."""
        imitated = [self._plan[at].label for at, state in self._states.items() if state.headers > 1]
        warnings = list(self._warnings)
        if imitated:
            warnings.append(f"a step's output imitates the builder's messages of {', '.join(imitated)}: not believed")
        return BuildTrace(
            builder=self.builder,
            steps=tuple(self._step(at) for at in range(len(self._plan))),
            image_id=self.image_id,
            seconds=seconds,
            error=self.error,
            warnings=tuple(warnings),
            output="".join(self._output),
        )

    def _step(self, at: int) -> Step:
        step, state = self._plan[at], self._states.get(at)
        if state is None:
            return step
        return replace(
            step,
            reported=True,
            cached=state.cached and state.headers == 1 and not self.error,
            seconds=None if state.ended is None else round(max(0.0, state.ended - state.started), 3),
            log=_COLOUR.sub("", "".join(state.log)),
            error=state.error,
            exit_code=state.exit_code,
        )

    def _begin(self, line: int | None) -> tuple[str, ...]:
        """The instruction at this line of the Dockerfile begins (``None``: one that we put in)."""
        told = self._end()
        at = self._by_line.get(line) if line is not None else None
        self._current = at
        if at is None:
            return told
        state = self._states.setdefault(at, _State())
        state.headers += 1
        state.cached, state.started, state.ended = False, self._clock(), None
        return (*told, self._plan[at].label)

    def _end(self) -> tuple[str, ...]:
        at = self._current
        if at is None or self._states[at].ended is not None:
            return ()
        state = self._states[at]
        state.ended = self._clock()
        how = "failed" if state.error else "cached" if state.cached else f"{state.ended - state.started:.1f} s"
        return (f"{self._plan[at].label}: {how}",)

    def _set_cached(self, cached: bool) -> None:
        if self._current is not None:
            self._states[self._current].cached = cached

    def _print(self, text: str) -> None:
        if self._current is None:
            self._output.append(text)
        else:
            self._states[self._current].log.append(text)

    def _fail(self, message: str, exit_code: int | None) -> tuple[str, ...]:
        self.error = message.strip()
        at = self._current
        if exit_code is not None and (at is None or self._plan[at].instruction != "RUN"):
            # Only a RUN has an exit code: the header that made us think otherwise was an imitation.
            begun = [each for each in self._states if self._plan[each].instruction == "RUN"]
            at = begun[-1] if begun else at
        if at is None:
            return ()
        self._current = at
        self._states[at].error, self._states[at].exit_code = self.error, exit_code
        self._states[at].ended = None
        return self._end()
