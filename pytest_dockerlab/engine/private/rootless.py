"""A rootless dockerd of our own: RootlessKit's namespaces, with our folders and our registry in them."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path

from pytest_dockerlab.engine.private.dockerd import THROWAWAY, empty, environment, find, wait_until_ready
from pytest_dockerlab.engine.private.network import Network
from pytest_dockerlab.engine.private.podman import namespaces
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.engine.processes import end, engine_processes

__all__ = ["RootlessDockerd", "missing"]

# /run and /etc of its own, with links to what was there: dockerd and its plugins write to fixed places in them.
_KIT = (
    "--net=slirp4netns", "--mtu=65520", "--disable-host-loopback", "--slirp4netns-sandbox=auto",
    "--slirp4netns-seccomp=auto", "--port-driver=builtin", "--copy-up=/etc", "--copy-up=/run", "--propagation=rslave",
)  # fmt: skip


def missing() -> str:
    """Why no rootless dockerd can be started here, or ``""``."""
    wanted = {
        "dockerd": "docker.io", "containerd": "containerd", "iptables": "iptables", "rootlesskit": "rootlesskit",
        "rootlesskit-docker-proxy": "rootlesskit", "newuidmap": "uidmap", "slirp4netns": "slirp4netns",
    }  # fmt: skip
    lacking = {f"{program} (package {package})" for program, package in wanted.items() if find(program) is None}
    if lacking:
        return f"not installed: {', '.join(sorted(lacking))}"
    return namespaces()


class RootlessDockerd:
    """One dockerd under RootlessKit over a slot, whose lock the caller holds."""

    kind = "rootless dockerd"
    network: Network | None = None  # its bridges are inside a namespace of its own
    notes: tuple[str, ...] = ()

    def __init__(self, slot: Slot) -> None:
        self.slot = slot
        self.url = f"unix://{slot.socket}"
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def prepare(self) -> None:
        """Make its folders."""
        (self.slot.run / "x").mkdir(mode=0o700, exist_ok=True)
        self._data.mkdir(parents=True, exist_ok=True)

    @property
    def _data(self) -> Path:
        return self.slot.store / "rootless"

    def start(self, mirrors: tuple[str, ...], *, registry: Path | None = None, timeout: float = 60.0) -> None:
        """Start it and wait until it answers.

        Args:
            mirrors: addresses that serve Docker Hub's images.
            registry: configuration of the registry beside it. Loopback in its namespace is not ours, so a second
                process serves the same storage at the same address in there.
            timeout: seconds.

        Raises:
            EngineStartFailed: with the last lines of its log.
        """
        run = self.slot.run
        config = run / "daemon.json"
        config.write_text(
            json.dumps(
                {
                    **THROWAWAY,
                    "hosts": [self.url],
                    "data-root": str(self._data),
                    "exec-root": str(run / "exec"),
                    "pidfile": str(run / "dockerd.pid"),
                    "userland-proxy-path": find("rootlesskit-docker-proxy"),
                    "registry-mirrors": list(mirrors),
                },
                indent=1,
            )
        )
        script = ["rm -f /run/docker /run/containerd /run/xtables.lock"]
        if registry is not None and (server := find("docker-registry")) is not None:
            script.append(
                f"{shlex.join([server, 'serve', str(registry)])} >>{shlex.quote(str(self.slot.log('registry')))} 2>&1 &"
            )
        script.append(f"exec {shlex.join([find('dockerd') or 'dockerd', f'--config-file={config}'])}")
        log = self.slot.log("dockerd")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [find("rootlesskit") or "", f"--state-dir={run / 'kit'}", *_KIT, "sh", "-c", "\n".join(script)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                env={**environment(), "XDG_RUNTIME_DIR": str(run / "x")},
            )
        wait_until_ready(self._process, self.slot.socket, log, name="rootless dockerd", timeout=timeout)

    def stop(self) -> None:
        """Remove containers, networks and volumes, then end dockerd, and with it its namespaces."""
        if self._process is None:
            return
        if self._process.poll() is None:
            empty(str(self.slot.socket))
            inner = [pid for pid in engine_processes(self.slot.run) if _name(pid) == "dockerd"]
            end(inner, grace=10.0)
            end([self._process.pid], grace=2.0)
        self._process.wait()
        self._process = None


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""
