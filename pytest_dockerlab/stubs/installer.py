"""A stand-in for the Anaconda installer: the same options, Python and JupyterLab from where this machine gets them.

The original (``constructor``'s shell installers, conda.github.io/constructor) is a script with a packed distribution
behind its last line; the stand-in has a padding there, so that it weighs something in a layer.
"""

from __future__ import annotations

import hashlib
import http.client
import random
import urllib.request
from dataclasses import dataclass
from importlib import resources

from pytest_dockerlab.errors import UsageError

__all__ = ["TUTORIAL_URL", "Installer", "size_at"]

TUTORIAL_URL = "https://repo.continuum.io/archive/Anaconda3-2021.05-Linux-x86_64.sh"

_LAST_LINE = "@END_OF_SCRIPT@\n"
# Not among the ports that a kernel hands out by itself (ip(7), ip_local_port_range).
_PORTS = range(20000, 30000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Installer:
    """One stand-in; the same values give the same bytes.

    Attributes:
        machine: what ``uname -m`` has to print where it is run.
        packages: what pip installs into the prefix.
        pip_conf: the prefix's ``pip.conf``, for a package index that is not the default one.
        padding: bytes after the script that can't be compressed.
    """

    product: str = "Anaconda3"
    version: str = "2021.05"
    machine: str = "x86_64"
    packages: tuple[str, ...] = ("jupyterlab",)
    pip_conf: str = ""
    padding: int = 16 << 20

    @classmethod
    def here(cls, *, machine: str = "x86_64") -> Installer:
        """One that reaches the package index as this machine does."""
        from pytest_dockerlab.bases.host import read_host

        return cls(machine=machine, pip_conf=read_host().pip)

    @property
    def name(self) -> str:
        """Its file name, as the original's."""
        return f"{self.product}-{self.version}-Linux-{self.machine}.sh"

    @property
    def script(self) -> str:
        """What a shell reads of it.

        Raises:
            UsageError: a value that would end the script's quoting.
        """
        if "\nEND\n" in f"\n{self.pip_conf}\n":
            raise UsageError(f"pip_conf has a line END: {self.pip_conf!r}", remedy="leave that line out")
        text = (resources.files("pytest_dockerlab.stubs") / "installer.sh").read_text(encoding="utf-8")
        for name, value in (
            ("NAME", self.name),
            ("PRODUCT", self.product),
            ("VERSION", self.version),
            ("MACHINE", self.machine),
            ("PACKAGES", " ".join(self.packages)),
            ("PIP_CONF", self.pip_conf.rstrip("\n")),
        ):
            text = text.replace(f"@{name}@", value)
        return text.removesuffix(_LAST_LINE)

    @property
    def mark(self) -> bytes:
        """Bytes in its beginning, as in the original's, and in no other file."""
        return f"# NAME:  {self.product}\n# VER:   {self.version}\n".encode()

    @property
    def content(self) -> bytes:
        """The whole file."""
        return self.script.encode() + _LAST_LINE.encode() + random.Random(self.version).randbytes(self.padding)

    @property
    def digest(self) -> str:
        """Changes when the content does."""
        return hashlib.sha256(f"{self.script}\0{self.padding}".encode()).hexdigest()

    @property
    def path(self) -> str:
        """Where a site serves it: another content has another address, and is not taken for it by a build's cache."""
        return f"/archive/{self.digest[:12]}/{self.name}"

    @property
    def port(self) -> int:
        """The port to serve it on, if that is free: with the same address each time, a build finds its cache warm."""
        return _PORTS[int(self.digest[:8], 16) % len(_PORTS)]


def size_at(url: str, *, timeout: float = 2.5) -> int:
    """Bytes of the file that a host has there (asked for, and not fetched); 0 if it does not answer with one.

    Args:
        timeout: seconds for each step of the way (look-up and connection, answer).
    """
    request = urllib.request.Request(url, method="HEAD")
    try:
        with urllib.request.urlopen(request, timeout=timeout) as response:
            return int(response.headers.get("Content-Length") or 0) if response.status == 200 else 0
    except (OSError, ValueError, http.client.HTTPException):
        return 0  # An HTTP error (403 of something in between) is an OSError, too.
