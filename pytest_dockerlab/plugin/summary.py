"""What the user reads of a run: the engine in one line, and what was done in a few."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.plugin.tally import Tally

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.engine.info import EngineInfo

__all__ = ["headline", "place", "summary"]

_KINDS = {
    "stand-in": "stand-in",
    "pulled": "pulled, stays on the engine",
    "mirror": "from the mirror, stays on the engine",
}


def headline(engine: Engine) -> str:
    """The engine in one line: what it is, where, what chose it, and what decides how things behave on it."""
    info, endpoint = engine.info, engine.endpoint
    if info.product == "Podman":
        builder = "Podman's builder"
    else:
        builder = "BuildKit" if engine.capabilities.has("buildkit") else "classic builder"
    where = f"private, {endpoint.source}" if endpoint.private else f"{endpoint.url}, {endpoint.source}"
    parts = [
        f"{info.product} {info.version} ({where})",
        builder,
        info.store,
        f"cgroup v{info.cgroup_version}",
        str(info.platform),
        "1 CPU" if info.cpus == 1 else f"{info.cpus} CPUs",
    ]
    return " · ".join(part for part in parts if part)


def place(info: EngineInfo) -> str:
    """The engine in a few words, for tables of several jobs."""
    store = " (containerd store)" if info.containerd_store else ""
    return f"{info.product} {info.version.partition('+')[0]}{store}"


def summary(engines: Sequence[str], tally: Tally, platforms: Sequence[str] = (), *, verbose: bool = False) -> list[str]:
    """The lines of the section at the end; none for a run that did nothing with an engine.

    Args:
        platforms: of each that is not an engine's own, what became of it.
    """
    if not engines:
        return []
    rows = [
        ("engine" if len(engines) == 1 else "engines" if number == 0 else "", engine)
        for number, engine in enumerate(engines)
    ]
    rows += [("platforms" if number == 0 else "", line) for number, line in enumerate(platforms)]
    if bases := [f"{name} ({_KINDS[kind]})" for name, kind in sorted(tally.bases.items()) if kind in _KINDS]:
        rows.append(("bases", ", ".join(bases)))
    builds, containers = tally.events.get("builds", []), tally.events.get("containers", [])
    if builds:
        rows.append(("builds", _builds(builds)))
    if containers:
        ahead = sum(bool(event.get("ahead")) for event in containers)
        rows.append(("containers", f"{len(containers)} started" + (f", {ahead} of them ahead" if ahead else "")))
    odd = {(event["image"], event["odd"]): None for event in containers if event.get("odd")}
    rows.extend(("odd", f"{image} is made for {platform}: not what its test was for") for image, platform in odd)
    timed = [(f"build {event['name']}", event["seconds"]) for event in builds]
    timed += [(f"container {event['image']}", event["seconds"]) for event in containers]
    timed += [(f"{event['kind']} {event['name']}", event["seconds"]) for event in tally.events.get("pulls", [])]
    slow = sorted((pair for pair in timed if pair[1] >= 1), key=lambda pair: -pair[1])
    if slow:
        rows.append(("slowest", " · ".join(f"{name} {seconds:.1f} s" for name, seconds in slow[:3])))
    rows.extend(("not judged", f"{name}: the engine's fault") for name in tally.unjudged)
    for kept in tally.kept:
        rows.append(("kept", f"of {kept['test']}:"))
        rows.extend(("", line) for line in _ways_in(kept))
    rows.extend(("", f"to remove it all: {way}") for way in dict.fromkeys(kept["remove"] for kept in tally.kept))
    rows.extend(("left over", text.replace("\n", "\n" + " " * 12)) for text in tally.trouble)
    if verbose:
        rows.extend(("build", _build(event)) for event in builds)
    else:
        rows.append(("more", "-v lists each build; `dockerlab doctor` tells what this engine can"))
    return [f"{title:<12}{text}" for title, text in rows]


def _ways_in(kept: Mapping[str, Any]) -> Iterable[str]:
    for name, runs in kept["containers"].items():
        # One that has ended can't be entered; its files can be looked at.
        yield f"{kept['docker']} exec -it {name} sh" if runs else f"{kept['docker']} logs {name}"
        if not runs:
            yield f"{kept['docker']} export {name} | tar -tv"


def _builds(builds: Iterable[Mapping[str, Any]]) -> str:
    builds = list(builds)
    seconds = sum(event["seconds"] for event in builds)
    reused = sum(event["reused"] for event in builds)
    ran = sum(event["steps"] for event in builds) - reused
    failed = sum(not event["ok"] for event in builds)
    text = f"{len(builds)} in {seconds:.1f} s; steps: {ran} run, {reused} reused from the cache"
    ahead = sum(bool(event.get("ahead")) for event in builds)
    text += f"; {ahead} of them ahead" if ahead else ""
    return f"{text}; {failed} failed" if failed else text


def _build(event: Mapping[str, Any]) -> str:
    how = f"{event['steps'] - event['reused']} run, {event['reused']} reused" if event["ok"] else "failed"
    return f"{event['name']} {event['seconds']:.1f} s, {how}" + (", ahead" if event.get("ahead") else "")
