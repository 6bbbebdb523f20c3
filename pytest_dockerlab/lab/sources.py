"""What ``lab.build`` is given → a context folder and a Dockerfile in it."""

from __future__ import annotations

import difflib
import os
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.errors import UsageError

__all__ = ["Source", "find_source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a build starts.

    Attributes:
        name: for messages and tags.
        context: folder that is sent; ``None`` is an empty one.
        dockerfile: its path, or ``None`` when ``text`` holds it.
        text: a Dockerfile's text, ``""`` when it is a file.
    """

    name: str
    context: Path | None
    dockerfile: Path | None = None
    text: str = ""


def find_source(
    source: str | Path,
    *,
    dockerfiles: Path,
    dockerfile: str | Path | None = None,
    context: str | Path | None = None,
) -> Source:
    """Find what to build.

    Args:
        source: the name of a folder below ``dockerfiles``; or the path of a folder or of a Dockerfile; or, if it
            has a line break, the text of a Dockerfile.
        dockerfiles: folder of the project's exercises.
        dockerfile: path of the Dockerfile, relative to the source's folder.
        context: folder to send instead of the source's own (for a text: of an empty one).

    Raises:
        UsageError: no such folder or Dockerfile; names what is there.
    """
    sent = None if context is None else _folder("context", Path(context))
    if isinstance(source, str) and "\n" in source:
        if dockerfile is not None:
            raise UsageError(f"a Dockerfile's text and a path, too: {dockerfile!s}", remedy="give one of them")
        return Source(name="text", context=sent, text=source)
    folder = _locate(source, dockerfiles)
    if folder.is_file():
        if dockerfile is not None:
            raise UsageError(f"two Dockerfiles: {folder} and {dockerfile!s}", remedy="give one of them")
        path, folder = folder, folder.parent
    else:
        path = folder / (dockerfile or "Dockerfile")
    if not path.is_file():
        there = sorted(entry.name for entry in folder.iterdir() if "dockerfile" in entry.name.lower())
        raise UsageError(
            f"no Dockerfile at {path}",
            remedy=f"there is {', '.join(there)}: name it by dockerfile="
            if there
            else "write one, or give another path",
        )
    name = folder.name if path.name == "Dockerfile" else f"{folder.name}-{path.name}"
    # Not resolved: a Dockerfile that is a link is still the one that was named.
    return Source(name=name, context=sent or folder, dockerfile=Path(os.path.normpath(path.absolute())))


def _locate(source: str | Path, dockerfiles: Path) -> Path:
    named = dockerfiles / source
    if named.exists():
        return named
    path = Path(source).expanduser()
    if path.exists() and (isinstance(source, Path) or "/" in source or path.is_file()):
        return path.absolute()
    if not dockerfiles.is_dir():
        raise UsageError(
            f"nothing to build: no {named}, and no {path.absolute()}",
            remedy=f"make the folder {dockerfiles}, or name another by the ini dockerlab_dockerfiles",
        )
    have = sorted(entry.name for entry in dockerfiles.iterdir() if entry.is_dir())
    close = difflib.get_close_matches(str(source), have, n=1)
    raise UsageError(
        f"nothing to build: no folder {str(source)!r} in {dockerfiles}",
        remedy=f"did you mean {close[0]!r}?" if close else f"there is {', '.join(have) or 'nothing'}",
    )


def _folder(what: str, path: Path) -> Path:
    if not path.is_dir():
        raise UsageError(f"{what}: no such folder: {path}", remedy="give the path of a folder that exists")
    return path.absolute()
