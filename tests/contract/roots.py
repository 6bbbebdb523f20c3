"""Root file systems with an engine in them, made once from a suite's packages and kept in the cache."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from filelock import FileLock

from pytest_dockerlab.bases.apt import render_options, render_sources
from pytest_dockerlab.bases.host import Host, read_host
from pytest_dockerlab.engine import install
from pytest_dockerlab.errors import InstallFailed, LabError
from pytest_dockerlab.places import cache_dir
from tests.contract.engines import Edition

__all__ = ["USER", "Unavailable", "obstacle", "root_of"]

#: The user in each of them, by number.
USER = 1000


class Unavailable(Exception):
    """This machine can't have that engine; the message says why."""


def obstacle(host: Host) -> str:
    """Why no engine of another suite can be had here, ``""`` if one can."""
    if os.getuid() != 0:
        return "needs root: a chroot with an engine in it"
    if host.distribution != "debian":
        return f"the engines come from Debian's suites, and this is {host.pretty}"
    return host.obstacle


def root_of(edition: Edition, say: Callable[[str], None]) -> Path:
    """The folder of the root file system for an edition; two editions of one suite and program share it.

    Raises:
        Unavailable: it can't be made here.
    """
    host = read_host()
    if reason := obstacle(host):
        raise Unavailable(reason)
    try:
        install.ensure(("mmdebstrap",), say)
    except (InstallFailed, LabError) as error:
        raise Unavailable(str(error)) from error
    sources = _sources(host, edition.suite)
    key = hashlib.sha256(repr((sources, edition.packages, host.digest)).encode()).hexdigest()[:12]
    folder = cache_dir() / "contract"
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / f"{edition.suite}-{edition.program}-{key}"
    with FileLock(folder / f"{root.name}.lock"):
        if not root.is_dir():
            say(f"making a root file system with {edition.program} of Debian {edition.suite}")
            _make(edition, host, sources, root)
    return root


def _sources(host: Host, suite: str) -> str:
    """The host's own sources of packages, for another suite; without updates, which not every suite has."""
    main = next(source for source in host.sources if host.suite in source.suites)
    return render_sources([replace(main, suites=(suite,))])


def _make(edition: Edition, host: Host, sources: str, root: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="dockerlab-contract-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # apt's own user reads the sources
        (folder / "list.sources").write_text(sources)
        (folder / "apt.conf").write_text(render_options(host.apt_options) + 'Acquire::Check-Valid-Until "false";\n')
        draft = root.with_suffix(".new")
        shutil.rmtree(draft, ignore_errors=True)
        command = [
            "mmdebstrap",
            "--variant=minbase",
            f"--aptopt={folder / 'apt.conf'}",
            # What an engine recommends is a man page or a package that starts it at boot.
            '--aptopt=APT::Install-Recommends "false"',
            f"--include={','.join(edition.packages)}",
            # Who runs rootless engines, with ids for containers.
            f'--customize-hook=chroot "$1" useradd --create-home --uid {USER} lab; chmod 711 "$1/root"',
            edition.suite,
            str(draft),
            str(folder / "list.sources"),
        ]
        done = subprocess.run(
            command, env={**os.environ, "LC_ALL": "C", "TMPDIR": name}, capture_output=True, text=True, check=False
        )
        if done.returncode:
            shutil.rmtree(draft, ignore_errors=True)
            errors = [line for line in done.stderr.splitlines() if line.startswith("E:")] or done.stderr.splitlines()
            raise Unavailable(f"no root file system of {edition.suite}: {'; '.join(errors[-3:])}")
        draft.rename(root)
