"""A build context as one tar archive: what ``.dockerignore`` leaves, and the Dockerfile."""

from __future__ import annotations

import difflib
import os
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

from pytest_dockerlab.build.context import ContextSummary, ignore_file_names, ignore_patterns
from pytest_dockerlab.build.ignore import IgnoreRules
from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.errors import UsageError

__all__ = ["ContextPlan", "PackedContext", "bare", "pack", "plan_context", "read_dockerfile"]

_IN_MEMORY = 4 * 1024 * 1024
_IGNORE = ".dockerignore"
_OUTSIDE = ".dockerlab.Dockerfile"


@dataclass(frozen=True, slots=True, kw_only=True)
class ContextPlan:
    """What of a folder is sent, and where the Dockerfile goes.

    Attributes:
        dockerfile: the Dockerfile's name in the archive.
        outside: it does not lie in the context, or not as a file.
        hidden: COPY must not see it: it lies outside, or is ignored.
        patterns: of the ignore file.
    """

    root: Path
    dockerfile: str
    outside: bool
    hidden: bool
    patterns: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedContext:
    """The archive (at its beginning; small ones in memory, others in a temporary file) and what is in it."""

    body: IO[bytes]
    summary: ContextSummary


def read_dockerfile(spec: BuildSpec) -> str:
    """The Dockerfile's text.

    Raises:
        UsageError: the context or the Dockerfile is not there or can't be read; names what is near.
    """
    if not spec.context.is_dir():
        what = "is not a folder" if spec.context.exists() else "does not exist"
        raise UsageError(f"the build context {spec.context} {what}", remedy=_near(spec.context))
    path = spec.dockerfile_path
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise UsageError(f"the Dockerfile {path} {what}", remedy=_near(path))
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"the Dockerfile {path} is not UTF-8 text: {error}", remedy="save it as UTF-8") from None
    except OSError as error:
        raise UsageError(f"the Dockerfile {path} can't be read: {error.strerror}", remedy="mend its mode") from error


def plan_context(spec: BuildSpec) -> ContextPlan:
    """See what of the context is to be sent.

    Raises:
        UsageError: the ignore file can't be read.
    """
    root = spec.context.absolute()
    name = _name_in_context(spec, root) or _OUTSIDE
    outside = not (root / name).is_file()
    patterns = _patterns(spec, root)
    hidden = outside or IgnoreRules(patterns).ignores(name)
    return ContextPlan(root=root, dockerfile=name, outside=outside, hidden=hidden, patterns=patterns)


def pack(plan: ContextPlan, text: str, *, engine_ignores: bool, folder: str = "") -> PackedContext:
    """Make the archive.

    Entries are sorted, owned by root and dated to the second, so that the same folder makes the same archive.

    Args:
        text: the Dockerfile to send, which may differ from the one in the folder.
        engine_ignores: the builder reads the archive's own ``.dockerignore`` and takes the Dockerfile
            out of what COPY sees (classic and Podman do, BuildKit does not).
        folder: put the context below this folder of the archive (the Dockerfile stays above).

    Raises:
        UsageError: a file can't be read.
    """
    body: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 (the caller closes it)
    own_ignore = engine_ignores and plan.hidden
    files = size = 0
    try:
        with tarfile.open(fileobj=body, mode="w", format=tarfile.GNU_FORMAT, encoding="utf-8") as tar:
            # The first entry must be short and plain: BuildKit looks at its header to see that this is an archive.
            _add_text(tar, plan.dockerfile, text)
            if own_ignore:
                _add_text(tar, _IGNORE, "\n".join([*(plan.patterns or (_IGNORE,)), plan.dockerfile, ""]))
            if folder:
                _add_folder(tar, folder)
            for path in sorted(_walk(plan.root, IgnoreRules(plan.patterns))):
                if path == plan.dockerfile or (path == _IGNORE and own_ignore):
                    continue
                added = _add(tar, plan.root, path, folder)
                if added is not None and (added.isfile() or added.issym() or added.islnk()):
                    files, size = files + 1, size + added.size
    except BaseException:
        body.close()
        raise
    if not plan.hidden:
        files, size = files + 1, size + len(text.encode())
    body.seek(0)
    return PackedContext(body=body, summary=ContextSummary(files=files, bytes=size))


def bare(dockerfile: str) -> BytesIO:
    """A context that has a Dockerfile of this text, and nothing else."""
    body = BytesIO()
    with tarfile.open(fileobj=body, mode="w") as tar:
        _add_text(tar, "Dockerfile", dockerfile)
    body.seek(0)
    return body


def _walk(root: Path, rules: IgnoreRules) -> Iterator[str]:
    """Paths of all that is not ignored, folders among them; links are not followed."""
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError as error:
            raise UsageError(
                f"a folder of the build context can't be read: {root / folder}: {error.strerror}",
                remedy=f"mend its mode, or name it in {_IGNORE}",
            ) from error
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            ignored = rules.ignores(path)
            if not ignored:
                yield path
            if entry.is_dir(follow_symlinks=False) and not (ignored and not rules.may_keep_below(path)):
                pending.append(path)


def _name_in_context(spec: BuildSpec, root: Path) -> str:
    relative = os.path.relpath(spec.dockerfile_path.absolute(), root)
    return "" if relative.startswith("..") else Path(relative).as_posix()


def _patterns(spec: BuildSpec, root: Path) -> tuple[str, ...]:
    beside, default = ignore_file_names(str(spec.dockerfile_path))[0], root / _IGNORE
    for path in (Path(beside), default):
        try:
            return ignore_patterns(path.read_text("utf-8"))
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{path} can't be read: {error}", remedy="make it a readable UTF-8 text") from error
    return ()


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, BytesIO(data))


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    info = tarfile.TarInfo(name)
    info.type, info.mode = tarfile.DIRTYPE, 0o755
    tar.addfile(info)


def _add(tar: tarfile.TarFile, root: Path, path: str, folder: str) -> tarfile.TarInfo | None:
    full = root / path
    try:
        info = tar.gettarinfo(str(full), arcname=f"{folder}/{path}" if folder else path)
        if info is None:  # a socket: it has no content that could be sent
            return None
        info.uid = info.gid = 0
        info.uname = info.gname = ""
        info.mtime = max(0, int(info.mtime))
        if info.isfile():
            with full.open("rb") as file:
                tar.addfile(info, file)
        else:
            tar.addfile(info)
    except OSError as error:
        raise UsageError(
            f"a file of the build context can't be read: {full}: {error.strerror or error}",
            remedy=f"mend its mode, or name it in {_IGNORE}",
        ) from error
    else:
        return info


def _near(path: Path) -> str:
    """What there is instead, near where the path was looked for."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        path, folder = folder, folder.parent
    try:
        names: Iterable[str] = sorted(entry.name for entry in folder.iterdir())
    except OSError:
        names = ()
    close = difflib.get_close_matches(path.name, list(names), 3, 0.4)
    shown = close or list(names)[:8]
    return f"in {folder} there is: {', '.join(shown)}" if shown else f"{folder} is empty"
