"""BuildKit's reports folded into one ``BuildTrace``.

The last event of a digest counts (BuildKit ``solver/progress.go``); a step may have several vertexes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.match import match_steps
from pytest_dockerlab.build.solve import SolveStatus, Vertex, from_protobuf
from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.foreign import said

__all__ = ["BuildkitReader", "exit_code_of"]

_EXIT_CODE = re.compile(r"exit code: (\d{1,9})(?!\d)", re.ASCII)
_CANCELED = re.compile(r"context canceled|operation was canceled|\bCANCELED\b", re.IGNORECASE)

# BuildKit's own vertex that looks a base up (dockerfile2llb, imagemetaresolver); frontends too.
_METADATA = re.compile(r"\[internal\] load metadata for (?P<name>\S+)|resolve image config for (?P<frontend>\S+)")

_Key = tuple[str, int]
# Bytes of a step's log, of which the end is kept: who prints without end must not fill our memory.
_MOST_LOG = 16 << 20
_MANY = 256
_MOST_OF_ONE = 64


def exit_code_of(message: str) -> int | None:
    """The exit code that a builder's message tells of, the last if there are several."""
    found = _EXIT_CODE.findall(message)
    return int(found[-1]) if found else None


class BuildkitReader:
    """Takes a build's messages as they come, tells its progress, and in the end its trace."""

    def __init__(self, dockerfile: Dockerfile, target: str = "", *, builder: BuilderName = "buildkit") -> None:
        self.dockerfile = dockerfile
        self.builder: BuilderName = builder
        self.error = ""
        self.image_id = ""
        self._plan = dockerfile.plan(target)
        self._steps, self._index = self._plan, dict[str, int]()
        self._of: dict[int, list[str]] = {}
        self._failed = set[str]()
        self._new = 0
        self._vertexes: dict[str, Vertex] = {}
        self._logs: dict[str, bytearray] = {}
        self._warnings: list[str] = []
        self._output: list[str] = []
        self._told: dict[int, str] = {}

    def feed(self, message: Mapping[str, object]) -> tuple[str, ...]:
        """Take one JSON message of ``POST /build?version=2``; returns progress lines.

        Raises:
            FormatError: a trace that can't be read.
        """
        kind, aux = message.get("id"), message.get("aux")
        if kind == "moby.buildkit.trace" and isinstance(aux, str):
            return self.update(from_protobuf(aux))
        if kind == "moby.image.id" and isinstance(aux, dict):
            self.image_id = said(aux.get("ID"))
        detail = message.get("errorDetail")
        if isinstance(detail, dict) or message.get("error"):
            text = detail.get("message") if isinstance(detail, dict) else ""
            self.error = said(text or message.get("error"))
        if isinstance(message.get("stream"), str):
            self._output.append(said(message["stream"]))
        return ()

    def update(self, status: SolveStatus) -> tuple[str, ...]:
        """Take one status; returns progress lines."""
        for vertex in status.vertexes:
            before = self._vertexes.get(vertex.digest)
            if before is None or before.name != vertex.name:
                self._new += 1
            self._vertexes[vertex.digest] = vertex
            if vertex.error and not _CANCELED.search(vertex.error):
                self._failed.add(vertex.digest)
            else:
                self._failed.discard(vertex.digest)
        # Each new one may change what the others mean. Of thousands, which no real build has, not each is looked at.
        if self._new > len(self._vertexes) // 8 or (self._new and len(self._vertexes) <= _MANY):
            self._match()
        for log in status.logs:
            kept = self._logs.setdefault(log.vertex, bytearray())
            kept.extend(log.data)
            if len(kept) > 2 * _MOST_LOG:  # not each time: what stays has to be moved
                del kept[:-_MOST_LOG]
        self._warnings.extend(status.warnings)
        touched = dict.fromkeys(
            self._index[vertex.digest] for vertex in status.vertexes if vertex.digest in self._index
        )
        return tuple(line for at in touched for line in self._tell(at))

    def _match(self) -> None:
        if self._new:
            self._new = 0
            names = {digest: vertex.name for digest, vertex in self._vertexes.items()}
            self._steps, self._index = match_steps(self.dockerfile, self._plan, names)
            self._of = {}
            for digest, at in self._index.items():
                of = self._of.setdefault(at, [])
                if len(of) < _MOST_OF_ONE:
                    of.append(digest)

    @property
    def running(self) -> Step | None:
        """The step that was started last and hasn't ended (or was ended from outside)."""
        self._match()
        begun = [
            (vertex.started, self._index[vertex.digest])
            for vertex in self._vertexes.values()
            if vertex.digest in self._index
            and vertex.started is not None
            and (vertex.completed is None or _CANCELED.search(vertex.error))
        ]
        return self._judged(max(begun)[1]) if begun else None

    @property
    def failed_source(self) -> str:
        """The image that could not be resolved, if that is why it failed."""
        for vertex in self._vertexes.values():
            match = _METADATA.search(vertex.name)
            if match and vertex.error and not _CANCELED.search(vertex.error):
                return match["name"] or match["frontend"]
        return ""

    def trace(self, seconds: float = 0.0) -> BuildTrace:
        """What is known now."""
        self._match()
        steps = tuple(self._judged(at) for at in range(len(self._steps)))
        if not self.error:
            steps = _with_twins(self.dockerfile, steps)
        logs = (log.decode(errors="replace") for digest, log in self._logs.items() if digest not in self._index)
        return BuildTrace(
            builder=self.builder,
            steps=steps,
            image_id=self.image_id,
            seconds=seconds,
            error=self.error,
            warnings=tuple(dict.fromkeys(self._warnings)),
            output="".join([*self._output, *logs]),
        )

    def _vertexes_of(self, at: int) -> list[Vertex]:
        return [self._vertexes[digest] for digest in self._of.get(at, ())]

    def _judged(self, at: int) -> Step:
        step, vertexes = self._steps[at], self._vertexes_of(at)
        if not vertexes:
            return step
        error = next((vertex.error for vertex in vertexes if vertex.error), "")
        if self._failed and _CANCELED.search(error):
            error = ""  # it was only taken along by the step that failed
        times = [vertex.completed - vertex.started for vertex in vertexes if vertex.started and vertex.completed]
        return replace(
            step,
            reported=True,
            # After a failure BuildKit shows steps as cached that never ran (docker/buildx#2387).
            cached=all(vertex.cached for vertex in vertexes) and not self.error,
            seconds=round(max(0.0, sum(times)), 3) if times else None,
            log=b"".join(bytes(self._logs.get(vertex.digest, b"")) for vertex in vertexes).decode(errors="replace"),
            error=error,
            exit_code=exit_code_of(error) if error else None,
        )

    def _tell(self, at: int) -> tuple[str, ...]:
        vertexes = self._vertexes_of(at)
        if all(vertex.cached and vertex.completed for vertex in vertexes):
            state = "cached"
        elif any(vertex.error for vertex in vertexes):
            state = "failed"
        elif all(vertex.completed for vertex in vertexes):
            state = "done"
        elif any(vertex.started for vertex in vertexes):
            state = "started"
        else:
            return ()
        if self._told.get(at) == state or (state == "started" and at in self._told):
            return ()
        self._told[at] = state
        step = self._judged(at)
        if state == "started":
            return (step.label,)
        return (f"{step.label}: {f'{step.seconds or 0:.1f} s' if state == 'done' else state}",)


def _with_twins(dockerfile: Dockerfile, steps: tuple[Step, ...]) -> tuple[Step, ...]:
    """Steps that BuildKit ran once for two stages, because all up to them is the same, take their twin's result."""
    stages = {dockerfile.label(stage): stage for stage in dockerfile.stages}
    numbers: dict[tuple[object, str], int] = {}  # what comes before and a text → a number for both together
    ends: dict[int, int] = {}
    chain_of: dict[_Key, int] = {}
    for step in steps:
        stage = stages[step.stage]
        if (before := chain_of.get((step.stage, step.number - 1))) is None:
            start = ("base", stage.base) if stage.base_stage is None else ("stage", str(stage.base_stage))
            before = ends.get(-1 if stage.base_stage is None else stage.base_stage)
            before = numbers.setdefault(start, len(numbers)) if before is None else before
        chain = before if step.instruction == "FROM" else numbers.setdefault((before, step.text), len(numbers))
        chain_of[step.stage, step.number] = ends[stage.index] = chain
    reported = {chain_of[step.stage, step.number]: step for step in steps if step.reported}
    return tuple(
        step
        if step.reported or (twin := reported.get(chain_of[step.stage, step.number])) is None
        else replace(step, cached=twin.cached)
        for step in steps
    )
