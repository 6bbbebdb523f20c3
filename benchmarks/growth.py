"""How the cost grows with the number of tests."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.bench import Bench
from benchmarks.figures import Table
from benchmarks.fresh import BODY, DECLARED, DOCKER_PY, LOOP, times

__all__ = ["tables"]


def tables(bench: Bench) -> Iterator[Table]:
    """10, 100 and 1,000 tests with a fresh container each: what one of them costs should stay as it is."""
    for count in (2, 4) if bench.quick else (10, 100, 1000):
        yield bench.turns(
            f"{count:,} tests, a fresh container each",
            [
                bench.script("bare API, a loop", times(LOOP, count)),
                bench.ours("ours, declared", times(DECLARED, count)),
                bench.ours("ours, in the body", times(BODY, count)),
                bench.theirs("docker-py fixtures", times(DOCKER_PY, count)),
            ],
            rounds=1 if count >= 1000 else min(bench.rounds, 3),
            warm=count < 100,
            per=count,
        )
