"""Emulators that are registered with this machine's kernel while somebody of ours needs them, and no longer.

A distribution's own registration (binfmt-support, systemd-binfmt) is used as it is and never touched. Where there is
none, ours goes by the name ``dockerlab-ARCH``. Each process that needs it holds a shared lock on a file of that name;
who gets the lock for itself alone knows that nobody does any more, and takes it away. A killed process lets go of its
locks: the next one that looks (its watchdog, a later run, ``dockerlab sweep`` or ``down``) finds that out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from pytest_dockerlab.engine import binfmt
from pytest_dockerlab.errors import InstallFailed
from pytest_dockerlab.places import runtime_dir
from pytest_dockerlab.platforms import Platform

__all__ = ["PACKAGE", "PREFIX", "Hold", "hold", "let_go", "mending", "tidy"]

#: Of the names that we register.
PREFIX = "dockerlab-"
PACKAGE = "qemu-user-static"
# One for the machine, as the kernel's list is: not a run's own run-time folder.
_LOCKS = Path("/run/dockerlab/emulators")
_RULES = Path("/usr/lib/binfmt.d")
# QEMU's names of architectures, where they are neither Go's nor the kernel's.
_QEMU = {"arm": "arm", "loong64": "loongarch64"}
_MOUNT = "mount"
# Written into a lock's file: who had it stay though nobody holds it (by the run-time folder); it is ours to take away.
_KEPT, _OURS = "kept:", "ours"


@dataclass(slots=True)
class Hold:
    """Somebody needs an emulator; until ``release``, or the end of this process."""

    names: tuple[str, ...]
    files: tuple[int, ...]

    def release(self) -> tuple[str, ...]:
        """Let go, and take away what nobody else needs. Returns what went, in words. Twice is fine."""
        for file in self.files:
            os.close(file)
        files, self.files = self.files, ()
        return tidy(self.names) if files else ()


def mending(platform: Platform) -> str:
    """The command that makes programs of a platform run here."""
    lead = "" if os.getuid() == 0 else "sudo "
    return f"{lead}dockerlab up --install --platform {platform}"


def hold(
    platform: Platform, *, can_install: bool, keep: bool = False, tell: Callable[[str], None] | None = None
) -> Hold | None:
    """Have this machine's kernel run a platform's programs until the hold is released.

    Args:
        can_install: what is missing may be installed and registered.
        keep: it stays until ``let_go``, whoever holds it.
        tell: is told what is done, a line at a time.

    Returns:
        The hold; ``None`` where the emulator is not ours, so that there is nothing to let go of.

    Raises:
        InstallFailed: it can't be installed or registered here; says why.
    """
    name = PREFIX + platform.architecture
    found = binfmt.emulator(platform.architecture)
    if (found.usable and found.name != name) or not (found.usable or can_install):
        return None
    if os.getuid() != 0:
        if found.usable:
            return None  # Root's, who holds it.
        raise InstallFailed(
            f"only root can have the kernel run programs for {platform}: {found.reason}", remedy=mending(platform)
        )
    from pytest_dockerlab.engine import install

    say = tell or (lambda line: None)
    if not found.usable:
        install.ensure((PACKAGE,), tell)
        now = binfmt.emulator(platform.architecture)
        if now.usable and now.name != name:
            return None  # The package did it.
    try:
        holding = Hold(names=(name, _MOUNT), files=(_lock(name), _lock(_MOUNT)))
    except OSError as error:
        raise InstallFailed(
            f"no emulator for {platform}: who needs it can't be written down: {error}",
            remedy=f"see whether {_LOCKS} can be written",
        ) from error
    try:
        # Looked at again: it may have been taken away before we had the locks.
        if not binfmt.emulator(platform.architecture).usable:
            if not can_install:
                holding.release()
                return None
            _mount(say)
            _register(platform, name, say)
        if keep:
            runtime_dir()  # as long as it is there
            _write(name, {_kept(), *_read(name)})
    except BaseException:
        holding.release()
        raise
    return holding


def let_go(names: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """Take away what we have had stay, as far as nobody else needs it (all, if not given).

    Returns:
        What went, in words.
    """
    for name in _known() if os.getuid() == 0 else ():
        if (names is None or name in names) and (words := _read(name)):
            _write(name, {word for word in words - {_kept()} if word == _OURS or _is_kept(word)})
    return tidy(names)


def tidy(names: tuple[str, ...] | None = None, *, dry_run: bool = False) -> tuple[str, ...]:
    """Take away what nobody needs any more of these (of all, if not given).

    Args:
        dry_run: only look.

    Returns:
        What went, or would, in words.
    """
    if os.getuid() != 0 or not _LOCKS.is_dir():
        return ()
    gone = []
    # The mount last: what is registered needs it.
    for name in sorted(names if names is not None else _known(), key=lambda name: name == _MOUNT):
        with _alone(name) as alone:
            if alone and not any(map(_is_kept, _read(name))):
                gone.append(_unmount(dry_run) if name == _MOUNT else _unregister(name, dry_run))
    return tuple(filter(None, gone))


def _mount(say: Callable[[str], None]) -> None:
    if (binfmt.FOLDER / "status").exists():
        return
    done = subprocess.run(
        ["mount", "-t", "binfmt_misc", "binfmt_misc", str(binfmt.FOLDER)], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise InstallFailed(
            f"the kernel's list of emulators can't be mounted: {done.stderr.strip()}",
            remedy="on a kernel without binfmt_misc, or in a container that may not mount, nothing can be emulated",
        )
    _write(_MOUNT, {_OURS})
    say(f"mounted {binfmt.FOLDER}, until it is not needed any more")


def _register(platform: Platform, name: str, say: Callable[[str], None]) -> None:
    rule = _rule(platform)
    # magic, mask and program as the package has them. Flags: F opens the emulator now, so that containers need not
    # have it; O and C let set-uid programs get their rights (Debian 12 leaves C out); P is the program's own.
    _, _, kind, offset, magic, mask, program, flags = rule.split(":")
    flags = "OCF" + ("P" if "P" in flags else "")
    try:
        (binfmt.FOLDER / "register").write_bytes(
            f":{name}:{kind}:{offset}:{magic}:{mask}:{program}:{flags}".encode("ascii")
        )
    except OSError as error:
        if error.errno != errno.EEXIST:  # another process was quicker
            raise InstallFailed(
                f"the kernel does not take an emulator for {platform}: {error.strerror} ({program})",
                remedy="see whether this machine may change /proc/sys/fs/binfmt_misc (a container may not)",
            ) from error
    else:
        say(f"registered {program} for {platform} (flags {flags}), until it is not needed any more")


def _rule(platform: Platform) -> str:
    """The line in the package's configuration, in the kernel's own format (binfmt.d(5))."""
    path = _RULES / f"qemu-{_QEMU.get(platform.architecture, platform.machine)}.conf"
    try:
        lines = path.read_text("utf-8").splitlines()
    except OSError as error:
        raise InstallFailed(
            f"{PACKAGE} has no emulator for {platform}: {path}: {error.strerror}",
            remedy="name a platform that it has: arm64, arm/v7, s390x, ppc64le, riscv64, …",
        ) from error
    return next(line for line in lines if line.startswith(":"))


def _unregister(name: str, dry_run: bool) -> str:
    entry = binfmt.FOLDER / name
    if not entry.exists():
        return ""
    if not dry_run:
        entry.write_text("-1")  # the kernel's word for it
    return f"emulator {name}"


def _unmount(dry_run: bool) -> str:
    if _OURS not in _read(_MOUNT) or dry_run:
        return ""
    if any(path.name not in ("status", "register") for path in binfmt.FOLDER.glob("*")):
        return ""  # Somebody else's registrations would go with it.
    done = subprocess.run(["umount", str(binfmt.FOLDER)], capture_output=True, check=False)
    _write(_MOUNT, set())
    return f"mount {binfmt.FOLDER}" if done.returncode == 0 else ""


# The locks. flock(2): held by an open file, shared or alone; a file stays when nobody holds it, like all of our locks.


def _lock(name: str) -> int:
    _LOCKS.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = os.open(_LOCKS / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_SH)
    except BaseException:
        os.close(file)
        raise
    return file


@contextlib.contextmanager
def _alone(name: str) -> Iterator[bool]:
    file = os.open(_LOCKS / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(file)


def _kept() -> str:
    return f"{_KEPT}{quote(str(runtime_dir(create=False)))}"


def _is_kept(word: str) -> bool:
    # Who had it stay is gone with his run-time folder.
    return word.startswith(_KEPT) and Path(unquote(word.removeprefix(_KEPT))).is_dir()


def _known() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in _LOCKS.glob("*"))) if _LOCKS.is_dir() else ()


def _read(name: str) -> set[str]:
    try:
        return set((_LOCKS / name).read_text("ascii").split())
    except OSError:
        return set()


def _write(name: str, words: set[str]) -> None:
    (_LOCKS / name).write_text(" ".join(sorted(words)), "ascii")
