"""Folders of the host for containers: owned by a user of our choice, and gone with what containers wrote."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import EngineError, NotFound, UsageError
from pytest_dockerlab.run.spec import Mount, RunSpec

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Folders"]

_HELPER = "alpine"
_HELPER_SECONDS = 60.0
# Paths per command line, well below the kernel's limit of 128 KiB for one argument and 2 MiB for all.
_ARGUMENTS = 500
# Inode times come from the kernel's coarse clock, which may lag behind time.time() by a tick.
_TICK = 0.02


class Folders:
    """Makes folders that belong to any user, and takes back what containers leave in bind mounts.

    Root of an engine without user namespaces can simply chown. Anybody else needs a container, whose
    root may do in a bind mount what we may not.

    Args:
        image_for: brings an image with a shell, for the helper, and says its name on this engine.
        labels: of the lab, for the helper.
        direct: chown here; by default wherever that means the same to a container.
    """

    def __init__(
        self,
        engine: Engine,
        image_for: Callable[[str], str],
        labels: Mapping[str, str],
        direct: bool | None = None,
    ) -> None:
        self._engine = engine
        self._image_for = image_for
        self._labels = labels
        mapped = engine.info.rootless or engine.info.userns_remap
        self._direct = (os.geteuid() == 0 and not mapped) if direct is None else direct

    def make(self, uid: int, gid: int, mode: int) -> Path:
        """A new empty folder.

        Raises:
            UsageError: not a uid, gid or mode.
            EngineError: the helper container could not do it.
        """
        _check_number("uid", uid)
        _check_number("gid", gid)
        if not 0 <= mode <= 0o7777:
            raise UsageError(f"owned_dir: mode {mode!r} is not a mode", remedy="write it in octal: 0o755")
        # The parent stays ours, so that we may rename and remove what is in it.
        folder = Path(tempfile.mkdtemp(prefix="dockerlab-dir-", dir=self._engine.scratch)) / "dir"
        folder.parent.chmod(0o755)
        folder.mkdir()
        try:
            if self._direct:
                os.chown(folder, uid, gid)
                folder.chmod(mode)
            else:
                self._as_root(folder.parent, f"chown {uid}:{gid} /host/dir && chmod {mode:o} /host/dir")
        except BaseException:
            shutil.rmtree(folder.parent, ignore_errors=True)
            raise
        return folder

    def remove(self, folder: Path) -> None:
        """Remove a folder of ``make`` with all that is in it, whoever owns it. Gone already is fine."""
        parent = folder.parent
        with contextlib.suppress(OSError):
            shutil.rmtree(parent)
        if parent.exists():
            self._as_root(parent, "rm -rf /host/dir")
            shutil.rmtree(parent)

    def strangers(self, folder: Path, since: float) -> tuple[Path, ...]:
        """What containers wrote into a user's folder: entries of others, changed after ``since`` (epoch)."""
        me = os.geteuid()
        if me == 0 or not folder.is_dir():
            return ()
        return tuple(path for path, entry in _walk(folder) if entry.st_uid != me and entry.st_ctime >= since - _TICK)

    def hand_over(self, folder: Path, since: float) -> None:
        """Make the user the owner of what containers wrote into a folder of his, so that he can remove it.

        Not deleted: the folder is not the lab's, and what was written may be what the test is about.
        """
        # In a rootless engine's container we are root.
        me = "0:0" if self._engine.info.rootless else f"{os.geteuid()}:{os.getegid()}"
        before: tuple[Path, ...] = ()
        # Again, because a folder that was closed to us shows what is in it only now.
        while (theirs := self.strangers(folder, since)) and theirs != before:
            names = [f"/host/{path.relative_to(folder)}" for path in theirs]
            for start in range(0, len(names), _ARGUMENTS):
                self._as_root(folder, f'chown -h {me} "$@"', *names[start : start + _ARGUMENTS])
            before = theirs

    def _as_root(self, folder: Path, script: str, *arguments: str) -> None:
        containers = self._engine.containers
        spec = RunSpec(
            image=self._image_for(_HELPER),
            entrypoint=("/bin/sh", "-c", script, "sh"),
            command=arguments,
            user="0:0",
            network="none",
            labels=self._labels,
            mounts=(Mount(kind="bind", source=str(folder), target="/host"),),
        )
        created = containers.create(spec)
        try:
            containers.start(created.id)
            code = containers.wait(created.id, _HELPER_SECONDS)
            if code:
                raise EngineError(
                    f"the helper container could not run {script!r} in {folder}: exit code {code}: "
                    f"{containers.logs(created.id).text.strip()}",
                    remedy="see whether the engine shares this folder with its containers",
                )
        finally:
            with contextlib.suppress(NotFound):
                containers.remove(created.id)


def _check_number(name: str, value: object) -> None:
    # 2**32 - 1 means "leave it" to chown(2).
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**32 - 1:
        raise UsageError(f"owned_dir: {name} {value!r} is no user's or group's number", remedy="write 1111")


def _walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        entries = list(os.scandir(folder))
    except OSError:
        return  # Not ours to look into: its owner's entry itself was already listed by the caller.
    for entry in entries:
        try:
            found = entry.stat(follow_symlinks=False)
        except OSError:
            continue  # Gone while we looked.
        yield Path(entry.path), found
        if stat.S_ISDIR(found.st_mode):
            yield from _walk(Path(entry.path))
