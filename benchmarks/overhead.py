"""What a plugin costs a suite that does not use it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import replace

from benchmarks.bench import ROOT, Bench
from benchmarks.figures import Table

__all__ = ["tables"]

SUITE = """
import pytest
@pytest.mark.parametrize("number", range(100))
def test(number):
    assert number >= 0
"""


def tables(bench: Bench) -> Iterator[Table]:
    """100 tests without a container. One Python for ours, another one for the peers: so two tables."""
    bare = (sys.executable, "-m", "pytest", "-q")
    # For each name after -p pytest reads what every installed distribution offers; where plugins load by themselves,
    # it has done so before.
    named = bench.script("with an empty plugin, by -p", SUITE, (*bare, "-p", "empty"), PYTHONPATH=str(ROOT))
    (named.cwd / "empty.py").write_text("", "utf-8")
    named = replace(named, environ={**named.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(named.cwd)))})
    rounds = 4 * bench.rounds
    yield bench.turns(
        "100 tests without a container: ours",
        [bench.script("pytest", SUITE, bare, PYTHONPATH=str(ROOT)), named, bench.ours("with pytest-dockerlab", SUITE)],
        rounds=rounds,
    )
    yield bench.turns(
        "100 tests without a container: peers",
        [
            bench.theirs("pytest", SUITE),
            bench.theirs("with pytest-docker-tools", SUITE, "-p", "pytest_docker_tools.plugin"),
            bench.theirs("with pytest-testinfra", SUITE, "-p", "testinfra.plugin"),
        ],
        rounds=rounds,
    )
