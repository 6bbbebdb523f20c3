"""Files of containers through the archive API: no exec, no shell, and no running container needed."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.errors import EngineError, FormatError, NotFound
from pytest_dockerlab.foreign import mapping, read_json, text, whole
from pytest_dockerlab.image.model import FileKind, FileStat
from pytest_dockerlab.image.tarstream import Blocks, clean_path, entries, first_entry, stat_of

if TYPE_CHECKING:
    from requests import Response

    from pytest_dockerlab.engine.api import Api

__all__ = ["archive", "children", "put", "read", "some_children", "stat", "unpack_mode"]

# Go's os.FileMode (pkg.go.dev/io/fs#FileMode): its type bits are not the kernel's.
_GO_KINDS = (
    (1 << 31, FileKind.DIRECTORY),
    (1 << 27, FileKind.SYMLINK),
    (1 << 26, FileKind.DEVICE),
    (1 << 25, FileKind.FIFO),
    (1 << 24, FileKind.SOCKET),
)
_TIME = re.compile(r"(?P<whole>[\d-]+T[\d:]+)(?:\.(?P<fraction>\d+))?(?P<zone>Z|[+-]\d\d:\d\d)")
_GO_BITS = ((1 << 23, 0o4000), (1 << 22, 0o2000), (1 << 20, 0o1000))


def unpack_mode(go_mode: int) -> tuple[FileKind, int]:
    """Kind and permission bits (set-uid, set-gid and sticky among them) of a Go file mode."""
    kind = next((kind for bit, kind in _GO_KINDS if go_mode & bit), FileKind.FILE)
    return kind, (go_mode & 0o777) | sum(bits for bit, bits in _GO_BITS if go_mode & bit)


def stat(api: Api, container: str, path: str, *, owner: bool = False) -> FileStat:
    """One entry; a symlink is not followed, symlinks among its parents are.

    Args:
        owner: find uid and gid, too, which costs the engine more (a running container: 27 ms instead of 1).

    Raises:
        NotFound: no such path, or no such container.
    """
    if not owner:
        found = _head(api, container, path)
        # The engine reports a link's final target, not what the link says; only the archive has that.
        if found.kind is not FileKind.SYMLINK:
            return found
    response = _get(api, container, path)
    link = unpack_mode(_path_stat(response, _about(container, path))[1])[0] is FileKind.SYMLINK
    stream = api.chunks(response, _about(container, path))
    try:
        entry = first_entry(Blocks(stream), _about(container, path))
    finally:
        _close(stream)
    if link and not entry.issym():
        # Podman sends the file that a link leads to (podman:libpod/container_copy_common.go); its folder has the link.
        return _among_siblings(api, container, _absolute(path))
    return stat_of(entry, _absolute(path))


def _among_siblings(api: Api, container: str, path: str) -> FileStat:
    about, stream = _about(container, path), archive(api, container, path.rpartition("/")[0] + "/.")
    try:
        for member, _ in entries(Blocks(stream), about):
            if clean_path(member.name, about) == f"/{path.rpartition('/')[2]}":
                return stat_of(member, path)
    finally:
        _close(stream)
    raise NotFound(f"{about}: gone while it was looked at", remedy="ask again, or stop what changes it")


def _head(api: Api, container: str, path: str) -> FileStat:
    about = _about(container, path)
    try:
        response = api.send("HEAD", f"/containers/{container}/archive", params={"path": path}, about=about)
    except EngineError:
        # An answer to HEAD has no words to say why.
        _close(archive(api, container, path))
        raise
    fields, go_mode = _path_stat(response, about)
    kind, mode = unpack_mode(go_mode)
    return FileStat(
        path=_absolute(path),
        kind=kind,
        mode=mode,
        size=whole(fields.get("size"), "size") if kind is FileKind.FILE else 0,
        mtime=_seconds(text(fields.get("mtime"), "mtime")),
        # Podman tells where every path leads, Docker of links only.
        link=text(fields.get("linkTarget"), "linkTarget") if kind is FileKind.SYMLINK else "",
    )


def _path_stat(response: Response, about: str) -> tuple[Mapping[str, Any], int]:
    """What the engine says of the path, and its mode as Go has it."""
    try:
        found = read_json(base64.b64decode(response.headers.get("X-Docker-Container-Path-Stat", "")))
    except ValueError as error:
        raise EngineError(f"{about}: the engine's answer does not say what it is: {error}") from error
    fields = mapping(found, "X-Docker-Container-Path-Stat")
    return fields, whole(fields.get("mode"), "mode")


def _seconds(moment: str) -> float:
    """Seconds since the epoch of Go's RFC 3339 time, which has more digits than Python 3.10 reads."""
    match = _TIME.fullmatch(moment)
    if match is None:
        return 0.0
    zone = "+00:00" if match["zone"] == "Z" else match["zone"]
    return datetime.fromisoformat(match["whole"] + zone).timestamp() + float(f"0.{match['fraction'] or 0}")


def _about(container: str, path: str) -> str:
    return f"{path} in container {container[:12]}"


def _absolute(path: str) -> str:
    return "/" + "/".join(part for part in path.split("/") if part not in ("", "."))


def _get(api: Api, container: str, path: str) -> Response:
    return api.send(
        "GET",
        f"/containers/{container}/archive",
        params={"path": path},
        about=_about(container, path),
        stream=True,
    )


def archive(api: Api, container: str, path: str) -> Iterator[bytes]:
    """A path and what is below it, as chunks of a tar.

    Raises:
        NotFound: no such path, or no such container.
    """
    return api.chunks(_get(api, container, path), _about(container, path))


def put(api: Api, container: str, path: str, tar: bytes | Iterator[bytes]) -> None:
    """Unpack a tar into the folder ``path``.

    Raises:
        NotFound: no such folder, or no such container.
        UsageError: not a folder, or a container with a read-only root.
    """
    api.send(
        "PUT",
        f"/containers/{container}/archive",
        params={"path": path, "noOverwriteDirNonDir": True},
        data=tar,
        headers={"Content-Type": "application/x-tar"},
        about=_about(container, path),
    )


def read(api: Api, container: str, path: str) -> bytes:
    """The content of a regular file; a symlink is followed.

    Raises:
        NotFound: no such file, or it is a directory or something else without content.
    """
    about = _about(container, path)
    for place in _places(api, container, path):
        stream = archive(api, container, place)
        try:
            member, content = next(entries(Blocks(stream), about))
            if content is not None:
                return content.read()
            if not member.issym():
                break
        finally:
            _close(stream)
    raise NotFound(f"{about}: not a regular file", remedy="list a folder instead of reading it")


def children(api: Api, container: str, path: str, *, deep: bool = False) -> tuple[FileStat, ...]:
    """What is in a folder, with owners, by name; ``deep`` goes down into the folders in it.

    The engine sends the folder's whole content for it: mind the size.

    Raises:
        NotFound: no such folder, or not a folder.
    """
    about, base = _about(container, path), _absolute(path)
    for place in _places(api, container, path):
        stream = archive(api, container, place)
        try:
            tar = entries(Blocks(stream), about)
            root, _ = next(tar)
            if root.isdir():
                # A folder's archive starts with the folder; that of / has no name to take off the others.
                name = clean_path(root.name, about)
                found = (
                    stat_of(member, _join(base, clean_path(member.name, about).removeprefix(name))) for member, _ in tar
                )
                depth = _join(base, "x").count("/")
                kept = (entry for entry in found if deep or entry.path.count("/") == depth)
                return tuple(sorted(kept, key=lambda entry: entry.path))
            if not root.issym():
                break
        finally:
            _close(stream)
    raise NotFound(f"{about}: not a folder", remedy="stat or read it instead")


def some_children(api: Api, container: str, path: str, most_bytes: int) -> tuple[FileStat, ...]:
    """Of a folder's direct entries those, with owners, that come in the first bytes of its archive; links to it work.

    Raises:
        NotFound: no such folder, or not a folder.
    """
    about, base = _about(container, path), _absolute(path)
    stream = archive(api, container, f"{base.rstrip('/')}/.")
    found = []
    try:
        for member, _ in entries(Blocks(_first(stream, most_bytes)), about):
            name = clean_path(member.name, about)
            # A hard link's size is in the header of the file it links to.
            if name != "/" and name.count("/") == 1 and not member.islnk():
                found.append(stat_of(member, _join(base, name)))
    except FormatError:
        pass  # cut off, as was asked for
    finally:
        _close(stream)
    return tuple(found)


def _first(stream: Iterator[bytes], most_bytes: int) -> Iterator[bytes]:
    for chunk in stream:
        yield chunk
        most_bytes -= len(chunk)
        if most_bytes <= 0:
            return


def _places(api: Api, container: str, path: str) -> Iterator[str]:
    """The path, and then (if asked for more) the place that it leads to as a symlink."""
    yield path
    target = _head(api, container, path).link
    if target:
        yield target


def _join(base: str, name: str) -> str:
    return f"{base.rstrip('/')}/{name.lstrip('/')}"


def _close(stream: Iterator[bytes]) -> None:
    closing = getattr(stream, "close", None)
    if closing is not None:
        closing()
