"""What a stand-in takes from this machine: its distribution, package sources, certificates and proxies."""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_dockerlab.bases import apt, trust
from pytest_dockerlab.bases.addresses import proxies
from pytest_dockerlab.bases.pipconfig import pip_files, read_pip, render_pip

__all__ = ["Host", "read_host"]

_SUPPORTED = ("debian", "ubuntu")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The facts that decide a stand-in's content, apart from its recipe.

    Attributes:
        distribution: ``ID`` of os-release(5).
        suite: ``VERSION_CODENAME``.
        version: ``VERSION_ID``.
        pretty: ``PRETTY_NAME``.
        sources: the distribution's own package sources.
        apt_options: settings of apt that an image needs.
        authorities: file name → PEM of certificates that the distribution doesn't bring.
        pip: content of ``/etc/pip.conf``.
    """

    distribution: str = ""
    suite: str = ""
    version: str = ""
    pretty: str = ""
    sources: tuple[apt.Source, ...] = ()
    apt_options: tuple[tuple[str, str], ...] = ()
    authorities: tuple[tuple[str, str], ...] = ()
    pip: str = ""

    @property
    def obstacle(self) -> str:
        """Why no tree of this host's distribution can be made, ``""`` if it can."""
        if self.distribution not in _SUPPORTED or not self.suite:
            name = self.pretty or self.distribution or platform.system()
            return f"stand-ins are made from the host's own packages on Debian and Ubuntu, and this is {name}"
        if not self.sources:
            return f"apt on this host has no http source of {self.distribution}'s own {self.suite} main"
        return ""

    @property
    def overlay(self) -> tuple[tuple[str, bytes], ...]:
        """Path → content of the files that each tree made here gets."""
        files = [(f"usr/local/share/ca-certificates/{name}", pem.encode()) for name, pem in self.authorities]
        files.append((f"etc/apt/sources.list.d/{self.distribution}.sources", apt.render_sources(self.sources).encode()))
        files.append(("etc/apt/apt.conf.d/90host", apt.render_options(self.apt_options).encode()))
        return tuple(files)

    @property
    def digest(self) -> str:
        """Changes when a tree made here would."""
        parts = [self.distribution, self.suite, *(f"{name}\0{content!r}" for name, content in self.overlay)]
        return hashlib.sha256("\1".join(parts).encode()).hexdigest()


def read_host(environ: Mapping[str, str] = os.environ, root: Path = Path("/")) -> Host:
    """Read this machine's configuration; takes some 20 ms, most of it ``apt-config``."""
    release = _os_release(root)
    suite = release.get("VERSION_CODENAME", "")
    return Host(
        distribution=release.get("ID", ""),
        suite=suite,
        version=release.get("VERSION_ID", ""),
        pretty=release.get("PRETTY_NAME", ""),
        sources=apt.read_sources(suite, root / "etc/apt") if suite else (),
        apt_options=apt.apt_options(apt.dump(), proxies(environ)),
        authorities=trust.local_authorities(trust.bundles(environ)),
        pip=render_pip(read_pip(pip_files(environ), environ)),
    )


def _os_release(root: Path) -> dict[str, str]:
    for name in ("etc/os-release", "usr/lib/os-release"):
        path = root / name
        if path.is_file():
            rows = (row.partition("=") for row in path.read_text(encoding="utf-8").splitlines() if "=" in row)
            return {key: value.strip("\"'") for key, _, value in rows}
    return {}
