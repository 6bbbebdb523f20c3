"""What was handed in, read without trusting a byte of it: ``survey`` looks, ``copy`` takes a clean copy.

Layout: ``DIR/<exercise>/Dockerfile`` and what it copies, ``DIR/<exercise>/run.txt``. Nothing is imported, run
or read as configuration; a file has a meaning only where an exercise asks for it. No link is followed, and a
folder is opened by descriptor, so that what was looked at is what is copied.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.refusal import Refusal, refuse
from pytest_dockerlab.exercises.shown import shown
from pytest_dockerlab.quantity import human_bytes

__all__ = ["COMMANDS_FILE", "Entry", "Survey", "copy", "read_text", "survey"]

COMMANDS_FILE = "run.txt"
_TEXT_SIZE = 1024 * 1024
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# A FIFO that took a file's place must not hang the grader.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_MOST_REFUSALS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One file, folder or link that may be copied.

    Attributes:
        path: relative to the submission, with ``/``; the first part is the exercise.
        size: of a file, in bytes.
        target: of a link.
        executable: of a file; no other permission is kept.
    """

    path: str
    kind: Literal["file", "folder", "link"]
    size: int = 0
    target: str = ""
    executable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a submission has.

    Attributes:
        folder: the submission's.
        entries: a plan for the copy, folders before what is in them; of exercises with a refusal, too, as far
            as it was read.
        refusals: by exercise; one that has any is not to be built or run.
    """

    folder: Path
    entries: tuple[Entry, ...] = ()
    refusals: tuple[tuple[str, Refusal], ...] = ()

    @property
    def exercises(self) -> tuple[str, ...]:
        """Those that were handed in."""
        return tuple(entry.path for entry in self.entries if "/" not in entry.path)

    def refused(self, exercise: str) -> tuple[Refusal, ...]:
        """What is wrong with this one."""
        return tuple(refusal for name, refusal in self.refusals if name == exercise)


def survey(folder: Path, exercises: Iterable[str], policy: Policy) -> Survey:
    """Look at a submission. Never follows a link, never opens a file.

    Args:
        folder: the submission's; it may itself be reached by a link, which is the instructor's.
        exercises: names of the folders that are asked for; anything else in it is left alone.
        policy: its limits on files; each exercise has them for itself.

    Raises:
        OSError: the folder itself can't be read.
    """
    entries: list[Entry] = []
    refusals: list[tuple[str, Refusal]] = []
    root = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for exercise in dict.fromkeys(exercises):
            looker = _Looker(exercise, policy)
            looker.look(root)
            entries.extend(looker.entries)
            refusals.extend((exercise, refusal) for refusal in looker.refusals)
    finally:
        os.close(root)
    return Survey(folder=folder, entries=tuple(entries), refusals=tuple(refusals))


class _Looker:
    """Walks one exercise's folder."""

    def __init__(self, exercise: str, policy: Policy) -> None:
        self.exercise, self.policy = exercise, policy
        self.entries: list[Entry] = []
        self.refusals: list[Refusal] = []
        self.count = self.total = 0
        self.full = False

    def look(self, root: int) -> None:
        try:
            status = os.stat(self.exercise, dir_fd=root, follow_symlinks=False)
        except OSError:
            return  # not handed in
        if not stat.S_ISDIR(status.st_mode):
            self._refuse("file_kind", self.exercise, kind=_kind(status.st_mode))
            return
        self._folder(root, self.exercise, self.exercise, 1)
        if self.total > self.policy.context_size:
            self._refuse("total_size", human_bytes(self.total), most=human_bytes(self.policy.context_size))

    def _folder(self, parent: int, name: str, path: str, depth: int) -> None:
        try:
            own = os.open(name, _FOLDER, dir_fd=parent)
        except OSError:
            self._refuse("file_unreadable", path)
            return
        try:
            self.entries.append(Entry(path=path, kind="folder"))
            for each, status in self._listed(own, path):
                self._one(own, each, f"{path}/{each}", status, depth)
                if self.full:
                    return
        finally:
            os.close(own)

    def _listed(self, own: int, path: str) -> Iterator[tuple[str, os.stat_result]]:
        names: list[str] = []
        with os.scandir(own) as listing:
            for item in listing:
                self.count += 1
                if self.count > self.policy.files:
                    self.full = True
                    self._refuse("file_count", "", most=self.policy.files)
                    return
                names.append(item.name)
        for name in sorted(names):
            try:
                yield name, os.stat(name, dir_fd=own, follow_symlinks=False)
            except OSError:
                self._refuse("file_unreadable", f"{path}/{name}")

    def _one(self, own: int, name: str, path: str, status: os.stat_result, depth: int) -> None:
        if not _plain(name) or len(os.fsencode(name)) > 255 or len(os.fsencode(path)) > 2_000:
            self._refuse("file_name", path)
        elif stat.S_ISLNK(status.st_mode):
            target = os.readlink(name, dir_fd=own)
            if _leads_out(target, depth) or not _plain(target):
                self._refuse("link_outside", f"{path} -> {target}")
            else:
                self.entries.append(Entry(path=path, kind="link", target=target))
        elif stat.S_ISDIR(status.st_mode):
            if depth >= self.policy.depth:
                self._refuse("file_depth", path, most=self.policy.depth)
            else:
                self._folder(own, name, path, depth + 1)
        elif stat.S_ISREG(status.st_mode):
            self.total += status.st_size
            if status.st_size > self.policy.file_size:
                self._refuse(
                    "file_size", path, size=human_bytes(status.st_size), most=human_bytes(self.policy.file_size)
                )
            else:
                executable = bool(status.st_mode & 0o111)
                self.entries.append(Entry(path=path, kind="file", size=status.st_size, executable=executable))
        else:
            self._refuse("file_kind", path, kind=_kind(status.st_mode))

    def _refuse(self, code: str, value: str, **values: object) -> None:
        self.refusals.append(refuse(code, self.exercise, value, **values))
        self.full = self.full or len(self.refusals) >= _MOST_REFUSALS


def copy(found: Survey, target: Path) -> tuple[tuple[str, Refusal], ...]:
    """Take a copy of what was surveyed: plain permissions, no owner, no times, exercises with a refusal left out.

    Args:
        target: an empty folder of the grader's own.

    Returns:
        exercise and refusal of what could not be read, or changed since; that exercise's copy is not complete.

    Raises:
        OSError: ``target`` can't be written.
    """
    bad = {exercise for exercise, _ in found.refusals}
    failed: list[tuple[str, Refusal]] = []
    root = os.open(found.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for entry in found.entries:
            exercise = entry.path.partition("/")[0]
            if exercise in bad:
                continue
            place = target / entry.path
            if entry.kind == "folder":
                place.mkdir(mode=0o755)
            elif entry.kind == "link":
                place.symlink_to(entry.target)
            else:
                data = _contents(root, entry)
                if data is None:
                    failed.append((exercise, refuse("file_unreadable", exercise, entry.path)))
                    continue
                place.write_bytes(data)
                place.chmod(0o755 if entry.executable else 0o644)
    finally:
        os.close(root)
    return tuple(failed)


def _contents(root: int, entry: Entry) -> bytes | None:
    """A file's bytes, every folder on the way opened by itself; ``None`` if it is not what it was."""
    *folders, name = entry.path.split("/")
    with ExitStack() as open_ones:
        at = root
        try:
            for folder in folders:
                at = os.open(folder, _FOLDER, dir_fd=at)
                open_ones.callback(os.close, at)
            own = os.open(name, _FILE, dir_fd=at)
            open_ones.callback(os.close, own)
            if not stat.S_ISREG(os.fstat(own).st_mode):
                return None
            with open(own, "rb", closefd=False) as file:
                data = file.read(entry.size + 1)
        except OSError:
            return None
    return data if len(data) == entry.size else None


def read_text(copied: Path, path: str, *, root: Path | None = None) -> str | Refusal:
    """The text of a file of a copy.

    Args:
        copied: the copy's folder (``copy``'s target).
        path: relative to it.
        root: that the file has to lie in when its links are followed; by default ``copied``.
    """
    place = copied / path
    try:
        real = place.resolve(strict=True)
        if not real.is_relative_to((root or copied).resolve()) or not real.is_file():
            return refuse("missing", "", path)
        size = real.stat().st_size
        if size > _TEXT_SIZE:
            return refuse("file_size", "", path, size=human_bytes(size), most=human_bytes(_TEXT_SIZE))
        text = real.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return refuse("not_text", "", path)
    except (OSError, RuntimeError):  # RuntimeError: links in a circle, before Python 3.13
        return refuse("missing", "", path)
    return refuse("not_text", "", path) if "\0" in text else text


def _plain(name: str) -> bool:
    return not {"\n", "\t"} & set(name) and shown(name, max_bytes=5_000) == name


def _leads_out(target: str, depth: int) -> bool:
    """Whether a link may lead out of its exercise, ``depth`` folders below the submission.

    Only a beginning may go up: behind another link ``..`` is that link's parent, not the one that is written.
    """
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((i for i, part in enumerate(parts) if part != ".."), len(parts))
    return not target or target.startswith("/") or ups >= depth or ".." in parts[ups:]


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}
    return {**kinds, stat.S_IFLNK: "link", stat.S_IFREG: "file"}.get(stat.S_IFMT(mode), "unknown")
