"""Platforms as images and engines name them: ``linux/amd64``, ``linux/arm64/v8``."""

from __future__ import annotations

import platform as _host
import re
from dataclasses import dataclass

from pytest_dockerlab.errors import UsageError

__all__ = ["Platform", "patience", "runs_on", "same"]

# What kernels, distributions and people call an architecture, to Go's name for it
# (containerd's platforms package normalises the same way).
_ARCHITECTURES = {
    "x86_64": "amd64",
    "x86-64": "amd64",
    "aarch64": "arm64",
    "armhf": "arm",
    "armv7l": "arm",
    "i386": "386",
    "i686": "386",
}
# What is taken for an architecture where it stands first: containerd reads "arm/v7" so.
_ALONE = {*_ARCHITECTURES, *_ARCHITECTURES.values(), "riscv64", "s390x", "ppc64le", "loong64"}
_EMULATED = 5.0
# containerd's own rule for each part.
_PART = re.compile(r"[a-z0-9_.-]+", re.ASCII)
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64", "arm": "armv7l", "386": "i686"}


@dataclass(frozen=True, slots=True)
class Platform:
    """Operating system, architecture and variant of an image or an engine."""

    os: str = "linux"
    architecture: str = "amd64"
    variant: str = ""

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read ``os/arch[/variant]``, or an architecture without its system.

        Raises:
            UsageError: another form.
        """
        parts = text.strip().lower().split("/")
        if len(parts) == 1 or (len(parts) == 2 and parts[0] in _ALONE):
            parts = ["linux", *parts]
        if len(parts) > 3 or not all(map(_PART.fullmatch, parts)):
            raise UsageError(f"not a platform: {text[:80]!r}", remedy='write it as "linux/amd64" or "linux/arm64"')
        architecture = _ARCHITECTURES.get(parts[1], parts[1])
        variant = parts[2] if len(parts) == 3 else ("v7" if parts[1] in ("armhf", "armv7l") else "")
        if architecture == "arm64" and variant == "v8":
            variant = ""  # v8 is arm64's default and says nothing more.
        return cls(parts[0], architecture, variant)

    @classmethod
    def of_host(cls) -> Platform:
        """The platform of the machine that runs this process (an engine may be elsewhere)."""
        return cls.parse(f"linux/{_host.machine()}")

    @property
    def machine(self) -> str:
        """What ``uname -m`` prints there: ``x86_64``, ``aarch64``."""
        return _MACHINES.get(self.architecture, self.architecture)

    def __str__(self) -> str:
        return "/".join(part for part in (self.os, self.architecture, self.variant) if part)


def same(platform: Platform, other: Platform) -> bool:
    """Whether what is made for one runs on the other, too; a variant that is not told may be any."""
    alike = (platform.os, platform.architecture) == (other.os, other.architecture)
    return alike and (platform.variant == other.variant or not (platform.variant and other.variant))


def runs_on(platform: Platform, engine: Platform) -> bool:
    """Whether an engine's own processor runs what is made for a platform: arm's lower variants as well as its own."""
    older = platform.architecture == engine.architecture == "arm" and platform.variant < engine.variant
    return same(platform, engine) or (platform.os == engine.os and older)


def patience(platform: Platform, engine: Platform) -> float:
    """How many times as long what an engine runs is waited for: an emulator is slow, which is no fault."""
    return 1.0 if runs_on(platform, engine) else _EMULATED
