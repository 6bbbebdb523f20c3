"""A submission in a message: what it has, as JSON's values, and back into a folder on another machine."""

from __future__ import annotations

import base64
import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from pytest_dockerlab.errors import FormatError, UsageError
from pytest_dockerlab.exercises.policy import Policies
from pytest_dockerlab.grade.content import Entry, read, walk
from pytest_dockerlab.quantity import human_bytes

__all__ = ["MOST_BYTES", "pack", "unpack"]

# A broker keeps its messages in memory.
MOST_BYTES = 16 * 1024 * 1024
_ALONE = "grade it without --broker: --only its name"
_KINDS = {stat.S_IFIFO: "FIFO", stat.S_IFSOCK: "socket", stat.S_IFCHR: "device", stat.S_IFBLK: "device"}


def pack(folder: Path, policies: Policies) -> list[dict[str, Any]]:
    """What was handed in, hostile or not: it has to be judged there as it would be here.

    Args:
        policies: a file that is larger than they allow goes without its content: it is refused for its size.

    Raises:
        UsageError: too large for a message, or it can't be read.
    """
    largest = max(policy.file_size for policy in (policies.default, *policies.exercises.values()))
    packed: list[dict[str, Any]] = []
    total = 0
    for entry in walk(folder):
        if entry.kind in ("unreadable", "more"):
            why = "can't be read" if entry.kind == "unreadable" else "and what follows are too many files"
            raise UsageError(f"{entry.path or folder} {why}: it can't be sent to another machine", remedy=_ALONE)
        content = b""
        if entry.kind == "file" and entry.size <= largest:
            total += entry.size
            if total > MOST_BYTES:
                raise UsageError(
                    f"it has more than {human_bytes(MOST_BYTES)}, too much for a message to another machine",
                    remedy=_ALONE,
                )
            content = _content(folder, entry)
        packed.append(_packed(entry, content))
    return packed


def _content(folder: Path, entry: Entry) -> bytes:
    try:
        return b"".join(read(folder, entry))
    except OSError as error:
        raise UsageError(f"{entry.path} can't be read: {error.strerror}", remedy=_ALONE) from error


def _packed(entry: Entry, content: bytes) -> dict[str, Any]:
    values: dict[str, Any] = {"path": entry.path, "kind": entry.kind}
    if entry.kind == "file":
        values |= {"size": entry.size, "executable": entry.executable, "content": base64.b64encode(content).decode()}
    elif entry.kind == "link":
        values["target"] = entry.target
    elif entry.kind == "other":
        values["mode"] = entry.mode
    return values


def unpack(packed: Sequence[Mapping[str, Any]], target: Path) -> None:
    """Make what ``pack`` read.

    Args:
        target: an empty folder.

    Raises:
        FormatError: no such parcel, or a name in it leads out of ``target``.
        OSError: ``target`` can't be written.
    """
    try:
        # Links last: nothing is written through them.
        for values in sorted(packed, key=lambda values: values["kind"] == "link"):
            _unpacked(values, target)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise FormatError(f"not a submission: {type(error).__name__}: {error}", remedy="send it again") from error


def _unpacked(values: Mapping[str, Any], target: Path) -> None:
    path = values["path"]
    if not path or any(part in ("", ".", "..") for part in path.split("/")):
        raise ValueError(f"path {path!r}")
    place = target / path
    match values["kind"]:
        case "folder":
            place.mkdir()
        case "file":
            content = base64.b64decode(values["content"])
            with place.open("xb") as file:
                file.write(content)
                file.truncate(int(values["size"]))
            place.chmod(0o755 if values["executable"] else 0o644)
        case "link":
            place.symlink_to(values["target"])
        case "other":
            _special(place, int(values["mode"]))
        case kind:
            raise ValueError(f"kind {kind!r}")


def _special(place: Path, mode: int) -> None:
    if mode not in _KINDS:
        raise ValueError(f"mode {mode:o}")
    with suppress(PermissionError):
        os.mknod(place, mode | 0o600)
        return
    # Not everybody may make a device; a FIFO is refused as well.
    os.mkfifo(place, 0o600)
