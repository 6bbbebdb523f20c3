"""The tutorial suite, cold (an empty cache: no images, no stand-ins) and warm."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.bench import ROOT, Bench, Contender
from benchmarks.figures import Row, Table
from pytest_dockerlab.engine import private

__all__ = ["tables"]


def tables(bench: Bench) -> Iterator[Table]:
    """Once each, with a private engine of its own, as ``./run tutorial`` does; it has no peer."""
    if private.missing():
        return
    cache = Path(tempfile.mkdtemp(prefix="dockerlab-bench-"))  # where the cache would be, not in memory
    # Not a failure of a test is wanted here, but the time: --exitfirst would hide it, so a failure counts as an error.
    suite = "tests/tutorial/test_a_layers.py" if bench.quick else "tests/tutorial"
    command = (sys.executable, "-m", "pytest", "-q", "-p", "dockerlab", "-n", "2", "--dist=loadfile", suite)
    one = Contender(
        name="cold", command=command, cwd=ROOT,
        environ={"DOCKERLAB_ENGINE": "private", "DOCKERLAB_CACHE": str(cache), "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    try:
        cold = bench.turns("", [one], rounds=1, warm=False).rows[0]
        warm = bench.turns("", [one], rounds=min(bench.rounds, 3), warm=False).rows[0]
    finally:
        shutil.rmtree(cache, ignore_errors=True)
    yield Table(
        title="the tutorial suite on two workers",
        rows=(Row(name="cold", seconds=cold.seconds), Row(name="warm", seconds=warm.seconds)),
    )
