"""What belongs to a build context, as far as it can be said without reading files."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ContextSummary", "ignore_file_names", "ignore_patterns"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextSummary:
    """What was sent.

    Attributes:
        files: number of regular files and symlinks.
        bytes: their sizes together, without the archive's own overhead.
    """

    files: int
    bytes: int


def ignore_patterns(text: str) -> tuple[str, ...]:
    """The patterns of a ``.dockerignore``: comments and empty lines left out, order kept."""
    rows = (row.strip() for row in text.removeprefix("\ufeff").splitlines())
    return tuple(row for row in rows if row and not row.startswith("#"))


def ignore_file_names(dockerfile_name: str) -> tuple[str, ...]:
    """Names of the ignore file, the one that wins first: beside the Dockerfile, then in the context."""
    return (f"{dockerfile_name}.dockerignore", ".dockerignore")
