"""``dockerlab sweep``: looks at the engines of this user and beside them, says what dead runs left, and removes it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from pytest_dockerlab.engine import emulation
from pytest_dockerlab.errors import LabError
from pytest_dockerlab.reaping import beside, kept, names
from pytest_dockerlab.reaping.owner import LABEL_RUN, Owner
from pytest_dockerlab.reaping.sweep import Found, Verdict, judged_by_host, look, sweep

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.settings import Settings

__all__ = ["run_sweep"]

_WHY: Mapping[Verdict, str] = {
    "alive": "its run goes on",
    "kept": "kept on request (--kept removes it, too)",
    "unknown": "of another host or boot (--host NAME, if you know that none of its runs goes on)",
}


def run_sweep(settings: Settings, *, dry_run: bool, with_kept: bool, host: str) -> int:
    """Print and remove.

    Args:
        dry_run: only print.
        with_kept: what is kept on request goes, too.
        host: one whose runs count as dead.

    Returns:
        0, or 1 where something could not be removed.

    Raises:
        EngineUnreachable: an engine was named, and does not answer.
    """
    trouble: list[str] = []
    seen = 0
    verb = "would remove" if dry_run else "removed"
    endpoints = _endpoints(settings)
    seen += _processes(verb, dry_run=dry_run)
    for endpoint in endpoints:
        try:
            seen += _one_engine(endpoint, verb, trouble, dry_run=dry_run, with_kept=with_kept, host=host)
        except LabError as error:
            trouble.append(f"{endpoint.url}: {error.what}")
    seen += _beside(verb, dry_run=dry_run)
    for row in trouble:
        print(f"not removed: {row}")
    if not seen and not trouble:
        where = ", ".join(endpoint.url for endpoint in endpoints) or "no engine answers; beside it"
        print(f"Nothing of a run is left ({where}).")
    return 1 if trouble else 0


def _endpoints(settings: Settings) -> tuple[Endpoint, ...]:
    """The engine that tests would use, and the private ones that outlive a command."""
    from pytest_dockerlab.engine import private
    from pytest_dockerlab.engine.discovery import discover

    chosen = discover(settings).chosen
    ups = [endpoint for endpoint in private.running() if endpoint.source == "dockerlab up"]
    if settings.engine and chosen is not None:
        ups = [endpoint for endpoint in ups if endpoint.url == chosen.url]
    found = {endpoint.url: endpoint for endpoint in (*([chosen] if chosen else []), *ups)}
    return tuple(found.values())


def _one_engine(endpoint: Endpoint, verb: str, trouble: list[str], *, dry_run: bool, with_kept: bool, host: str) -> int:
    """How much was there, whatever became of it."""
    from pytest_dockerlab.engine.engine import Engine

    with Engine(endpoint) as engine:
        found = judged_by_host(look(engine), host)
        marks = kept.kept_on(engine)
        named = [one for record in beside.dead_runs() for one in names.left(engine, record.scratch)]
        if found or marks or named:
            print(f"{endpoint.url} ({endpoint.name})")
        dead = [one for one in found if one.verdict == "dead"]
        if not dry_run:
            trouble.extend(sweep(engine, dead))
            trouble.extend(names.take_off(engine, named))
        for row in (*_rows(dead), *(f"image name {one.name}" for one in named)):
            print(f"  {verb} {row}")
        for verdict, why in _WHY.items():
            rows = [one for one in found if one.verdict == verdict]
            if rows and not (verdict == "kept" and with_kept):
                print(f"  stays: {why}")
                for row in _rows(rows):
                    print(f"    {row}")
        if not with_kept:
            return len(found) + len(marks) + len(named)
        for mark in marks:
            print(f"  {verb} what was kept of {mark.test}: {', '.join(mark.containers)}")
        if not dry_run:
            trouble.extend(kept.let_go(engine, marks))
    if not dry_run and not trouble:
        _end_kept(endpoint)
    return len(found) + len(marks) + len(named)


def _end_kept(endpoint: Endpoint) -> None:
    """A run's private engine that was only up for what was kept."""
    from pytest_dockerlab.engine import private

    for slot, state in private.states():
        if state.url == endpoint.url and state.kept:
            for what in private.stop(slot.number):
                print(f"  removed {what}")


def _processes(verb: str, *, dry_run: bool) -> int:
    """What still runs of dead runs, before anything else: it may go on making things."""
    seen = 0
    for record in beside.dead_runs():
        rows = [f"process {pid}" for pid in sorted(beside.processes(record))]
        if not dry_run:
            beside.end_processes(record)
        for what in rows:
            print(f"{verb} {what} (run {record.run}, {_said(record.owner)})")
        seen += len(rows)
    return seen


def _beside(verb: str, *, dry_run: bool) -> int:
    """Folders of dead runs, and emulators that nobody needs any more: how much was there."""
    gone = emulation.tidy(dry_run=dry_run)
    for what in gone:
        print(f"{verb} {what} (registered for a run that has ended)")
    seen = len(gone)
    for record in beside.dead_runs():
        rows = [f"folder {path}" for path in (record.scratch, record.folder) if path.is_dir()]
        if not dry_run:
            beside.remove_beside(record)
        for what in rows:
            print(f"{verb} {what} (run {record.run}, {_said(record.owner)})")
        seen += len(rows)
    return seen


def _rows(found: Iterable[Found]) -> Iterator[str]:
    for one in found:
        age = f", {_age(time.time() - one.thing.created)} old" if one.thing.created else ""
        yield f"{one.thing} (run {one.thing.labels.get(LABEL_RUN, '?')}, {_said(one.owner)}{age})"


def _said(owner: Owner | None) -> str:
    return f"process {owner.pid} on {owner.host}" if owner else "an owner that can't be read"


def _age(seconds: float) -> str:
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
