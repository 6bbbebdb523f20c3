"""A build that a lab made: the image, its base, and what happened step by step."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.image.model import Image

__all__ = ["Build"]


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Build:
    """One build and its result; usable wherever an image is.

    Attributes:
        name: the image's name on the engine: unique to this build's lab, so that no other lab takes it away; the id
            for a build without a tag.
        tag: the name that was asked for, ``""`` if none was.
        source: what was built: the exercise's folder, ``text`` for a Dockerfile given as text.
        image: the result.
        base: what the final stage starts from; without layers for ``FROM scratch``.
        trace: steps as they went.
        spec: what was asked of the engine.
    """

    name: str
    source: str
    image: Image
    base: Image
    trace: BuildTrace
    spec: BuildSpec
    tag: str = ""

    def __repr__(self) -> str:
        # A test's failure shows its arguments: the whole would bury the message.
        work = self.trace.work
        reused = sum(step.cached for step in work)
        return f"<Build {self.source} {self.name}: {len(work)} steps, {reused} reused, {self.seconds:.1f} s>"

    @property
    def id(self) -> str:
        return self.image.id

    @property
    def steps(self) -> tuple[Step, ...]:
        return self.trace.steps

    @property
    def seconds(self) -> float:
        """From request to end."""
        return self.trace.seconds

    @property
    def context_bytes(self) -> int:
        """Sizes of the files that were sent, together."""
        return self.trace.context_bytes

    @property
    def context_files(self) -> int:
        """Number of files that were sent."""
        return self.trace.context_files

    @property
    def log(self) -> str:
        """What every step printed, in the Dockerfile's order, and what belongs to no step."""
        rows = []
        for step in self.trace.steps:
            rows.append(step.label + (" (cached)" if step.cached else ""))
            if step.log:
                rows.append(step.log.rstrip("\n"))
        if self.trace.output:
            rows.append(self.trace.output.rstrip("\n"))
        return "\n".join(rows) + "\n" if rows else ""

    def step(self, number: int, *, stage: str | None = None) -> Step:
        """The step of this number; see ``BuildTrace.step``."""
        return self.trace.step(number, stage=stage)
