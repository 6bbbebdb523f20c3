"""``dockerlab new-course``: a course to begin with, whose checks are proven."""

from __future__ import annotations

import shutil
from importlib.resources import as_file, files
from pathlib import Path

from pytest_dockerlab.errors import UsageError

__all__ = ["write_course"]


def write_course(folder: Path) -> list[Path]:
    """Write a course of two exercises: checks, solutions, what proves them, a policy, tasks, the CI's file.

    Args:
        folder: is made if missing.

    Returns:
        its files.

    Raises:
        UsageError: there is something in it, or it can't be written.
    """
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise UsageError(f"{folder} is there already, and not empty", remedy="name a folder that is not there")
        with as_file(files("pytest_dockerlab") / "grade" / "templates" / "course") as template:
            # Contents alone: an installed package may be read-only, and what was compiled in it is nothing to copy.
            shutil.copytree(
                template,
                folder,
                copy_function=shutil.copyfile,
                ignore=shutil.ignore_patterns("__pycache__"),
                dirs_exist_ok=True,
            )
    except (OSError, shutil.Error) as error:
        raise UsageError(f"no course can be written to {folder}: {error}", remedy="name another folder") from error
    return sorted(path for path in folder.rglob("*") if path.is_file())
