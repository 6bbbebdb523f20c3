"""What a build did, step by step: one shape for BuildKit, the classic builder and Podman.

Steps are numbered as BuildKit numbers them, per stage, on every builder: only FROM,
RUN, COPY, ADD and WORKDIR count, FROM is 1. So ``step=2`` means the same instruction
whichever builder ran it. Instructions that make only metadata are no steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from pytest_dockerlab.build.spec import BuilderName
from pytest_dockerlab.errors import UsageError

__all__ = ["BuildTrace", "Step"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One step of a build.

    Attributes:
        stage: the stage's name, or its index as text; ``""`` in a Dockerfile of one stage.
        number: 1-based, within its stage.
        total: number of steps in its stage.
        instruction: ``FROM``, ``RUN``, ``COPY``, ``ADD``, ``WORKDIR``.
        text: the instruction as written in the Dockerfile, continuation lines joined.
        cached: taken from the cache. For FROM this says nothing (a base is resolved
            anew each time and shows either); see ``BuildTrace.work``. Never true in a build
            that failed: builders then call steps cached that never ran.
        seconds: that it ran, ``None`` where the builder doesn't say.
        log: what it printed.
        error: the builder's message if it failed, else ``""``.
        exit_code: of a failed RUN, else ``None``.
        line: 1-based line in the Dockerfile, ``None`` if unknown.
        reported: whether the builder said anything of it. It does not of a step that a failed
            build never came to, nor of one that is the same as a step of another stage (which
            was run once for both: its ``cached`` is the twin's).
    """

    number: int
    total: int
    instruction: str
    text: str
    stage: str = ""
    cached: bool = False
    seconds: float | None = None
    log: str = ""
    error: str = ""
    exit_code: int | None = None
    line: int | None = None
    reported: bool = True

    @property
    def label(self) -> str:
        """As a progress display shows it: ``[2/3] RUN apt-get …``."""
        stage = f"{self.stage} " if self.stage else ""
        return f"[{stage}{self.number}/{self.total}] {self.text}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTrace:
    """A whole build.

    Attributes:
        builder: which decoder's work this is.
        steps: in the Dockerfile's order.
        image_id: of the result; ``""`` if there is none.
        seconds: from request to end.
        error: the builder's message if it failed, else ``""``.
        warnings: what the builder warned about.
        output: everything it printed that belongs to no step.
        context_files, context_bytes: what was sent: number of files, and their sizes together.
    """

    builder: BuilderName
    steps: tuple[Step, ...]
    image_id: str = ""
    seconds: float = 0.0
    error: str = ""
    warnings: tuple[str, ...] = ()
    output: str = ""
    context_files: int = 0
    context_bytes: int = 0

    @property
    def work(self) -> tuple[Step, ...]:
        """The steps whose ``cached`` means something: all but FROM."""
        return tuple(step for step in self.steps if step.instruction != "FROM")

    @property
    def failed_step(self) -> Step | None:
        return next((step for step in self.steps if step.error), None)

    def step(self, number: int, *, stage: str | None = None) -> Step:
        """The step of this number, in ``stage`` or (by default) in the last stage.

        Raises:
            UsageError: there is no such step.
        """
        wanted = stage if stage is not None else (self.steps[-1].stage if self.steps else "")
        for step in self.steps:
            if step.number == number and step.stage == wanted:
                return step
        have = ", ".join(step.label for step in self.steps) or "none"
        place = f" in stage {wanted!r}" if wanted else ""
        raise UsageError(f"the build has no step {number}{place}", remedy=f"steps: {have}")
