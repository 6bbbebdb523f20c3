"""The sweep: what dead runs of this host left, on an engine and beside it, is removed; nothing else is touched."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from pytest_dockerlab.engine import emulation
from pytest_dockerlab.errors import FormatError, LabError
from pytest_dockerlab.reaping import beside, kept, names
from pytest_dockerlab.reaping.owner import LABEL_KEPT, LABEL_OWNER, Owner
from pytest_dockerlab.reaping.removing import remove_things

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.things import Thing

__all__ = ["Found", "Verdict", "judged_by_host", "look", "sweep", "sweep_at_start"]

Verdict = Literal["dead", "alive", "unknown", "kept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing on an engine that a run has made.

    Attributes:
        owner: ``None`` where its label can't be read.
        verdict: ``dead``: its owner has ended for sure; ``unknown``: it ran on another host, or before another boot
            of a machine that may only be called the same.
    """

    thing: Thing
    owner: Owner | None
    verdict: Verdict


def look(engine: Engine) -> tuple[Found, ...]:
    """Everything on an engine that carries an owner's label, judged; in the order in which it can be removed."""
    from pytest_dockerlab.engine.things import labelled

    things = labelled(engine, {LABEL_OWNER: ""})
    if not things:
        return ()
    free = frozenset(thing.id for thing in kept.without_kept(engine, things))
    found = []
    for thing in things:
        owner = _owner(thing)
        if thing.id in free and LABEL_KEPT not in thing.labels:
            verdict = _verdict(owner, local=bool(engine.endpoint.socket))
        else:
            verdict = "kept"
        found.append(Found(thing=thing, owner=owner, verdict=verdict))
    return tuple(found)


def sweep(engine: Engine, found: Iterable[Found]) -> list[str]:
    """Remove those that are dead.

    Returns:
        What could not be removed, with the reason.

    Raises:
        EngineUnreachable: the engine does not answer any more.
    """
    return remove_things(engine, (one.thing for one in found if one.verdict == "dead"))


def sweep_at_start(engine: Engine, tell: Callable[[str], None]) -> None:
    """Before a run's first test: remove what dead runs left; never raises, and is silent where there is nothing."""
    try:
        records = tuple(beside.dead_runs())
        for record in records:
            beside.end_processes(record)  # first: what goes on making things
        found = look(engine)
        dead = [one for one in found if one.verdict == "dead"]
        trouble = sweep(engine, dead)
        for record in records:
            trouble += names.take_off(engine, names.left(engine, record.scratch))
        gone = [*_count(dead), *(what for record in records for what in beside.remove_beside(record))]
        gone += emulation.tidy()
    except (LabError, OSError) as error:
        tell(f"what dead runs left was not looked for: {str(error).splitlines()[0]}")
        return
    if gone:
        tell(f"removed what dead runs left: {', '.join(gone)}")
    for row in trouble:
        tell(f"left by a dead run, and not to be removed: {row}")


def judged_by_host(found: Iterable[Found], host: str) -> tuple[Found, ...]:
    """The same, with everything of ``host`` dead of which nothing is known: somebody knows more."""
    return tuple(
        replace(one, verdict="dead")
        if one.verdict == "unknown" and host and one.owner is not None and one.owner.host == host
        else one
        for one in found
    )


def _owner(thing: Thing) -> Owner | None:
    try:
        return Owner.parse(thing.labels.get(LABEL_OWNER, ""))
    except FormatError:
        return None


def _verdict(owner: Owner | None, *, local: bool) -> Verdict:
    alive = owner.alive if owner is not None else None
    if alive is None or owner is None:
        return "unknown"
    if alive:
        return "alive"
    # An engine elsewhere serves several machines, and two of them may have one name.
    return "dead" if local or owner.boot == Owner.of().boot else "unknown"


def _count(found: Iterable[Found]) -> list[str]:
    numbers: dict[str, int] = {}
    for one in found:
        numbers[one.thing.kind] = numbers.get(one.thing.kind, 0) + 1
    return [f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in numbers.items()]
