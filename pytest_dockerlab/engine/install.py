"""Install the distribution's own packages where an engine is missing and its user said that we may."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_dockerlab.errors import InstallFailed
from pytest_dockerlab.places import runtime_dir

__all__ = ["ENGINE", "ROOTLESS", "ensure", "lacking", "packages"]

# An engine with its network tools, a registry, and what stand-in base images are made with.
ENGINE = ("docker.io", "iptables", "iproute2", "docker-registry", "mmdebstrap", "busybox-static")
ROOTLESS = ("podman", "uidmap", "slirp4netns", "fuse-overlayfs", "docker-registry", "mmdebstrap", "busybox-static")

# Where there is no apt, by the program that is there instead.
_BY_HAND = {
    "dnf": "sudo dnf install moby-engine iptables iproute (or podman, for use without root)",
    "apk": "sudo apk add docker iptables iproute2",
    "pacman": "sudo pacman -S docker iptables iproute2",
    "zypper": "sudo zypper install docker iptables iproute2",
    "brew": "brew install colima docker && colima start (or start Docker Desktop)",
}

_POLICY = Path("/usr/sbin/policy-rc.d")
_POLICY_TEXT = "#!/bin/sh\n# dockerlab: for the length of an installation, no service is started.\nexit 101\n"


def packages() -> tuple[str, ...]:
    """What this user needs: root gets dockerd, others podman."""
    return ENGINE if os.getuid() == 0 else ROOTLESS


def lacking(wanted: Sequence[str]) -> tuple[str, ...]:
    """Those of ``wanted`` that dpkg does not know as installed."""
    done = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Package} ${db:Status-Status}\n", *wanted],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    there = {line.split()[0] for line in done.stdout.splitlines() if line.endswith(" installed")}
    return tuple(name for name in wanted if name not in there)


def ensure(wanted: Sequence[str] | None = None, on_progress: Callable[[str], None] | None = None) -> tuple[str, ...]:
    """Install what is missing, start no service, and leave nothing else changed.

    Args:
        wanted: names of packages; ``packages()`` if not given.
        on_progress: is told what happens, a line at a time.

    Returns:
        What was installed; empty if all was there.

    Raises:
        InstallFailed: there is no apt, no right to use it, or it failed.
    """
    tell = on_progress or (lambda line: None)
    names = tuple(wanted if wanted is not None else packages())
    if shutil.which("apt-get") is None or shutil.which("dpkg-query") is None:
        by_hand = next((command for tool, command in _BY_HAND.items() if shutil.which(tool)), "")
        raise InstallFailed(
            f"can't install {', '.join(names)}: there is no apt-get here",
            remedy=f"install an engine by hand: {by_hand}" if by_hand else "install Docker or Podman by hand",
        )
    if not lacking(names):
        return ()
    lead = _lead(names)
    try:
        with FileLock(runtime_dir() / "install.lock", timeout=600):
            missing = lacking(names)  # another run may have done it while we waited
            if missing:
                _install(lead, missing, tell)
    except Timeout as error:
        raise InstallFailed(
            f"another installation has been going on for ten minutes ({runtime_dir() / 'install.lock'} is held)",
            remedy="look at it with: ps aux | grep apt",
        ) from error
    return missing


def _lead(names: Sequence[str]) -> list[str]:
    """What has to stand before apt-get. Raises: InstallFailed, where this user may not install."""
    if os.getuid() == 0:
        return []
    if (
        shutil.which("sudo")
        and subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False).returncode == 0
    ):
        return ["sudo", "-n"]
    raise InstallFailed(
        f"can't install {', '.join(names)}: this user is not root, and sudo asks for a password",
        remedy=f"ask an administrator to run: apt-get install --no-install-recommends {' '.join(names)}",
    )


def _install(lead: list[str], missing: Sequence[str], tell: Callable[[str], None]) -> None:
    tell(f"installing {', '.join(missing)} with apt-get")
    with _no_services(lead):
        if _apt(lead, ["install", *missing], tell)[0]:
            # No lists, or old ones: a machine that is new has none.
            tell("apt-get update")
            _apt(lead, ["update"], tell)
            status, output = _apt(lead, ["install", *missing], tell)
            if status:
                errors = [line for line in output if line.startswith(("E:", "W:", "dpkg:"))] or output[-5:]
                raise InstallFailed(
                    f"apt-get could not install {', '.join(missing)}: {'; '.join(errors[-4:])}",
                    remedy=f"see what it says: apt-get install --no-install-recommends {' '.join(missing)}",
                )
    tell(f"installed {', '.join(missing)}; no service was started")


def _apt(lead: list[str], words: list[str], tell: Callable[[str], None]) -> tuple[int, list[str]]:
    # Another apt (unattended upgrades) is waited for: a lock that is held is no failure.
    command = [*lead, "env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"]
    command += ["-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=120", "-o", "Dpkg::Use-Pty=0", *words]
    output: list[str] = []
    with subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            output.append(line.rstrip())
            if line.startswith(("Setting up", "Need to get")):
                tell(line.strip())
    return running.returncode, output


@contextmanager
def _no_services(lead: list[str]) -> Iterator[None]:
    """Have services of new packages not started, by the way Debian has for it (invoke-rc.d(8), policy-rc.d).

    A policy that is there is the administrator's and stays as it is, unless it is ours, left by a killed run.
    """
    if _POLICY.exists() and _POLICY.read_text(errors="replace") != _POLICY_TEXT:
        yield
        return
    write = shlex.join(["printf", "%s", _POLICY_TEXT]) + f" > {_POLICY} && chmod 755 {_POLICY}"
    subprocess.run([*lead, "sh", "-c", write], check=False, capture_output=True)
    try:
        yield
    finally:
        subprocess.run([*lead, "rm", "-f", str(_POLICY)], check=False, capture_output=True)
