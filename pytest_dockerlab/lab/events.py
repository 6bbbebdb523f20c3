"""What labs did: builds, containers, pulls. The plugin's summary reads it; it travels between processes as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

__all__ = ["BuildEvent", "ContainerEvent", "PullEvent", "Recorder"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildEvent:
    """One build.

    Attributes:
        name: the exercise's, or the image's.
        seconds: from request to end.
        steps, reused: steps whose cached flag means something (all but FROM), and those taken from the cache.
        ok: it made an image.
        scope: of the lab.
        ahead: it was built before the test asked for it.
    """

    name: str
    seconds: float
    steps: int
    reused: int
    ok: bool = True
    scope: str = ""
    ahead: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEvent:
    """One container; ``seconds`` for which its test waited for it.

    Attributes:
        ahead: it was started before the test asked for it.
        odd: the image's platform, where that is neither the lab's nor one that was asked for.
    """

    name: str
    image: str
    seconds: float
    ok: bool = True
    scope: str = ""
    ahead: bool = False
    odd: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PullEvent:
    """One image that was brought; ``kind`` says how (``pulled``, ``mirror``, ``stand-in``, ``present``)."""

    name: str
    seconds: float
    kind: str = "pulled"


@dataclass(slots=True)
class Recorder:
    """A list per kind of event, in the order in which they happened."""

    builds: list[BuildEvent] = field(default_factory=list)
    containers: list[ContainerEvent] = field(default_factory=list)
    pulls: list[PullEvent] = field(default_factory=list)

    def add(self, event: BuildEvent | ContainerEvent | PullEvent) -> None:
        """Remember an event."""
        match event:
            case BuildEvent():
                self.builds.append(event)
            case ContainerEvent():
                self.containers.append(event)
            case PullEvent():
                self.pulls.append(event)

    def slowest(self, count: int = 3) -> tuple[BuildEvent | ContainerEvent | PullEvent, ...]:
        """The events that took longest, longest first."""
        everything: list[BuildEvent | ContainerEvent | PullEvent] = [*self.builds, *self.containers, *self.pulls]
        return tuple(sorted(everything, key=lambda event: -event.seconds)[:count])

    def to_json(self) -> dict[str, list[dict[str, Any]]]:
        """Plain lists and mappings, for an xdist worker to hand over."""
        return {
            "builds": [asdict(event) for event in self.builds],
            "containers": [asdict(event) for event in self.containers],
            "pulls": [asdict(event) for event in self.pulls],
        }

    def merge(self, data: Mapping[str, Iterable[Mapping[str, Any]]]) -> None:
        """Take over what another recorder's ``to_json`` gave."""
        self.builds.extend(BuildEvent(**event) for event in data.get("builds", ()))
        self.containers.extend(ContainerEvent(**event) for event in data.get("containers", ()))
        self.pulls.extend(PullEvent(**event) for event in data.get("pulls", ()))
