"""A podman service of our own, for who is not root: own storage, own configuration, no daemon that outlives it."""

from __future__ import annotations

import json
import os
import pwd
import resource
import subprocess
from pathlib import Path

from pytest_dockerlab.engine.private.dockerd import empty, environment, find, wait_until_ready
from pytest_dockerlab.engine.private.network import Network
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.engine.processes import end

__all__ = ["Podman", "missing", "namespaces"]


def missing() -> str:
    """Why no rootless podman service can be started here, or ``""``."""
    wanted = {"podman": "podman", "newuidmap": "uidmap", "slirp4netns": "slirp4netns"}
    if find("pasta"):
        del wanted["slirp4netns"]
    lacking = [f"{program} (package {package})" for program, package in wanted.items() if find(program) is None]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    return namespaces()


def namespaces() -> str:
    """What keeps this user from a network and from ids of containers (subuid(5)), or ``""``."""
    # slirp4netns gives containers their network through it; distributions open it to all.
    if Path("/dev/net/tun").exists() and not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "this user may not open /dev/net/tun (sudo chmod 666 /dev/net/tun)"
    return ids()


def ids() -> str:
    """Why this user has no ids to give away in a namespace of his own (subuid(5)), ``""`` if he has."""
    try:
        names = (pwd.getpwuid(os.getuid()).pw_name, str(os.getuid()))
    except KeyError:
        return f"user {os.getuid()} has no entry in /etc/passwd"
    for path in ("/etc/subuid", "/etc/subgid"):
        try:
            lines = Path(path).read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        if not any(line.partition(":")[0] in names for line in lines):
            return (
                f"{path} gives {names[0]} no ids for containers "
                f"(sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 {names[0]})"
            )
    return ""


class Podman:
    """One ``podman system service`` over a slot, whose lock the caller holds."""

    kind = "podman"
    network: Network | None = None  # its networks are inside a namespace of its own
    notes: tuple[str, ...] = ()

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.url = f"unix://{slot.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def _data(self) -> Path:
        return self.slot.store / "podman"

    @property
    def _runtime(self) -> Path:
        # Podman keeps the process that holds its user namespace by this folder, so a folder of our own keeps us apart.
        return self.slot.run / "x"

    def _environment(self) -> dict[str, str]:
        ours = {
            "XDG_RUNTIME_DIR": str(self._runtime),
            "CONTAINERS_CONF": str(self.slot.run / "containers.conf"),
            "CONTAINERS_STORAGE_CONF": str(self.slot.run / "storage.conf"),
            "CONTAINERS_REGISTRIES_CONF": str(self.slot.run / "registries.conf"),
        }
        return {**environment(), **ours}

    def prepare(self) -> None:
        """Write what does not depend on the registry."""
        self._runtime.mkdir(mode=0o700, exist_ok=True)
        self._data.mkdir(parents=True, exist_ok=True)
        (self.slot.run / "containers.conf").write_text(_containers_conf())
        (self.slot.run / "storage.conf").write_text(
            "[storage]\n"
            f"driver = {json.dumps(self._driver())}\n"
            f"graphroot = {json.dumps(str(self._data))}\n"
            f"rootless_storage_path = {json.dumps(str(self._data))}\n"
            f"runroot = {json.dumps(str(self.slot.run / 'runroot'))}\n"
        )

    def _driver(self) -> str:
        # What a storage was begun with it stays with.
        if (self._data / "vfs").exists():
            return "vfs"
        return "overlay"

    def start(self, mirrors: tuple[str, ...], *, registry: Path | None = None, timeout: float = 60.0) -> None:
        """Start it and wait until it answers.

        Args:
            mirrors: addresses that serve Docker Hub's images.
            registry: not needed here: the service itself is in our network.
            timeout: seconds.

        Raises:
            EngineStartFailed: with the last lines of its log.
        """
        (self.slot.run / "registries.conf").write_text(_registries_conf(mirrors))
        program = find("podman") or "podman"
        log = self.slot.log("podman")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [program, "system", "service", "--time=0", self.url],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=self._environment(), cwd="/",
                start_new_session=True,
            )  # fmt: skip
        wait_until_ready(self._process, self.slot.socket, log, name="podman system service", timeout=timeout)

    def stop(self) -> None:
        """Remove containers, networks and volumes, then end the service and what holds its namespace."""
        if self._process is None:
            return
        if self._process.poll() is None:
            empty(str(self.slot.socket))
            end([self._process.pid], grace=5.0)
        self._process.wait()
        self._process = None


def _containers_conf() -> str:
    """Podman's defaults, but for what it could not do here as this user."""
    limits = []
    for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        # Podman asks for 1048576 and fails where it may not raise the hard limit.
        _, hard = resource.getrlimit(number)
        ceiling = _number(Path("/proc/sys/kernel/pid_max")) if name == "nproc" else 0
        if ceiling and (hard == resource.RLIM_INFINITY or hard > ceiling):
            hard = ceiling  # its builds lower the hard limit to this one first
        if hard != resource.RLIM_INFINITY:
            limits.append(f"{name}={hard}:{hard}")
    version2 = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    bus = os.environ.get("DBUS_SESSION_BUS_ADDRESS", "")
    lines = ["[containers]", f"default_ulimits = {json.dumps(limits)}", 'log_driver = "k8s-file"', "[engine]"]
    # Limits need a cgroup that was handed to this user, which systemd does in a session.
    session = version2 and bus and Path("/run/systemd/system").exists()
    lines.append('cgroup_manager = "systemd"' if session else 'cgroup_manager = "cgroupfs"')
    lines.append('events_logger = "file"')
    # crun refuses hybrid hierarchies ("cgroups in hybrid mode not supported").
    if find("crun") is None or (not version2 and find("runc")):
        lines.append('runtime = "runc"')
    return "\n".join([*lines, ""])


def _number(path: Path) -> int:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return 0


def _registries_conf(mirrors: tuple[str, ...]) -> str:
    lines = ['unqualified-search-registries = ["docker.io"]', 'short-name-mode = "disabled"']
    # As dockerd does: what is on loopback need not have a certificate (containers-registries.conf(5)).
    for host in ("127.0.0.1", "localhost"):
        lines += ["[[registry]]", f'prefix = "{host}"', f'location = "{host}"', "insecure = true"]
    if mirrors:
        lines += ["[[registry]]", 'prefix = "docker.io"', 'location = "docker.io"']
    for mirror in mirrors:
        scheme, _, host = mirror.rpartition("://")
        lines += ["[[registry.mirror]]", f"location = {json.dumps(host.rstrip('/'))}"]
        lines += ["insecure = true"] if scheme == "http" else []
    return "\n".join([*lines, ""])
