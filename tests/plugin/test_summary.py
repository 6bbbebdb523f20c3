"""The lines at the end of a run."""

from __future__ import annotations

from typing import Any

from pytest_dockerlab.plugin.summary import summary
from pytest_dockerlab.plugin.tally import Tally


def build(name: str, seconds: float, steps: int, reused: int, *, ok: bool = True) -> dict[str, Any]:
    return {"name": name, "seconds": seconds, "steps": steps, "reused": reused, "ok": ok, "scope": "test"}


def tally() -> Tally:
    made = Tally()
    made.merge(
        {
            "events": {
                "builds": [build("ex1", 4.25, 3, 1), build("ex2", 0.5, 3, 3), build("bad", 2, 1, 0, ok=False)],
                "containers": [
                    {"name": "a", "image": "ex1", "seconds": 1.5},
                    {"name": "b", "image": "ex1", "seconds": 0.1},
                ],
                "pulls": [{"name": "alpine:latest", "seconds": 8, "kind": "pulled"}],
            },
            "bases": {"python:3.10": "stand-in", "alpine:latest": "pulled", "ubuntu:latest": "present"},
        }
    )
    return made


def test_it_counts_and_names_what_took_long() -> None:
    """Bases that stay or are stand-ins, builds with their steps, containers, and the three slowest steps."""
    assert summary(["Docker"], tally()) == [
        "engine      Docker",
        "bases       alpine:latest (pulled, stays on the engine), python:3.10 (stand-in)",
        "builds      3 in 6.8 s; steps: 3 run, 4 reused from the cache; 1 failed",
        "containers  2 started",
        "slowest     pulled alpine:latest 8.0 s · build ex1 4.2 s · build bad 2.0 s",
        "more        -v lists each build; `dockerlab doctor` tells what this engine can",
    ]


def test_what_is_of_another_platform_than_its_test_is_told() -> None:
    """Once for each image: it ran emulated, or a test for another platform ran natively."""
    made = tally()
    odd = {"name": "c", "image": "old", "seconds": 0.1, "odd": "linux/arm64"}
    made.merge({"events": {"containers": [odd, odd]}})
    rows = summary(["Docker"], made, ["linux/arm64 emulated: tried"])
    assert "platforms   linux/arm64 emulated: tried" in rows
    assert [row for row in rows if row.startswith("odd")] == [
        "odd         old is made for linux/arm64: not what its test was for"
    ]


def test_what_was_built_ahead_is_told() -> None:
    """How many, and with -v which."""
    made = Tally()
    made.merge({"events": {"builds": [build("ex1", 4, 2, 1), {**build("ex2", 1, 1, 1), "ahead": True}]}})
    assert "builds      2 in 5.0 s; steps: 1 run, 2 reused from the cache; 1 of them ahead" in summary(["Docker"], made)
    assert summary(["Docker"], made, verbose=True)[-1] == "build       ex2 1.0 s, 0 run, 1 reused, ahead"


def test_verbose_lists_each_build() -> None:
    """In the order in which they happened."""
    assert summary(["Docker"], tally(), verbose=True)[-3:] == [
        "build       ex1 4.2 s, 2 run, 1 reused",
        "build       ex2 0.5 s, 0 run, 3 reused",
        "build       bad 2.0 s, failed",
    ]


def test_a_run_that_made_nothing_names_its_engine() -> None:
    """Nothing is counted that is not there."""
    assert [line.split()[0] for line in summary(["Docker"], Tally())] == ["engine", "more"]


def test_several_engines_are_each_named() -> None:
    """One below the other."""
    assert summary(["engine 1 of 2: A", "engine 2 of 2: B"], Tally())[:2] == [
        "engines     engine 1 of 2: A",
        "            engine 2 of 2: B",
    ]


def test_what_went_wrong_is_not_left_out() -> None:
    """Tests that the engine kept from being carried out, and what could not be removed."""
    made = Tally()
    made.merge({"unjudged": ["test_a.py::test"], "trouble": ["a container\n  → remove it"]})
    assert summary(["Docker"], made)[1:-1] == [
        "not judged  test_a.py::test: the engine's fault",
        "left over   a container\n              → remove it",
    ]


def test_what_one_worker_brought_was_not_there_before() -> None:
    """Other workers find it present; how it came is what counts, whoever reports first."""
    for reports in (("pulled", "present"), ("present", "pulled")):
        made = Tally()
        for kind in reports:
            made.merge({"bases": {"alpine": kind}})
        assert made.bases == {"alpine": "pulled"}
