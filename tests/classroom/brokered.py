"""A real Redis, workers with an engine each, and a batch over them, one worker of which is killed in the middle."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

__all__ = ["PACKAGE", "Worker", "missing", "one_killed", "redis", "start", "until"]

PACKAGE = "redis-server"
ROOT = Path(__file__).parents[2]
PASSWORD = "hunter2"


def missing() -> str:
    """Why there can be no Redis; ``""`` if there can."""
    return "" if shutil.which("redis-server") else "redis-server is not installed → apt-get install redis-server"


def until(done: Callable[[], object], patience: float = 240.0) -> None:
    """Wait for something, as long as a slow machine needs."""
    deadline = time.monotonic() + patience
    while not done():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)


@contextmanager
def redis() -> Iterator[str]:
    """A Redis of our own, on this machine's loopback alone, with a password; its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory(prefix="dockerlab-redis-") as place:
        words = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", place]
        process = subprocess.Popen([*words, "--requirepass", PASSWORD], stdout=subprocess.DEVNULL)
        try:
            until(lambda: process.poll() is not None or _listens(port))
            assert process.poll() is None, "redis-server ended"
            yield f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
        finally:
            process.kill()
            process.wait()


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


class Worker:
    """``dockerlab worker`` in a process of its own; what it says is in ``log``."""

    def __init__(self, url: str, course: Path, log: Path, environ: Mapping[str, str], *more: str) -> None:
        command = [sys.executable, "-m", "pytest_dockerlab", "worker", "--course", str(course), *more]
        whole = {**os.environ, "PYTHONPATH": str(ROOT), **environ, "DOCKERLAB_BROKER": url}
        self.log = log
        with log.open("wb") as output:
            self.process = subprocess.Popen(command, env=whole, stdout=output, stderr=output)

    def said(self, text: str) -> bool:
        """Whether it has said this, or ended."""
        return text in self.log.read_text("utf-8") or self.process.poll() is not None

    def children(self) -> set[str]:
        """Pids of the processes that it has started and that live."""
        found: set[str] = set()
        for path in Path(f"/proc/{self.process.pid}/task").glob("*/children"):
            with suppress(OSError):  # the thread has ended
                found.update(path.read_text().split())
        return found

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def start(command: list[str], url: str) -> subprocess.Popen[str]:
    """A command line of ``dockerlab`` on this broker."""
    return subprocess.Popen(
        [sys.executable, "-m", "pytest_dockerlab", *command],
        env={**os.environ, "PYTHONPATH": str(ROOT), "DOCKERLAB_BROKER": url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def one_killed(url: str, course: Path, place: Path, batch: list[str], *environs: Mapping[str, str]) -> str:
    """Grade with several workers, and kill -9 the first one when it has done something and is at something else.

    Args:
        place: for their logs.
        batch: the command line, without the broker.
        environs: of each worker: which engine.

    Returns:
        what the batch said.
    """
    with ExitStack() as stack:
        workers = [
            stack.enter_context(Worker(url, course, place / f"worker{number}.log", environ))
            for number, environ in enumerate(environs)
        ]
        for each in workers:
            until(lambda each=each: each.said("ready for redis"))  # type: ignore[misc]
        idle = workers[0].children()
        grading = start(batch, url)
        until(lambda: grading.poll() is not None or workers[0].said(" of "))
        # Between two submissions it would have nothing to lose.
        until(lambda: grading.poll() is not None or workers[0].children() - idle)
        workers[0].process.kill()
        _, said = grading.communicate()
        assert grading.returncode == 0, said + "".join(each.log.read_text("utf-8") for each in workers)
    return said
