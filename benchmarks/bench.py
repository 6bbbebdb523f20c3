"""What a job gets: an engine, an image, a folder, two Pythons, and the way to measure in turns."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.figures import Row, Table
from pytest_dockerlab.lab import Lab

__all__ = ["ROOT", "Bench", "Contender"]

ROOT = Path(__file__).parents[1]
# None by itself: each run loads the one plugin that it is about. The engine is named to all in the ways they know.
_QUIET = ("-q", "-p", "no:randomly")


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A whole process that does the job.

    Attributes:
        environ: over that of the benchmark.
        cwd: folder it runs in, its own.
        before: done before each round, not timed.
    """

    name: str
    command: tuple[str, ...]
    cwd: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    before: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run of the benchmarks.

    Attributes:
        lab: owns what the jobs share on the engine.
        image: name of a small image that is there.
        folder: for scripts.
        peers: the Python that has the peers installed.
        rounds: how often each contender does its job, after a first time that is not counted.
        quick: as little as shows that everything runs.
    """

    lab: Lab
    image: str
    folder: Path
    peers: str
    rounds: int
    quick: bool = False

    @property
    def url(self) -> str:
        return self.lab.engine.endpoint.url

    def script(self, name: str, text: str, command: Sequence[str] = (), **environ: str) -> Contender:
        """A contender that runs ``command`` and a script's path; by default the peers' Python.

        Args:
            text: the script; ``URL`` and ``IMAGE`` in it stand for the engine's address and the image's name.
        """
        folder = self.folder / "".join(letter if letter.isalnum() else "_" for letter in f"{name}{len(text)}")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")  # so that nothing above it is read
        (folder / "test_it.py").write_text(
            text.replace("URL", repr(self.url)).replace("IMAGE", repr(self.image)), "utf-8"
        )
        known = {"DOCKER_HOST": self.url, "TESTCONTAINERS_RYUK_DISABLED": "true", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
        known["DOCKERLAB_ENGINE"] = self.url
        return Contender(
            name=name, command=(*(command or (self.peers,)), "test_it.py"), cwd=folder, environ={**known, **environ}
        )

    def ours(self, name: str, text: str, *options: str, **environ: str) -> Contender:
        """A pytest run with this plugin."""
        command = (sys.executable, "-m", "pytest", *_QUIET, "-p", "dockerlab", *options)
        return self.script(name, text, command, PYTHONPATH=str(ROOT), **environ)

    def theirs(self, name: str, text: str, *options: str) -> Contender:
        """A pytest run without it, on the peers' Python."""
        return self.script(name, text, (self.peers, "-m", "pytest", *_QUIET, *options))

    def forgetful(self, contender: Contender) -> Contender:
        """The same, but each round is a first run: pytest's cache is empty."""
        cache = contender.cwd / ".pytest_cache"
        return replace(contender, before=lambda: shutil.rmtree(cache, ignore_errors=True))

    def turns(
        self, title: str, contenders: Sequence[Contender], *, rounds: int = 0, warm: bool = True, per: int = 0
    ) -> Table:
        """Measure in turns, a round at a time, so that a machine that slows down slows all of them.

        Args:
            contenders: the first one is what the others are compared with.
            rounds: if not the run's own number.
            warm: everyone does it once before, not counted.

        Raises:
            RuntimeError: a contender failed; with the end of what it printed.
        """
        times: dict[str, list[float]] = {one.name: [] for one in contenders}
        turns = 1 if self.quick else rounds or self.rounds
        for turn in range(turns + 1 if warm and not self.quick else turns):
            for one in contenders:
                seconds = _seconds(one)
                if turn or not warm or self.quick:
                    times[one.name].append(seconds)
        return Table(
            title=title, rows=tuple(Row(name=name, seconds=tuple(taken)) for name, taken in times.items()), per=per
        )


def _seconds(one: Contender) -> float:
    if one.before is not None:
        one.before()
    environ = {**os.environ, **one.environ}
    # Else whoever was not compiled when installed pays for that in each round.
    environ.pop("PYTHONDONTWRITEBYTECODE", None)
    started = time.perf_counter()
    done = subprocess.run(
        one.command, cwd=one.cwd, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    taken = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{one.name} ended with {done.returncode}:\n{done.stdout[-3000:]}")
    return taken
