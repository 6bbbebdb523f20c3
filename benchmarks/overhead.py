"""What a plugin costs a suite that does not use it."""

from __future__ import annotations

import sys
from collections.abc import Iterator

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
    rounds = 4 * bench.rounds
    yield bench.turns(
        "100 tests without a container: ours",
        [bench.script("pytest", SUITE, bare, PYTHONPATH=str(ROOT)), bench.ours("with pytest-dockerlab", SUITE)],
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
