"""Kills runs at random moments, and looks whether anything is left: ``python -m tests.faults.kills --help``.

A round is one inner run of pytest, alone or with two workers, and one to four kills in it: of the run itself, of a
worker, of the watchdog; by SIGKILL, SIGTERM or SIGINT. Moments are counted in requests to the engine, not in seconds:
so they are spread over the whole of a run on a slow machine, too. The same seed gives the same plan.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from pytest_dockerlab.engine.discovery import named_engine
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.processes import alive
from pytest_dockerlab.engine.things import labelled
from pytest_dockerlab.errors import FormatError, NotFound
from pytest_dockerlab.reaping.owner import LABEL_OWNER, Owner
from pytest_dockerlab.settings import Settings

Target = Literal["run", "worker", "watchdog"]
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
# What is promised is ten seconds; a machine that is busy with other things gets more before it counts as left.
PROMISE, BOUND = 10.0, 120.0

# Loaded by each process of an inner run: tells how far the run has come. Without the sweep at the start, by which one
# round would clean up after another one's watchdog.
CONFTEST = """
import faulthandler
import os
import signal

from pytest_dockerlab.engine.api import Api
from pytest_dockerlab.reaping import sweep

faulthandler.register(signal.SIGUSR2, file=open({progress!r} + f"-trace-{{os.getpid()}}", "w"))
sweep.sweep_at_start = lambda engine, tell: None
send = Api.send

def counted(self, *arguments, **options):
    with open({progress!r}, "ab") as file:
        file.write(b".")
    return send(self, *arguments, **options)

Api.send = counted
"""

SWEEP = """
import sys
from pytest_dockerlab.engine.discovery import named_engine
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.reaping import beside, names, sweep
from pytest_dockerlab.settings import Settings

with Engine(named_engine(Settings(engine=sys.argv[1]))) as engine:
    for record in beside.dead_runs():
        beside.end_processes(record)
    trouble = sweep.sweep(engine, [one for one in sweep.look(engine) if str(one.owner) == sys.argv[2]])
    for record in beside.dead_runs():
        trouble += names.take_off(engine, names.left(engine, record.scratch))
        beside.remove_beside(record)
sys.exit("; ".join(trouble) or 0)
"""

SUITE = """
import pytest
from pytest_dockerlab import container_fixture, image_fixture

image = image_fixture("FROM alpine\\nRUN echo {round} > /made\\n", scope="run")
shared = container_fixture(image, ["sleep", "600"], scope="run")

@pytest.mark.parametrize("number", range(3))
def test_life(lab, lab_module, shared, number):
    mounts = {{lab.volume(): "/data", lab.owned_dir(1111): "/mine"}}
    box = lab.run("alpine", ["sleep", "600"], init=True, volumes=mounts, network=lab.network())
    assert box.exec(["true"]).exit_code == 0
    lab_module.create("alpine")

def test_images(lab, lab_session):
    built = lab_session.build("FROM alpine\\nRUN echo {round} > /other\\n", tag="kills-{round}:1")
    assert built.image.files.stat("/other").kind == "file"
    registry = lab.registry()
    lab.tag(built, registry.name("other:1"))
    lab.push(registry.name("other:1"))
    lab.tag("alpine", "kills-named:{round}")
    lab.run(built, ["sleep", "600"], init=True).commit()
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One signal.

    Attributes:
        moment: a part of the requests that a run sends when nobody kills it.
        delay: seconds after that.
    """

    target: Target
    signal: signal.Signals
    moment: float
    delay: float

    def __str__(self) -> str:
        return f"{self.signal.name} of the {self.target} at {self.moment:.2f}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One inner run, and what is done to it, in the order of time."""

    number: int
    workers: int
    kills: tuple[Kill, ...]


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What came of a round.

    Attributes:
        hits: the kills that found their target alive.
        ended: seconds from the last of them to the end of the run.
        gone: seconds from the end of the run until nothing was left.
        left: what was left, though.
        requests: that the run sent to the engine.
    """

    round: Round
    hits: list[Kill] = field(default_factory=list)
    ended: float = 0.0
    gone: float = 0.0
    left: list[str] = field(default_factory=list)
    requests: int = 0

    def __str__(self) -> str:
        how = f"-n{self.round.workers}" if self.round.workers else "alone"
        kills = "; ".join(map(str, self.hits)) or "nobody was hit"
        fate = f"LEFT: {self.left}" if self.left else f"ended in {self.ended:.1f} s, all gone {self.gone:.1f} s later"
        return f"round {self.round.number} ({how}): {kills}: {fate}"


def plan(seed: int) -> Iterator[Round]:
    """Rounds without end, the same for the same seed."""
    chance = random.Random(seed)
    number = 0
    while True:
        workers = number % 2 * 2
        others: tuple[Target, ...] = ("worker", "worker", "watchdog") if workers else ("watchdog",)
        kills: list[Kill] = []
        for moment in sorted(chance.random() for _ in range(chance.randint(2, 4) if workers else chance.randint(1, 2))):
            dead = any(kill.target == "watchdog" and kill.signal == signal.SIGKILL for kill in kills)
            target = chance.choice(others) if not dead or workers else "run"
            kills.append(_kill(chance, "worker" if dead and target == "watchdog" else target, moment))
        # The run itself can be hit only once, and last.
        if chance.random() < 0.6:
            kills[-1] = _kill(chance, "run", kills[-1].moment)
        yield Round(number=number, workers=workers, kills=tuple(kills))
        number += 1


def _kill(chance: random.Random, target: Target, moment: float) -> Kill:
    # Some at the very start, before the first request.
    delay = chance.uniform(0, 1.0) if moment < 0.1 else chance.uniform(0, 0.1)
    return Kill(target=target, signal=chance.choice(SIGNALS), moment=moment if moment >= 0.1 else 0.0, delay=delay)


class Arena:
    """Where rounds take place: an engine, and folders of each round's own.

    Args:
        requests: how many a run sends when nobody kills it.
    """

    def __init__(self, engine: Endpoint, top: Path, requests: int) -> None:
        self.endpoint = engine
        self.top = top
        self.requests = requests
        self._label = os.urandom(3).hex()

    def play(self, round_: Round) -> Outcome:
        """Start, kill, wait, look."""
        outcome = Outcome(round=round_)
        place = self.top / f"{round_.number}"
        runtime, temporary = place / "rt", place / "tmp"
        for folder in (runtime, temporary):
            folder.mkdir(parents=True)
        name = f"{self._label}{round_.number}"
        progress = place / "progress"
        progress.touch()
        (place / "conftest.py").write_text(CONFTEST.format(progress=str(progress)))
        (place / "test_inner.py").write_text(SUITE.format(round=name))
        with (place / "output").open("wb") as output:
            run = subprocess.Popen(
                [
                    sys.executable, "-m", "pytest", "-p", "dockerlab", "-p", "xdist", "-p", "no:cacheprovider", "-q",
                    "--rootdir", str(place), "-c", os.devnull, f"--dockerlab-engine={self.endpoint.url}",
                    *([f"-n{round_.workers}"] if round_.workers else []), str(place / "test_inner.py"),
                ],
                cwd=place, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=_environ(runtime, temporary),
                # A shell's background jobs ignore SIGINT, and so would what they start.
                preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL), start_new_session=True,
            )  # fmt: skip
        last = time.monotonic()
        owner = Owner.of(run.pid)
        try:
            for kill in round_.kills:
                if _reach(progress, kill.moment * self.requests, run) and _hit(kill, run, runtime):
                    outcome.hits.append(kill)
                    last = time.monotonic()
            run.wait(BOUND)
        except subprocess.TimeoutExpired:
            outcome.left.append(f"the run itself does not end: {(place / 'output').read_text()[-2000:]}")
            outcome.left += _traces(place)
        finally:
            run.kill()
            run.wait()
        end = time.monotonic()
        outcome.ended = end - last
        # With the watchdog dead, too, it is the next run's sweep that finds what is left.
        killed = [kill for kill in outcome.hits if kill.target == "watchdog" and kill.signal == signal.SIGKILL]
        if killed and not outcome.left:
            outcome.left += self._sweep(owner, runtime, temporary)
        while left := self._left(owner, runtime, temporary, name):
            if time.monotonic() - end > BOUND:
                outcome.left += left
                break
            time.sleep(0.1)
        outcome.gone = time.monotonic() - end
        outcome.requests = progress.stat().st_size
        if not outcome.left:
            shutil.rmtree(place)
        return outcome

    def _sweep(self, owner: Owner, runtime: Path, temporary: Path) -> list[str]:
        """What the next run's sweep would do, but for this one owner: others' watchdogs shall do their own work."""
        done = subprocess.run(
            [sys.executable, "-c", SWEEP, self.endpoint.url, str(owner)],
            check=False, env=_environ(runtime, temporary), capture_output=True, text=True,
        )  # fmt: skip
        return [f"the sweep said: {done.stderr[-3000:]}"] if done.returncode else []

    def _left(self, owner: Owner, runtime: Path, temporary: Path, name: str) -> list[str]:
        """What there is of a run whose folders these are: on the engine, among the processes, on the disk."""
        found = [f"process {pid}: {words}" for pid, words in _processes_with(f"DOCKERLAB_RUNTIME={runtime}")]
        found += [f"folder {path}" for path in (*runtime.glob("runs/*"), *temporary.glob("dockerlab*"))]
        with Engine(self.endpoint) as engine:
            for thing in labelled(engine, {LABEL_OWNER: ""}):
                with contextlib.suppress(FormatError):
                    if Owner.parse(thing.labels[LABEL_OWNER]) == owner:
                        found.append(str(thing))
            with contextlib.suppress(NotFound):
                engine.images.get(f"kills-named:{name}")
                found.append(f"image kills-named:{name}")
        return found


def _traces(place: Path) -> list[str]:
    """Where each process of a run is that does not end."""
    for path in place.glob("progress-trace-*"):
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(path.name.rpartition("-")[2]), signal.SIGUSR2)
    time.sleep(1.0)
    return [f"{path.name}:\n{path.read_text()[-6000:]}" for path in place.glob("progress-trace-*")]


def _environ(runtime: Path, temporary: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DOCKER", "PYTEST_"))}
    cache = {"DOCKERLAB_CACHE": os.environ["DOCKERLAB_CACHE"]} if "DOCKERLAB_CACHE" in os.environ else {}
    own = {
        "DOCKERLAB_RUNTIME": str(runtime), "TMPDIR": str(temporary), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    return {**kept, **cache, **own}


def _reach(progress: Path, requests: float, run: subprocess.Popen[bytes]) -> bool:
    """Wait until a run has come so far; whether it has before it ended."""
    until = time.monotonic() + BOUND
    while run.poll() is None and time.monotonic() < until:
        if progress.stat().st_size >= requests:
            return True
        time.sleep(0.005)
    return False


def _hit(kill: Kill, run: subprocess.Popen[bytes], runtime: Path) -> bool:
    """Send the signal as soon as its target is there; whether that was so before the run ended."""
    time.sleep(kill.delay)
    until = time.monotonic() + BOUND
    pattern = "runs/*/watchdog.json" if kill.target == "watchdog" else "runs/*/member-*.json"
    while run.poll() is None and time.monotonic() < until:
        if kill.target == "run":
            run.send_signal(kill.signal)
            return True
        for path in sorted(runtime.glob(pattern)):
            with contextlib.suppress(OSError, ValueError):
                said = json.loads(path.read_text())
                if alive(said["pid"], said["start"]):
                    os.kill(said["pid"], kill.signal)
                    return True
        time.sleep(0.005)
    return False


def _processes_with(variable: str) -> Iterator[tuple[int, str]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                if variable.encode() in (entry / "environ").read_bytes().split(b"\0") and alive(int(entry.name)):
                    yield (
                        int(entry.name),
                        (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"),
                    )


def fight(engine: Endpoint, *, count: int, seed: int, jobs: int, tell: bool = True) -> list[Outcome]:
    """Rounds until at least ``count`` kills have hit, several at a time."""
    outcomes: list[Outcome] = []
    rounds = plan(seed)
    with tempfile.TemporaryDirectory(prefix="dl-kills-") as top, ThreadPoolExecutor(jobs) as pool:
        untouched = Arena(engine, Path(top, "first"), requests=0).play(Round(number=0, workers=0, kills=()))
        assert not untouched.left, untouched
        arena = Arena(engine, Path(top), requests=untouched.requests)
        while (hits := sum(len(outcome.hits) for outcome in outcomes)) < count:
            some = [next(rounds) for _ in range(max(1, min(4 * jobs, (count - hits) // 2)))]
            for outcome in pool.map(arena.play, some):
                outcomes.append(outcome)
                if tell:
                    print(outcome, flush=True)
    return outcomes


def summary(outcomes: Sequence[Outcome], seed: int) -> str:
    """One paragraph."""
    hits = [kill for outcome in outcomes for kill in outcome.hits]
    gone = [outcome.gone for outcome in outcomes if outcome.hits]
    ended = [outcome.ended for outcome in outcomes if outcome.hits]
    kinds: dict[str, int] = {}
    for kill in hits:
        kinds[f"{kill.signal.name} {kill.target}"] = kinds.get(f"{kill.signal.name} {kill.target}", 0) + 1
    return (
        f"seed {seed}: {len(hits)} kills in {len(outcomes)} runs "
        f"({', '.join(f'{number} {kind}' for kind, number in sorted(kinds.items()))})\n"
        f"run ended after its last kill: median {statistics.median(ended):.1f} s, most {max(ended):.1f} s\n"
        f"all gone after its end: median {statistics.median(gone):.1f} s, most {max(gone):.1f} s "
        f"(promised: {PROMISE:g} s); left something: {sum(bool(outcome.left) for outcome in outcomes)} runs"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kills", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=200, help="kills that hit (default 200)")
    parser.add_argument("--seed", type=int, default=None, help="of the plan (default: a new one, which is printed)")
    parser.add_argument("--jobs", type=int, default=4, help="runs at a time (default 4)")
    parser.add_argument("--engine", default="", help="address of an engine that has alpine (default: a private one)")
    parsed = parser.parse_args(arguments)
    seed = parsed.seed if parsed.seed is not None else int.from_bytes(os.urandom(3), "big")
    print(f"seed {seed}", flush=True)
    with _engine(parsed.engine) as endpoint:
        outcomes = fight(endpoint, count=parsed.count, seed=seed, jobs=parsed.jobs)
    print(summary(outcomes, seed))
    return 1 if any(outcome.left for outcome in outcomes) else 0


@contextlib.contextmanager
def _engine(url: str) -> Iterator[Endpoint]:
    from pytest_dockerlab.bases.provide import Bases
    from pytest_dockerlab.engine import private

    if url:
        found = named_engine(Settings(engine=url))
        assert found is not None
        yield found
        return
    started_here = private.start(os.getpid())
    try:
        with Engine(started_here) as engine:
            bases = Bases(engine, Settings(), lambda line: None)
            bases.ensure("alpine")
            bases.close()
        yield started_here
    finally:
        private.stop(started_here)


if __name__ == "__main__":
    sys.exit(main())
