"""A dockerd of our own, as root: nothing of it touches an engine that is there already."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from pytest_dockerlab.engine.ping import ask
from pytest_dockerlab.engine.private import network
from pytest_dockerlab.engine.private.dns import Forwarder
from pytest_dockerlab.engine.private.network import Network
from pytest_dockerlab.engine.private.orphans import remove_orphans
from pytest_dockerlab.engine.private.proxy import Proxy
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.engine.private.tuning import Tuning, tune
from pytest_dockerlab.engine.processes import end
from pytest_dockerlab.errors import EngineStartFailed

__all__ = ["THROWAWAY", "Dockerd", "empty", "environment", "missing", "wait_until_ready"]

# Bounds what is thrown away anyway; no container can tell the difference. A log is whole up to 128 MB of JSON (20 MB of
# output in lines of 20 characters); of a longer one the last 64 MB stay.
THROWAWAY: Mapping[str, object] = {
    "log-driver": "json-file",
    "log-opts": {"max-size": "64m", "max-file": "2"},
    "builder": {"gc": {"enabled": True, "defaultKeepStorage": "20GB"}},
    "live-restore": False,
    "shutdown-timeout": 1,
    "max-concurrent-downloads": 6,
}


def missing() -> str:
    """Why no dockerd can be started as root here, or ``""``."""
    wanted = {"dockerd": "docker.io", "containerd": "containerd", "iptables": "iptables", "ip": "iproute2"}
    lacking = [program for program in wanted if find(program) is None]
    if lacking:
        return f"not installed: {', '.join(f'{name} (package {wanted[name]})' for name in lacking)}"
    return ""


def find(program: str) -> str | None:
    """Where a program is, also in the folders that only root has on its PATH."""
    return shutil.which(program, path=environment()["PATH"])


def environment() -> dict[str, str]:
    """For an engine: ours, without what would make it speak to a service manager, and with the sbin folders."""
    drop = ("NOTIFY_SOCKET", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES", "DOCKER_TMPDIR", "DOCKER_DRIVER")
    kept = {name: value for name, value in os.environ.items() if name not in drop}
    kept["PATH"] = os.pathsep.join([kept.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
    return kept


class Dockerd:
    """One dockerd process over a slot, whose lock the caller holds.

    Args:
        tuned: made faster where this machine allows it; ``notes`` tells, once it is prepared, where it does not.
        fence: hosts that builds and containers reach, by ``proxy``, and nothing else; ``None`` for no fence.
    """

    kind = "dockerd"

    def __init__(self, slot: Slot, *, tuned: bool = True, fence: Sequence[str] | None = None) -> None:
        self.slot = slot
        self.tuned = tuned
        self.fence = fence
        self.proxy: Proxy | None = None
        self.notes: tuple[str, ...] = ()
        self._tuning = Tuning(config={}, environ={})
        self.network: Network | None = None
        self._names: Forwarder | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"unix://{slot.socket}"

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def prepare(self) -> None:
        """Make its folders, the bridge and its rules. Raises: EngineStartFailed."""
        self.slot.data.mkdir(parents=True, exist_ok=True)
        program = find("dockerd")
        if program is None:
            raise EngineStartFailed("dockerd is not installed", remedy="dockerlab up --install")
        if self.tuned:
            self._tuning = tune(self.slot, program, environment())
            self.notes = self._tuning.notes
        remove_orphans(self.slot.data)
        self.network = network.up(self.slot, fenced=self.fence is not None)
        if self.fence is not None:
            self.proxy = Proxy(self.network.gateway, self.fence)
            network.allow(self.slot, self.network, self.proxy.port)
        elif local := network.loopback_resolver():
            self._names = Forwarder(self.network.gateway, local)

    def start(self, mirrors: tuple[str, ...], *, registry: Path | None = None, timeout: float = 60.0) -> None:
        """Start it and wait until it answers.

        Args:
            mirrors: addresses that serve Docker Hub's images.
            registry: not needed here: its loopback is ours.
            timeout: seconds.

        Raises:
            EngineStartFailed: with the last lines of its log.
        """
        assert self.network is not None, "prepare first"
        # Networks of the last engine that used these data. Were its bridge called otherwise, dockerd would take the
        # default bridge for stale and delete docker0, whoever that belongs to (moby: daemon_unix.go).
        shutil.rmtree(self.slot.data / "network" / "files", ignore_errors=True)
        config = self.slot.run / "daemon.json"
        config.write_text(json.dumps(self._config(mirrors), indent=1))
        log = self.slot.log("dockerd")
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [find("dockerd") or "dockerd", f"--config-file={config}"],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True,
                env={**environment(), **self._tuning.environ},
            )  # fmt: skip
        wait_until_ready(self._process, self.slot.socket, log, name="dockerd", timeout=timeout)

    def _config(self, mirrors: tuple[str, ...]) -> dict[str, object]:
        assert self.network is not None
        run = self.slot.run
        config: dict[str, object] = {
            "hosts": [self.url],
            "data-root": str(self.slot.data),
            "exec-root": str(run / "exec"),
            "pidfile": str(run / "dockerd.pid"),
            "bridge": self.network.bridge,
            "default-address-pools": [{"base": str(self.network.for_tests), "size": 24}],
            "iptables": False,
            "ip6tables": False,
            "userland-proxy": True,
            # Of its own, so that it can be told from another engine's, and goes with it. Not systemd's: there may be
            # none, and a slice would be the system's.
            "cgroup-parent": f"/{self.slot.cgroup}",
            "exec-opts": ["native.cgroupdriver=cgroupfs"],
            "registry-mirrors": list(mirrors),
            **THROWAWAY,
            **self._tuning.config,
        }
        if self._names is not None:
            config["dns"] = [self.network.gateway]
        elif servers := network.resolvers():
            config["dns"] = list(servers)
        return config

    def stop(self) -> None:
        """Remove containers, networks and volumes, then end the process. Images and the build cache stay."""
        if self._names is not None:
            self._names.close()
        if self.proxy is not None:
            self.proxy.close()
            self.proxy = None
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGCONT)  # somebody may have frozen it
            empty(str(self.slot.socket))
            end([self._process.pid], grace=10.0)
        self._process.wait()
        self._process = None


def wait_until_ready(process: subprocess.Popen[bytes], path: Path, log: Path, *, name: str, timeout: float) -> None:
    """Wait for an answer on the socket. Raises: EngineStartFailed with the log's last lines, if it ends or dawdles."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            if ask(str(path), "GET", "/_ping", timeout=2)[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            pass  # not yet: that is what this loop is for
        if process.poll() is not None or time.monotonic() > deadline:
            ended = process.poll()
            what = f"ended with {ended}" if ended is not None else f"did not answer within {timeout:g} s"
            lines = log.read_text(errors="replace").splitlines()[-12:]
            raise EngineStartFailed(
                "\n    ".join([f"{name} {what}; the last lines of its log:", *(lines or ["(nothing)"])]),
                remedy=f"the whole log is {log}",
            )
        time.sleep(0.02)


def empty(path: str) -> None:
    """Remove all containers, networks that can be removed, and volumes from the engine at socket ``path``.

    What can't be removed stays: the caller is about to end the engine, or has just started it.
    """

    hangs = threading.Event()

    def call(method: str, target: str) -> bytes:
        if hangs.is_set():
            return b"null"
        try:
            return ask(path, method, target, timeout=20)[1]
        except TimeoutError:
            hangs.set()  # it would not answer the others either, each for as long
            return b"null"
        except (OSError, http.client.HTTPException):
            return b"null"

    def listed(target: str) -> list[dict[str, object]]:
        try:
            found = json.loads(call("GET", target))
        except ValueError:
            return []
        return found if isinstance(found, list) else []

    with ThreadPoolExecutor(8) as pool:
        containers = [str(one["Id"]) for one in listed("/containers/json?all=1")]
        # Podman would wait ten seconds for each to obey the stop signal.
        list(pool.map(lambda ident: call("POST", f"/containers/{ident}/kill"), containers))
        list(pool.map(lambda ident: call("DELETE", f"/containers/{ident}?force=1&v=1"), containers))
        networks = [
            str(one["Id"]) for one in listed("/networks") if one.get("Name") not in ("bridge", "host", "none", "podman")
        ]
        list(pool.map(lambda ident: call("DELETE", f"/networks/{ident}"), networks))
        found = json.loads(call("GET", "/volumes") or b"null")
        volumes = [str(one["Name"]) for one in (found or {}).get("Volumes") or ()]
        list(pool.map(lambda name: call("DELETE", f"/volumes/{name}?force=1"), volumes))
