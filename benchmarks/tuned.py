"""The private engine, tuned, against the same engine untuned (docs/engine.md)."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from benchmarks.bench import Bench
from benchmarks.figures import Row, Table
from benchmarks.fresh import BODY, DECLARED, LOOP, times
from pytest_dockerlab.bases import Bases
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.lab import Lab
from pytest_dockerlab.settings import Settings

__all__ = ["tables"]

STEPS = """
import docker, json, sys, time
client = docker.DockerClient(base_url=URL, timeout=100).api
taken = {}
def step(name, call, *given, **more):
    begun = time.perf_counter()
    answer = call(*given, **more)
    taken.setdefault(name, []).append(time.perf_counter() - begun)
    return answer
for number in range(COUNT):
    made = step("create", client.create_container, IMAGE, ["sleep", "600"])
    step("start", client.start, made)
    run = client.exec_create(made, ["true"])
    step("exec", client.exec_start, run)
    step("remove", client.remove_container, made, force=True, v=True)
with open("taken.json", "w") as file:
    json.dump(taken, file)
"""


def tables(bench: Bench) -> Iterator[Table]:
    """The whole of twenty tests, and each verb of a container's life."""
    import json

    if private.missing():
        return
    count = 3 if bench.quick else 20
    with ExitStack() as stack:
        both: dict[str, Bench] = {}
        for name in ("untuned", "tuned"):
            # In a folder of the same disk as the cache: /tmp may be in memory as a whole.
            endpoint = private.start(os.getpid(), Settings(tuned=name == "tuned"), print)
            stack.callback(private.stop, endpoint)
            engine = stack.enter_context(Engine(endpoint))
            bases = Bases(engine, Settings())
            stack.callback(bases.close)
            lab = stack.enter_context(Lab(engine, bases))
            both[name] = replace(bench, lab=lab, image=lab.image("alpine").name, folder=bench.folder / name)
        plain, fast = both["untuned"], both["tuned"]
        yield bench.turns(
            f"{count} tests, a fresh container each",
            [
                plain.script("bare API, a loop, untuned", times(LOOP, count)),
                fast.script("bare API, a loop, tuned", times(LOOP, count)),
                plain.ours("ours, declared, untuned", times(DECLARED, count)),
                fast.ours("ours, declared, tuned", times(DECLARED, count)),
                fast.ours("ours, in the body, tuned, from the second run on", times(BODY, count)),
            ],
        )
        scripts = {name: one.script("steps", times(STEPS, 3)) for name, one in both.items()}
        taken: dict[str, dict[str, list[float]]] = {name: {} for name in both}
        for _ in range(1 if bench.quick else 2 * bench.rounds):
            for name, script in scripts.items():
                bench.turns("", [script], rounds=1, warm=False)
                for verb, seconds in json.loads((script.cwd / "taken.json").read_text()).items():
                    taken[name].setdefault(verb, []).extend(seconds)
        for verb in taken["untuned"]:
            yield Table(
                title=f"one container: {verb}",
                rows=tuple(Row(name=name, seconds=tuple(verbs[verb])) for name, verbs in taken.items()),
            )
