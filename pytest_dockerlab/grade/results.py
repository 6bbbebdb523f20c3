"""Submissions and results on disk: a folder a student, a file a result, whole or not at all."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.exercises.model import Graded
from pytest_dockerlab.exercises.record import from_record

__all__ = ["find_submissions", "held", "read_result", "result_file", "write"]

_PLAIN = re.compile(r"\w[\w.@+-]*", re.ASCII)
_LOCK = ".lock"


def find_submissions(folder: Path, only: Sequence[str] = ()) -> dict[str, Path]:
    """Student → folder, by name. Links and hidden folders are none.

    Raises:
        UsageError: there are none, or one of ``only`` is not there.
    """
    if not folder.is_dir():
        raise UsageError(f"no submissions at {folder}", remedy="name the folder that has a folder for each student")
    found = {
        path.name: path.absolute()
        for path in sorted(folder.iterdir())
        if path.is_dir() and not path.is_symlink() and not path.name.startswith(".")
    }
    for name in only:
        if name not in found:
            raise UsageError(f"no submission of {name!r} in {folder}", remedy="--only takes the names of its folders")
    if not found:
        raise UsageError(f"no submissions in {folder}", remedy="each student has a folder in it")
    return {name: path for name, path in found.items() if not only or name in only}


def result_file(out: Path, student: str) -> Path:
    """Where a student's result is; a name that could be no name of a file is written in another way."""
    return out / f"{student if _PLAIN.fullmatch(student) else quote(os.fsencode(student), safe='')}.json"


def read_result(path: Path) -> Graded | None:
    """A result that is there already; ``None`` if there is none that could be used."""
    try:
        return from_record(json.loads(path.read_text("utf-8")))
    except (OSError, ValueError, FormatError):
        return None


def write(path: Path, text: str) -> None:
    """A file, whole or not at all, whenever this process is killed."""
    beside = path.with_name(f".{path.name}.new")
    with beside.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)


@contextmanager
def held(out: Path) -> Iterator[None]:
    """One batch at a time writes to a folder of results; made if missing. A killed one holds nothing.

    Raises:
        UsageError: another does now.
    """
    from filelock import FileLock, Timeout

    out.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(out / _LOCK, timeout=0):
            yield
    except Timeout as error:
        raise UsageError(
            f"another batch is writing to {out}", remedy="wait for it, end it, or name another folder"
        ) from error
