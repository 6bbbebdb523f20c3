"""A course on disk: where its checks, its solutions and its policy are, and how a process is started on it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from configparser import Error as ConfigError
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.exercises.policy import Policies
from pytest_dockerlab.grade.intake import policies_of

__all__ = ["BESIDE", "SINGLE", "Course", "Ended", "run_pytest"]

# Folders of a course without checks, and files beside its folders that count.
BESIDE = ("dockerfiles", "wrong", "near")
SINGLE = ("pytest.ini", "policy.toml", "conftest.py")
# Our package is found as it was here, before anything else is looked at; then the process ends as soon as its parent
# has: the pipe that is its standard input says so.
_BOOT = """\
import os, sys, threading
root = sys.argv.pop(1)
if root not in sys.path:
    sys.path.insert(0, root)
line = os.dup(0)
os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
def watch():
    while os.read(line, 1):
        pass
    os._exit(70)
threading.Thread(target=watch, daemon=True).start()
import pytest
sys.exit(pytest.main(sys.argv[1:]))
"""
_TAIL = 2_000
# Variables that could change what runs or what it finds, and one with a password.
_SCRUBBED = (
    "PYTHON",
    "PYTEST",
    "DOCKERLAB_SUBMISSION",
    "DOCKERLAB_RESULT",
    "DOCKERLAB_POLICY",
    "DOCKERLAB_TRUSTED",
    "DOCKERLAB_KEEP",
    "DOCKERLAB_BROKER",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """The folder of a course.

    Attributes:
        folder: absolute. ``tests/`` in it has the checks (or it has them itself), ``dockerfiles/`` the solutions,
            ``policy.toml`` what submissions may do, ``wrong/`` and ``near/`` what proves the checks.
        trusted: submissions are the instructor's own (``--dockerlab-trusted``).
    """

    folder: Path
    trusted: bool = False

    @classmethod
    def at(cls, folder: Path) -> Course:
        """The course in this folder.

        Raises:
            UsageError: there is no such folder.
        """
        if not folder.is_dir():
            raise UsageError(f"no course at {folder}", remedy="name the folder that has tests/ and dockerfiles/")
        return cls(folder=folder.resolve())

    @property
    def tests(self) -> Path:
        """The folder of the checks."""
        tests = self.folder / "tests"
        return tests if tests.is_dir() else self.folder

    @property
    def policy(self) -> Path | None:
        """The file of its policy."""
        path = self.folder / "policy.toml"
        return path if path.is_file() else None

    @property
    def dockerfiles(self) -> Path:
        """The folder of the solutions: ``dockerfiles``, or what the course's ``pytest.ini`` names."""
        ini = ConfigParser(interpolation=None)
        with suppress(ConfigError, UnicodeDecodeError):
            ini.read(self.folder / "pytest.ini", encoding="utf-8")
        return self.folder / ini.get("pytest", "dockerlab_dockerfiles", fallback="dockerfiles")

    @property
    def policies(self) -> Policies:
        """What submissions may do. Raises: UsageError."""
        path = self.folder / "policy.toml"
        return policies_of(path if path.is_file() else None)

    def arguments(self, scratch: Path, result: Path, submission: Path | None) -> list[str]:
        """For pytest: this course and nothing else, wherever it lies.

        Args:
            scratch: has an empty ini file, which is used if the course has none of its own.
        """
        own = self.folder / "pytest.ini"
        return [
            *("-p", "pytest_dockerlab.plugin", "-p", "no:cacheprovider", "--import-mode=importlib", "-q"),
            *("--tb=short", "--show-capture=no", "--strict-markers"),
            *("-c", str(own if own.is_file() else scratch / "empty.ini")),
            *(f"--rootdir={self.folder}", f"--confcutdir={self.folder}", f"--basetemp={scratch / 'tmp'}"),
            *(f"--ignore={self.folder / name}" for name in BESIDE),
            f"--dockerlab-result={result}",
            *(["--dockerlab-trusted"] if self.trusted else []),
            *([f"--dockerlab-policy={self.policy}"] if self.policy is not None else []),
            *([f"--dockerlab-submission={submission}"] if submission is not None else []),
            str(self.tests),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended.

    Attributes:
        code: its exit code, negative for a signal, ``None`` if its time was over.
        said: the end of what it printed.
    """

    code: int | None
    said: str


def run_pytest(
    arguments: Sequence[str],
    *,
    scratch: Path,
    compiled: Path,
    timeout: float,
    environ: Mapping[str, str],
    stop: threading.Event,
) -> Ended:
    """Run pytest in a fresh process, and end it and all of its children from outside when its time is over.

    Args:
        scratch: an empty folder: its working directory, and the place of its output.
        compiled: folder for compiled modules, which the next process finds there.
        timeout: seconds.
        environ: added to this process's, from which everything is taken that Python or pytest would read.
        stop: set: the process ends at once.
    """
    (scratch / "empty.ini").write_text("[pytest]\n")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_SCRUBBED)}
    root = str(Path(__file__).parents[2])
    # -I: no PYTHON variables, no user's packages, nothing of the working directory. Compiled modules have a folder of
    # the grader's own: the course stays as it is, and nobody else's are trusted.
    program = [sys.executable, "-I", "-X", f"pycache_prefix={compiled}", "-c", _BOOT, root, *arguments]
    with (scratch / "output").open("wb+") as output:
        process = subprocess.Popen(
            program, cwd=scratch, env={**kept, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", **environ},
            stdin=subprocess.PIPE, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        code: int | None = None
        try:
            waited = 0.0
            while waited < timeout and not stop.is_set():
                try:
                    code = process.wait(min(0.25, timeout - waited))
                    break
                except subprocess.TimeoutExpired:
                    waited += 0.25
        finally:
            # Its children, too; those that stay to clean up have a session of their own.
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            assert process.stdin is not None
            process.stdin.close()
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - _TAIL))
        return Ended(code=code, said=output.read().decode(errors="replace"))
