"""What came of one engine's contract, read from the JUnit XML of its run."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["GROUPS", "Case", "Column", "Facts", "read_column", "settled"]

#: In the order of the tables.
GROUPS = (
    "build", "trace", "cache", "layers", "run", "limits", "permissions", "files", "ports", "registry", "save/load",
    "cleanup",
)  # fmt: skip

# As the plugin words a skip: "requires NAME: why; requires OTHER: why".
_REQUIRES = re.compile(r"requires ([a-z0-9_:/]+): ")
# What the network around the machine decides, not the engine; and what takes a build to find out.
_ELSEWHERE = ("hub", "network_in_build")


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """The engine that a contract was run on, as it says itself.

    Attributes:
        capabilities: name → why it lacks it, ``""`` if it has it.
    """

    engine: str
    api: str
    store: str
    cgroups: int
    platform: str
    capabilities: Mapping[str, str]

    @classmethod
    def of(cls, engine: Engine) -> Facts:
        """Ask it."""
        info, can = engine.info, engine.capabilities
        names = [name for name in can.known() if name not in _ELSEWHERE]
        return cls(
            engine=f"{info.product} {info.version.partition('+')[0]}",
            api=info.api_version,
            store=info.store,
            cgroups=info.cgroup_version,
            platform=str(info.platform),
            capabilities={name: "" if can.has(name) else can.reason(name) for name in names},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One test on one engine.

    Attributes:
        variant: the builder it was run with, ``""`` where that makes no difference.
        outcome: ``passed``, ``failed``, ``skipped``.
        message: of a failure or a skip.
        unsteady: of a failure, where it passed in the second look; ``""`` if there was none.
    """

    test: str
    group: str
    claim: str
    variant: str
    outcome: str
    message: str = ""
    unsteady: str = ""

    @property
    def missing(self) -> tuple[str, ...]:
        """The capabilities for want of which it was skipped."""
        return tuple(_REQUIRES.findall(self.message)) if self.outcome == "skipped" else ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One engine's results.

    Attributes:
        trouble: why the run says nothing, ``""`` if it does.
        unavailable: why this machine can't have the engine, ``""`` if it can.
        seconds: of the tests.
    """

    name: str
    facts: Facts | None = None
    cases: tuple[Case, ...] = ()
    trouble: str = ""
    unavailable: str = ""
    seconds: float = 0.0

    def faults(self, lacks: Collection[str]) -> tuple[str, ...]:
        """What is wrong with it: failures, skips without a capability's name, and skips for one that it should have.

        Args:
            lacks: the capabilities that this engine is known not to have.
        """
        if self.unavailable:
            return (f"unavailable: {self.unavailable}",)
        found = [self.trouble] if self.trouble else []
        ran = {case.group for case in self.cases}
        if not self.trouble:
            found += [f"nothing of {group!r} was run" for group in GROUPS if group not in ran]
        for case in self.cases:
            if case.outcome == "failed":
                found.append(f"{case.test}: {case.message}")
            elif case.outcome == "skipped" and not case.missing:
                found.append(f"{case.test}: skipped, and no capability is named: {case.message}")
            elif surprising := [name for name in case.missing if name not in lacks]:
                found.append(f"{case.test}: skipped for want of {', '.join(surprising)}, which it should have")
        return tuple(found)

    def count(self, group: str, outcome: str) -> int:
        return sum(case.group == group and case.outcome == outcome for case in self.cases)


def read_column(name: str, xml: bytes) -> Column:
    """One engine's results from what ``pytest --junitxml`` wrote."""
    suite = ElementTree.fromstring(xml).find("testsuite")
    assert suite is not None
    told = (each.get("value", "") for each in suite.iter("property") if each.get("name") == "facts")
    facts = next((Facts(**json.loads(each)) for each in told), None)
    cases = tuple(_case(element) for element in suite.iter("testcase"))
    trouble = "" if cases else "no test was run"
    return Column(name=name, facts=facts, cases=cases, trouble=trouble, seconds=float(suite.get("time") or 0))


def settled(first: Column, again: Column) -> Column:
    """The first look, corrected by the second: what failed and then passed alone has passed, and is unsteady."""
    passed = {case.test for case in again.cases if case.outcome == "passed"}
    cases = tuple(
        replace(case, outcome="passed", message="", unsteady=case.message)
        if case.outcome == "failed" and case.test in passed
        else case
        for case in first.cases
    )
    return replace(first, cases=cases, seconds=first.seconds + again.seconds)


def _case(element: ElementTree.Element) -> Case:
    said = {each.get("name"): each.get("value", "") for each in element.iter("property")}
    name, _, variant = element.get("name", "").partition("[")
    outcome, message = "passed", ""
    for tag, meaning in (("failure", "failed"), ("error", "failed"), ("skipped", "skipped")):
        if (found := element.find(tag)) is not None:
            outcome, message = meaning, " ".join((found.get("message") or found.text or "").split())[:400]
            break
    return Case(
        test=f"{element.get('classname', '').rpartition('.')[2]}::{name}" + (f"[{variant}" if variant else ""),
        group=said.get("proves", ""),
        claim=said.get("claim", name),
        variant=variant.rstrip("]"),
        outcome=outcome,
        message=message,
    )
