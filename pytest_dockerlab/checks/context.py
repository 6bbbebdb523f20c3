"""What a build sends to the engine: how much, and which files."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_dockerlab.checks.words import expect_count, listing, plural
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.quantity import human_bytes, to_bytes

__all__ = ["context_size", "in_context", "not_in_context"]

_WHY = "the whole folder goes to the engine before the first step, and COPY . puts it in the image"


def context_size(size: int, at_most: str | int, *, files: int | None = None) -> Checked[int]:
    """The context takes at most so many bytes. Evidence: its size in bytes."""
    limit = to_bytes(at_most)
    if size <= limit:
        return Checked(evidence=size)
    finding = Finding(
        what=f"the build context is {human_bytes(size)}",
        expected=f"at most {human_bytes(limit)}",
        found=human_bytes(size) + (f" in {plural(expect_count(files, 'files'), 'file')}" if files is not None else ""),
        why=_WHY,
        hint="name what is not needed (.git, data, virtual environments) in a .dockerignore beside the Dockerfile",
    )
    return Checked(evidence=size, findings=(finding,))


def _clean(path: str) -> str:
    return path.removeprefix("./").strip("/")


def _below(files: Sequence[str], path: str) -> tuple[str, ...]:
    """The files at ``path``, or in the folder of this name."""
    name = _clean(path)
    return tuple(file for file in map(_clean, files) if file == name or file.startswith(f"{name}/"))


def in_context(files: Sequence[str], path: str) -> Checked[tuple[str, ...]]:
    """The file, or at least one file of the folder, is sent. Evidence: those files."""
    found = _below(files, path)
    if found:
        return Checked(evidence=found)
    finding = Finding(
        what=f"{path} is not in the build context",
        expected=f"{path} sent to the engine",
        found=f"{plural(len(files), 'file')}:\n{listing(sorted(files), 10)}",
        why="COPY can only take what is in the context",
        hint="look for it in .dockerignore, and for a path that is outside of the folder",
    )
    return Checked(evidence=(), findings=(finding,))


def not_in_context(files: Sequence[str], path: str) -> Checked[tuple[str, ...]]:
    """Neither the file nor any file of the folder is sent. Evidence: what is sent."""
    found = _below(files, path)
    if not found:
        return Checked(evidence=tuple(files))
    finding = Finding(
        what=f"{path} is in the build context",
        expected="left out",
        found=listing(found, 10),
        why=_WHY,
        hint=f"write {_clean(path)} in a .dockerignore beside the Dockerfile",
    )
    return Checked(evidence=tuple(files), findings=(finding,))
