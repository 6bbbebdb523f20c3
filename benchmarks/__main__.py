"""Run the jobs, one after the other, and print what they measured.

python -m benchmarks [JOB ...] [--rounds 5] [--quick] [--write docs/benchmarks.md]
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.figures import replaced, section
from benchmarks.machine import describe
from benchmarks.peers import peers_python
from pytest_dockerlab.engine.discovery import obtain
from pytest_dockerlab.settings import read_settings

JOBS = ("fresh", "tuned", "files", "layers", "parallel", "growth", "overhead", "grading", "tutorial")


def main() -> None:
    """Each job is a module here with a function ``tables(bench)``."""
    there = [job for job in JOBS if importlib.util.find_spec(f"benchmarks.{job}")]
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Timings against peers of the same job.")
    parser.add_argument("jobs", nargs="*", metavar="JOB", help=f"of {', '.join(there)}; all by default")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one round of little: shows that everything runs")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables into this page, too")
    chosen = parser.parse_args()
    if unknown := set(chosen.jobs) - set(there):
        parser.error(f"no such job: {', '.join(sorted(unknown))}")
    settings = read_settings()
    endpoint = obtain(settings, owner_pid=os.getpid(), on_progress=print)
    from pytest_dockerlab.bases import Bases
    from pytest_dockerlab.engine.engine import Engine
    from pytest_dockerlab.lab import Lab

    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        engine = stack.enter_context(Engine(endpoint))
        bases = Bases(engine, settings, print)
        stack.callback(bases.close)
        lab = stack.enter_context(Lab(engine, bases))
        bench = Bench(
            lab=lab, image=lab.image("alpine").name, folder=folder, peers=peers_python(), rounds=chosen.rounds,
            quick=chosen.quick,
        )  # fmt: skip
        about = describe(engine.info)
        for job in chosen.jobs or there:
            print(f"\n== {job}", flush=True)
            print(about, flush=True)
            measured = []
            for table in importlib.import_module(f"benchmarks.{job}").tables(bench):
                # Each as soon as it is there: the next one may take long.
                print(f"\n{table.markdown()}", flush=True)
                measured.append(table)
            if chosen.write:
                text = section(about, tuple(measured))
                chosen.write.write_text(replaced(chosen.write.read_text("utf-8"), job, text), "utf-8")


if __name__ == "__main__":
    main()
