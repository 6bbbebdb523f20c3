"""Files in the copy of a submission, which its containers may have written to: no link is ever followed."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.quantity import human_bytes

__all__ = ["read_inside", "write_inside"]

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST = 1024 * 1024


def read_inside(folder: Path, path: str) -> bytes | Refusal:
    """The content of a file below ``folder``; why there is none to be had, if it is no file, or a large one."""
    try:
        with _parent(folder, path) as (parent, name):
            # A FIFO would hang the grader.
            own = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
            with os.fdopen(own, "rb") as file:
                if not stat.S_ISREG(os.fstat(own).st_mode):
                    return refuse("missing", "", path)
                data = file.read(_MOST + 1)
    except OSError:
        return refuse("missing", "", path)
    return data if len(data) <= _MOST else refuse("file_size", "", path, size="more", most=human_bytes(_MOST))


def write_inside(folder: Path, path: str, content: bytes, *, uid: int, gid: int) -> None:
    """Write a file below ``folder``, in place of whatever is there; folders between are made.

    Args:
        uid, gid: whose it is; heeded where this process may give files away.

    Raises:
        OSError: a folder between is none, or can't be written to.
    """
    with _parent(folder, path, make=True) as (parent, name):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=parent)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, 0o644, dir_fd=parent), "wb") as file:
            file.write(content)
            if os.getuid() == 0:
                os.fchown(file.fileno(), uid, gid)


@contextlib.contextmanager
def _parent(folder: Path, path: str, *, make: bool = False) -> Iterator[tuple[int, str]]:
    """Descriptor of the folder that ``path`` is in, each folder on the way opened by itself, and the last name."""
    *folders, name = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in (*folders, name):
        raise FileNotFoundError(path)
    with contextlib.ExitStack() as stack:
        at = os.open(folder, _FOLDER)
        stack.callback(os.close, at)
        for part in folders:
            if make:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, 0o755, dir_fd=at)
            at = os.open(part, _FOLDER, dir_fd=at)
            stack.callback(os.close, at)
        yield at, name
