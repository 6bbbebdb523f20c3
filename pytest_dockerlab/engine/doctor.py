"""What can be said about the engines of this machine without starting, installing or changing anything."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from pytest_dockerlab.engine import emulation, private
from pytest_dockerlab.engine.capabilities import EMULATES, Capabilities
from pytest_dockerlab.engine.discovery import Discovery, probe
from pytest_dockerlab.errors import LabError
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.settings import Settings

__all__ = ["Diagnosis", "examine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """What ``dockerlab doctor`` prints.

    Attributes:
        engine: what the chosen engine says of itself, ``None`` where none answers.
        capabilities: name → (has it, why not).
        platforms: the usual ones → what becomes of their programs there.
        trouble: what went wrong while asking the chosen engine, or the error of one that was named.
    """

    discovery: Discovery
    engine: Mapping[str, object] | None = None
    capabilities: Mapping[str, tuple[bool, str]] = field(default_factory=dict)
    platforms: Mapping[str, str] = field(default_factory=dict)
    trouble: LabError | None = None

    @property
    def usable(self) -> bool:
        """Whether a test run would get an engine, be it one that it starts."""
        return self.trouble is None and (self.engine is not None or not private.missing())

    @property
    def remedy(self) -> str:
        """The one command that mends it, ``""`` where nothing is wrong."""
        if self.usable:
            return ""
        return self.trouble.remedy if self.trouble is not None else "dockerlab up --install"

    def as_json(self) -> dict[str, object]:
        """For programs. ``engine`` is ``null`` where none answers, though a private one may be startable."""
        return {
            "engine": dict(self.engine) if self.engine else None,
            "candidates": [
                {"name": one.name, "url": one.url, "ok": one.ok, "reason": one.reason}
                for one in self.discovery.candidates
            ],
            "capabilities": {name: {"ok": ok, "reason": reason} for name, (ok, reason) in self.capabilities.items()},
            "platforms": dict(self.platforms),
            "usable": self.usable,
            "remedy": self.remedy,
        }

    def as_text(self) -> str:
        """For people."""
        lines = ["Engines, in the order in which a test run looks for one:", *str(self.discovery).splitlines(), ""]
        if self.engine is not None:
            said = self.engine
            lines.append(f"Chosen: {said['name']} ({said['url']}), by: {said['source']}")
            lines.append(
                f"  {said['product']} {said['version']} (API {said['api_version']}), {said['platform']}, "
                f"store {said['store']}, cgroup v{said['cgroup_version']}{', rootless' if said['rootless'] else ''}"
            )
            can = [name for name, (ok, _) in self.capabilities.items() if ok]
            lines += [f"  can: {', '.join(can)}"] if can else []
            lines += [f"  can't: {name}: {reason}" for name, (ok, reason) in self.capabilities.items() if not ok]
            lines += [f"  {platform}: {said}" for platform, said in self.platforms.items()]
        elif self.usable:
            lines.append(f"None answers. A test run starts a private engine ({private.kind()}) and ends it afterwards.")
        if self.trouble is not None:
            lines += [f"Trouble: {self.trouble.what}"]
        elif not self.usable:
            lines.append("Trouble: no engine answers, and none can be started.")
        if self.remedy:
            lines.append(f"To mend it: {self.remedy}")
        return "\n".join(lines)


def _platforms(capabilities: Capabilities) -> Iterator[tuple[str, str]]:
    """By what is known without running anything; a test run tries it."""
    for platform in ("linux/amd64", "linux/arm64"):
        ok, reason = capabilities.has(EMULATES + platform), capabilities.reason(EMULATES + platform)
        mend = "" if ok else f" → {emulation.mending(Platform.parse(platform))}"
        yield platform, f"{'runs' if ok else 'unavailable'}: {reason}{mend}"


def examine(settings: Settings, environ: Mapping[str, str] = os.environ) -> Diagnosis:
    """Look at all candidates, and ask the one that a run would take what it can do."""
    found = probe(settings, environ, thorough=True)
    if found.chosen is None:
        return Diagnosis(discovery=found, trouble=found.error)
    from pytest_dockerlab.engine.engine import Engine

    try:
        engine = Engine(found.chosen)
    except LabError as error:
        return Diagnosis(discovery=found, trouble=error)
    try:
        said = asdict(engine.info)
        said |= {"platform": str(engine.info.platform), "name": found.chosen.name, "url": found.chosen.url}
        said |= {"source": found.chosen.source, "private": found.chosen.private, "registry": found.chosen.registry}
        capabilities = {
            name: (
                engine.capabilities.has(name),
                "" if engine.capabilities.has(name) else engine.capabilities.reason(name),
            )
            for name in sorted(engine.capabilities.known())
        }
        return Diagnosis(
            discovery=found, engine=said, capabilities=capabilities, platforms=dict(_platforms(engine.capabilities))
        )
    except LabError as error:
        return Diagnosis(discovery=found, trouble=error)
    finally:
        engine.close()
