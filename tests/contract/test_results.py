"""How a contract's results are judged, and what its tables say."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from tests.contract.engines import ENGINES, IN_CI, chosen
from tests.contract.results import GROUPS, Case, Column, Facts, read_column, settled
from tests.contract.tables import BEGIN, END, markdown, replaced, terminal

FACTS = Facts(
    engine="Docker Engine 28.5", api="1.51", store="overlay2", cgroups=1, platform="linux/amd64",
    capabilities={"buildkit": "", "buildah": "part of Podman"},
)  # fmt: skip
GREEN = tuple(
    Case(test=f"test_{group}::test_it", group=group, claim=f"{group} works", variant="", outcome="passed")
    for group in GROUPS
)


def case(outcome: str, message: str = "", variant: str = "") -> Case:
    return Case(
        test="test_cache::test_more",
        group="cache",
        claim="More of it",
        variant=variant,
        outcome=outcome,
        message=message,
    )


def column(*more: Case) -> Column:
    return Column(name="docker-28.5", facts=FACTS, cases=(*GREEN, *more), seconds=1.0)


def test_green_is_green() -> None:
    """Nothing failed, every group was run."""
    assert column().faults(()) == ()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (case("failed", "assert 1 == 2"), "test_cache::test_more: assert 1 == 2"),
        (case("skipped", "no time"), "no capability is named: no time"),
        (case("skipped", "requires buildkit: x; requires buildah: y"), "skipped for want of buildkit, which it should"),
    ],
)
def test_what_is_wrong_is_told(wrong: Case, said: str) -> None:
    """A failure, a skip without a capability, a skip for one that the engine should have."""
    (fault,) = column(wrong).faults(("buildah",))
    assert said in fault


def test_a_skip_for_what_it_lacks_is_none() -> None:
    """The engine is known to lack it."""
    assert column(case("skipped", "requires buildah: part of Podman")).faults(("buildah",)) == ()


def test_a_group_that_was_not_run_is_a_fault() -> None:
    """So is a run that says nothing."""
    found = replace(column(), cases=GREEN[1:]).faults(())
    assert found == (f"nothing of {GROUPS[0]!r} was run",)
    assert Column(name="x", trouble="not run").faults(()) == ("not run",)


def test_an_engine_that_can_t_be_had_is_a_fault() -> None:
    """One, and nothing else is said of it; whether it counts is the command's choice."""
    assert Column(name="x", unavailable="no root").faults(()) == ("unavailable: no root",)
    assert "  x: no root" in terminal([Column(name="x", unavailable="no root")])


def test_what_passes_in_the_second_look_is_unsteady() -> None:
    """It counts as passed and is named with its first failure; what fails again stays failed."""
    one, two = case("failed", "assert 1 == 2"), replace(case("failed", "boom"), test="test_cache::test_other")
    again = Column(name="docker-28.5", cases=(replace(one, outcome="passed", message=""), two), seconds=0.5)
    found = settled(column(one, two), again)
    assert found.faults(()) == ("test_cache::test_other: boom",)
    assert (found.count("cache", "passed"), found.count("cache", "failed"), found.seconds) == (2, 1, 1.5)
    *_, title, line = terminal([found]).splitlines()
    assert title == "unsteady, failed beside others and passed alone:"
    assert line == "  docker-28.5: test_cache::test_more: assert 1 == 2"
    assert "unsteady" not in terminal([column()])


RUN = """
import pytest

@pytest.mark.parametrize("builder", [
    pytest.param("b", id="BuildKit"),
    pytest.param("a", id="Buildah", marks=pytest.mark.skip("requires buildah: part of Podman")),
])
def test_it(builder):
    '''It works.'''

def test_wrong():
    '''It does not.'''
    assert 1 == 2

@pytest.fixture(autouse=True)
def facts(request):
    request.node.user_properties.append(("facts", FACTS))
"""
CONFTEST = """
def pytest_collection_modifyitems(items):
    for item in items:
        item.user_properties += [("proves", "build"), ("claim", item.obj.__doc__.rstrip("."))]
"""


def test_a_column_is_what_pytest_wrote(pytester: pytest.Pytester) -> None:
    """Group, claim, builder, outcome and the engine's facts survive the way through JUnit XML."""
    pytester.makeconftest(CONFTEST)
    pytester.makepyfile(test_b=f"FACTS = {json.dumps(asdict(FACTS))!r}\n{RUN}")
    pytester.runpytest_subprocess("-p", "no:dockerlab", "--junitxml=results.xml")
    read = read_column("docker-28.5", (pytester.path / "results.xml").read_bytes())
    assert read.facts == FACTS
    assert [(each.claim, each.variant, each.outcome) for each in read.cases] == [
        ("It works", "BuildKit", "passed"),
        ("It works", "Buildah", "skipped"),
        ("It does not", "", "failed"),
    ]
    assert read.cases[1].missing == ("buildah",)
    assert "assert 1 == 2" in read.cases[2].message


def test_the_table_for_people() -> None:
    """Engine by group, and for want of what was skipped."""
    text = terminal([column(case("skipped", "requires buildah: x")), Column(name="podman-5.4", trouble="not run")])
    head, docker, podman, *_ = text.splitlines()
    assert head.split()[: len(GROUPS)] == list(GROUPS)
    assert docker.split()[GROUPS.index("cache") + 1] == "1/0/1"
    assert podman.split()[1] == "0/0/0"
    assert "docker-28.5: buildah (1)" in text
    assert "podman-5.4: not run" in text


def test_the_page_has_a_cell_for_each_claim() -> None:
    """Proven, failed, or lacking with a note of what; with several builders one that ran decides."""
    skipped = case("skipped", "requires buildah: x")
    other = Column(name="podman-5.4", facts=FACTS, cases=(*GREEN, case("failed"), case("passed", variant="Buildah")))
    text = markdown([column(skipped), other], "2026-01-01")
    assert "| More of it | – <sup>2</sup> | ✗ |" in text
    assert "2. needs `buildah`" in text
    assert "1. part of Podman" in text
    assert "| `buildkit`: builds with BuildKit | ✓ | ✓ |" in text
    page = f"# Engines\n\n{BEGIN}\nold\n{END}\n\nMore.\n"
    assert replaced(page, text) == f"# Engines\n\n{text}\n\nMore.\n"


def test_the_page_in_the_documentation_can_be_written() -> None:
    """It has its marks, and a column for each engine."""
    page = (Path(__file__).parents[2] / "docs" / "engines.md").read_text("utf-8")
    assert f"\n{BEGIN}\nmade anew\n{END}\n" in replaced(page, f"{BEGIN}\nmade anew\n{END}")
    head = next(line for line in page.splitlines() if line.startswith("| | "))
    assert [cell.strip() for cell in head.strip("| ").split("|")] == list(ENGINES)


def test_engines_are_chosen_by_name() -> None:
    """Lists, names, and the names of tox' environments; a name that is none is told."""
    assert tuple(each.name for each in chosen("ci")) == IN_CI
    assert [each.name for each in chosen("contract-docker-28.5,podman-4.3")] == ["docker-28.5", "podman-4.3"]
    with pytest.raises(SystemExit, match=r"no such engine: 'docker-1\.0'"):
        chosen("docker-1.0")
