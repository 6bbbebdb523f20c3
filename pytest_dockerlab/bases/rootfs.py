"""A minimal tree of the host's distribution, made by mmdebstrap or debootstrap, as a tar stream."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_dockerlab.bases.apt import render_sources
from pytest_dockerlab.bases.blobs import Entry, tar_of
from pytest_dockerlab.bases.host import Host
from pytest_dockerlab.engine import binfmt, emulation
from pytest_dockerlab.errors import BaseImageMissing
from pytest_dockerlab.platforms import Platform

__all__ = ["Tree", "commands", "debian_architecture", "obstacle"]

# dpkg's and Debian's names of architectures, where they differ from Go's.
_DEBIAN_NAMES = {"386": "i386", "arm": "armhf", "ppc64le": "ppc64el"}
# What slim images leave out; a Python that apt owns is for pip to use in an image (PEP 668).
_EXCLUDED = (
    "path-exclude=/usr/share/doc/*",
    "path-include=/usr/share/doc/*/copyright",
    "path-exclude=/usr/share/man/*",
    "path-exclude=/usr/share/info/*",
    "path-exclude=/usr/share/locale/*",
    "path-exclude=/usr/share/groff/*",
    "path-exclude=/usr/share/lintian/*",
    "path-exclude=/usr/lib/python3*/EXTERNALLY-MANAGED",
)
# As in the distribution's own images: what is downloaded is not kept, indexes are kept small.
_EARLY_APT = 'Acquire::Languages "none";\n'
_APT = """\
APT::Install-Suggests "false";
Apt::AutoRemove::SuggestsImportant "false";
Acquire::GzipIndexes "true";
APT::Keep-Downloaded-Packages "false";
Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
"""
# The version of the Python that apt would install: python3's number may lag behind its interpreter's.
_PYTHON = (
    "o='-o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=';"
    " p=$(apt-cache $o depends python3 | sed -n 's/^ *Depends: \\(python3\\.[0-9]*\\)$/\\1/p' | head -n 1);"
    " apt-cache $o policy \"$p\" | sed -n 's/^ *Candidate: \\([0-9]*:\\)\\?\\([0-9.]*\\).*/\\2/p'"
)
# Debian's init-system-helpers wants usrmerge, and all of Perl with it, unless the tree is merged from the start.
_MERGED_USR = "/usr/share/mmdebstrap/hooks/maybe-merged-usr"
_NOTE = "standin-python-version"
_REMEDY = "apt-get install mmdebstrap (and, without root, uidmap), or let dockerlab up --install do it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """How a tree is made.

    Attributes:
        host: whose distribution, sources and certificates.
        platform: for which.
        folder: for files on the way; empty, ours, and readable by others.
    """

    host: Host
    platform: Platform
    folder: Path

    @contextmanager
    def stream(self) -> Iterator[IO[bytes]]:
        """The tree as a tar; read it to its end.

        Raises:
            BaseImageMissing: the program that makes it is missing or failed.
        """
        if reason := obstacle(self.platform):
            raise BaseImageMissing(reason, remedy=_REMEDY)
        self._write_inputs()
        environ = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
        if os.getuid() == 0:
            environ["TMPDIR"] = str(self.folder)
        said: list[str] = []
        with subprocess.Popen(
            commands(self), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environ
        ) as running:
            assert running.stdout is not None
            assert running.stderr is not None
            reader = threading.Thread(target=_collect, args=(running.stderr, said.append), daemon=True)
            reader.start()
            try:
                yield running.stdout
                running.wait()
            finally:
                if running.poll() is None:
                    running.terminate()  # mmdebstrap removes its tree then
                running.wait()
                reader.join()
        if running.returncode:
            errors = [row for row in said if row.startswith(("E:", "W:"))] or said
            raise BaseImageMissing(
                f"no tree of {self.host.pretty} could be made: {'; '.join(errors[-4:])}",
                remedy=f"see why: {shlex.join(commands(self)[:6])} …",
            )

    @property
    def python(self) -> str:
        """The version of Python that apt installs in the tree, once the stream was read; ``""`` if unknown."""
        note = self.folder / _NOTE
        return note.read_text(encoding="ascii").strip() if note.is_file() else ""

    def _write_inputs(self) -> None:
        authorities = [(path, content) for path, content in self.host.overlay if path.endswith(".crt")]
        early = [Entry(path=path, content=content, mode=0o644) for path, content in authorities]
        settings = dict(self.host.overlay)["etc/apt/apt.conf.d/90host"]
        early.append(Entry(path="etc/apt/apt.conf.d/90host", content=settings, mode=0o644))
        early.append(Entry(path="etc/apt/apt.conf.d/91image", content=_EARLY_APT.encode(), mode=0o644))
        sources = [(path, content) for path, content in self.host.overlay if "sources.list.d" in path]
        late = [Entry(path=path, content=content, mode=0o644) for path, content in sources]
        # Only once the tree stands: the tools that make it need what they downloaded.
        late.append(Entry(path="etc/apt/apt.conf.d/92image", content=_APT.encode(), mode=0o644))
        # An image that a power cut spoiled is made anew: no need to wait for the disk after each file.
        options = "".join(f"{row}\n" for row in ("force-unsafe-io", *_EXCLUDED)).encode()
        late.append(Entry(path="etc/dpkg/dpkg.cfg.d/92image", content=options, mode=0o644))
        (self.folder / "early.tar").write_bytes(tar_of(early))
        (self.folder / "late.tar").write_bytes(tar_of(late))
        (self.folder / "host.sources").write_text(render_sources(self.host.sources), encoding="utf-8")


def obstacle(platform: Platform) -> str:
    """Why no tree can be made here for ``platform``, ``""`` if it can."""
    if not shutil.which("mmdebstrap") and not (os.getuid() == 0 and shutil.which("debootstrap")):
        return "neither mmdebstrap nor (as root) debootstrap is installed"
    if os.getuid() != 0 and (reason := _without_root()):
        return f"without root, mmdebstrap needs ids of this user's own for a tree: {reason}"
    if platform.machine != Platform.of_host().machine and not _emulated(platform):
        return (
            f"this machine can't run programs for {platform}: packages of that platform can't be set up"
            f" ({emulation.mending(platform)})"
        )
    return ""


def _without_root() -> str:
    """What mmdebstrap has no way round as a user (mmdebstrap(1): modes unshare and fakechroot), ``""`` if nothing."""
    if shutil.which("fakechroot") and shutil.which("fakeroot"):
        return ""
    if not shutil.which("newuidmap"):
        return "newuidmap is not installed (package uidmap)"
    from pytest_dockerlab.engine.private.podman import ids

    return ids()


def _emulated(platform: Platform) -> bool:
    return binfmt.emulator(platform.architecture).usable


def debian_architecture(platform: Platform) -> str:
    """dpkg's name of it."""
    return _DEBIAN_NAMES.get(platform.architecture, platform.architecture)


def commands(tree: Tree) -> list[str]:
    """The command that writes the tree to its standard output."""
    return _mmdebstrap(tree) if shutil.which("mmdebstrap") else _debootstrap(tree)


def _included(host: Host) -> list[str]:
    return ["ca-certificates"] if any(source.tls for source in host.sources) else []


def _mmdebstrap(tree: Tree) -> list[str]:
    architecture = debian_architecture(tree.platform)
    folder = tree.folder
    include = _included(tree.host)
    return [
        "mmdebstrap",
        "--variant=minbase",
        "--format=tar",
        f"--architectures={architecture}",
        "--skip=output/dev",
        # It would look for other names of emulators than may be there, and for a program of its own.
        "--skip=check/qemu",
        *(f"--include={name}" for name in include),
        *([f"--hook-dir={_MERGED_USR}"] if Path(_MERGED_USR).is_dir() else []),
        # As dpkg options they would be filtered package by package, which takes longer than all the rest.
        f"--customize-hook=root=$1; {_sweep()}",
        f"--setup-hook=tar-in {shlex.quote(str(folder / 'early.tar'))} /",
        f'--customize-hook=chroot "$1" sh -c {shlex.quote(_PYTHON)} > "$1/{_NOTE}"',
        f"--customize-hook=download /{_NOTE} {shlex.quote(str(folder / _NOTE))}",
        f'--customize-hook=rm -f "$1/{_NOTE}" "$1"/etc/apt/sources.list "$1"/etc/apt/sources.list.d/*',
        f"--customize-hook=tar-in {shlex.quote(str(folder / 'late.tar'))} /",
        '--customize-hook=cd "$1" && rm -rf var/log/*.log var/cache/debconf/*-old var/lib/dpkg/*-old',
        # The engine writes the last two; this machine's are nobody's business.
        '--customize-hook=cd "$1" && rm -f var/cache/apt/*.bin etc/hostname etc/resolv.conf',
        tree.host.suite,
        "-",
        str(folder / "host.sources"),
    ]


def _debootstrap(tree: Tree) -> list[str]:
    """As above with the older tool: it takes one source, so the others come with an upgrade in the tree."""
    architecture = debian_architecture(tree.platform)
    source = next(source for source in tree.host.sources if tree.host.suite in source.suites)
    root, folder = shlex.quote(str(tree.folder / "tree")), shlex.quote(str(tree.folder))
    keyring = f"--keyring={shlex.quote(source.signed_by)}" if source.signed_by else ""
    include = f"--include={','.join(_included(tree.host))}" if _included(tree.host) else ""
    components = ",".join(source.components)
    script = f"""set -e
        exec 3>&1 >&2
        debootstrap --variant=minbase --arch={architecture} --components={components} {keyring} {include} \\
            {shlex.quote(tree.host.suite)} {root} {shlex.quote(source.uris[0])}
        root={root}; {_sweep()}
        rm -f {root}/etc/apt/sources.list
        tar -x -C {root} -f {folder}/early.tar && tar -x -C {root} -f {folder}/late.tar
        cp /etc/resolv.conf {root}/etc/resolv.conf
        chroot {root} apt-get update -q
        chroot {root} apt-get -y -q -o DPkg::Lock::Timeout=60 dist-upgrade
        chroot {root} sh -c {shlex.quote(_PYTHON)} > {folder}/{_NOTE}
        rm -rf {root}/etc/resolv.conf {root}/var/lib/apt/lists/* {root}/var/cache/apt/* {root}/var/log/*.log
        mkdir -p {root}/var/lib/apt/lists/partial {root}/var/cache/apt/archives/partial
        tar -c -C {root} --one-file-system --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' . >&3
        rm -rf --one-file-system {root}"""
    return ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", script]


def _sweep() -> str:
    """Shell text that removes what dpkg's options keep out from then on; ``$root`` is the tree."""
    folders = [row.partition("=")[2] for row in _EXCLUDED if row.startswith("path-exclude=/usr/share/")]
    places = " ".join(f'"$root"{folder.removesuffix("/*")}' for folder in folders)
    return (
        f"find {places} ! -type d ! -name copyright -delete 2>/dev/null || true;"
        f" find {places} -mindepth 1 -type d -empty -delete 2>/dev/null || true"
    )


def _collect(stream: IO[bytes], keep: Callable[[str], None]) -> None:
    for line in stream:
        keep(line.decode(errors="replace").rstrip())
