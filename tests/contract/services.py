"""Engines that are services of their own over a root file system: Podman, and what a user without root may run."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import resource
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_dockerlab.engine.ping import ask
from pytest_dockerlab.engine.processes import end, engine_processes
from pytest_dockerlab.places import runtime_dir
from tests.contract.inside import enter
from tests.contract.roots import USER, Unavailable

__all__ = ["dockerd_of_a_user", "podman"]

_SECONDS = 60.0
_AS_USER = ("setpriv", f"--reuid={USER}", f"--regid={USER}", "--clear-groups")
# As the package itself starts one (pytest_dockerlab/engine/private/rootless.py).
_KIT = (
    "rootlesskit", "--net=slirp4netns", "--mtu=65520", "--disable-host-loopback", "--slirp4netns-sandbox=auto",
    "--slirp4netns-seccomp=auto", "--port-driver=builtin", "--copy-up=/etc", "--copy-up=/run", "--propagation=rslave",
)  # fmt: skip


@contextlib.contextmanager
def podman(root: Path, data: Path, *, rootless: bool) -> Iterator[str]:
    """Podman's service, as root or as a user, over storage of its own; gives its address.

    Raises:
        Unavailable: it does not start.
    """
    with _run_folder(data, rootless=rootless) as run:
        settings = {
            "CONTAINERS_CONF": _write(run / "containers.conf", _containers()),
            "CONTAINERS_STORAGE_CONF": _write(run / "storage.conf", _storage(data, run, rootless=rootless)),
            "CONTAINERS_REGISTRIES_CONF": _write(
                run / "registries.conf", 'unqualified-search-registries = ["docker.io"]\n'
            ),
        }
        program = ["env", *(f"{name}={value}" for name, value in settings.items())]
        program += [f"XDG_RUNTIME_DIR={run}", "HOME=/home/lab"] if rootless else []
        program += ["podman", "system", "service", "--time=0", f"unix://{run / 'engine.sock'}"]
        try:
            with _served(root, [*(_AS_USER if rootless else ()), *program], run, data) as url:
                yield url
        finally:
            if not rootless:
                _take_back_network()


@contextlib.contextmanager
def dockerd_of_a_user(root: Path, data: Path, features: dict[str, bool]) -> Iterator[str]:
    """A rootless dockerd; gives its address.

    Raises:
        Unavailable: it does not start.
    """
    with _run_folder(data, rootless=True) as run:
        config = {"features": features, "data-root": str(data), "exec-root": f"{run}/exec", "pidfile": f"{run}/pid"}
        _write(run / "daemon.json", json.dumps({**config, "hosts": [f"unix://{run / 'engine.sock'}"]}))
        # dockerd and its plugins write to fixed places, which are links to what is another user's there.
        script = f"rm -f /run/docker /run/containerd /run/xtables.lock; exec dockerd --config-file={run}/daemon.json"
        program = ["env", f"XDG_RUNTIME_DIR={run}", "HOME=/home/lab", "PATH=/usr/sbin:/usr/bin:/sbin:/bin"]
        program += [*_KIT, f"--state-dir={run}/kit", "sh", "-c", script]
        with _served(root, [*_AS_USER, *program], run, data) as url:
            yield url


@contextlib.contextmanager
def _run_folder(data: Path, *, rootless: bool) -> Iterator[Path]:
    # The same for each run over these data, and theirs alone: Podman writes down where it was first, and goes there
    # again.
    digest = hashlib.sha256(str(data).encode()).hexdigest()[:5]
    run = runtime_dir() / f"contract-{data.parent.name}-{digest}"
    shutil.rmtree(run, ignore_errors=True)  # of one that was killed
    run.mkdir(mode=0o700)
    data.mkdir(parents=True, exist_ok=True)
    if rootless:
        for folder in (run, data):
            os.chown(folder, USER, USER)
    try:
        yield run
    finally:
        shutil.rmtree(run, ignore_errors=True)


@contextlib.contextmanager
def _served(root: Path, program: Sequence[str], run: Path, data: Path) -> Iterator[str]:
    """Run a service that listens at ``engine.sock``, and end it."""
    log = data.with_name(f"{data.name}.log")
    with log.open("wb") as output:
        service = subprocess.Popen(
            # Tests mount what is in the folder for temporary files.
            enter(root, program, [run, data, Path(tempfile.gettempdir())]),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(service, run / "engine.sock", log)
        yield f"unix://{run / 'engine.sock'}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(service.pid, signal.SIGTERM)
        try:
            service.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(service.pid, signal.SIGKILL)
            service.wait()
        # Podman's helpers outlive what they ran by five minutes, for whoever may still ask.
        end(engine_processes(data))


def _wait(service: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        with contextlib.suppress(OSError):
            if ask(str(socket), "GET", "/_ping", timeout=2)[0] == 200:
                return
        time.sleep(0.05)
    raise Unavailable(f"it does not answer: {log.read_text(errors='replace').strip()[-500:] or 'it says nothing'}")


def _take_back_network() -> None:
    """The chains that netavark leaves behind, empty, when the last container has gone."""
    for table in ("nat", "filter"):
        listed = subprocess.run(["iptables", "-t", table, "-S"], capture_output=True, text=True, check=False).stdout
        rows = [shlex.split(row) for row in listed.splitlines()]  # comments are in quotation marks
        ours = [row for row in rows if any(word.startswith("NETAVARK") for word in row)]
        for words in ours:
            if words[0] == "-A":
                subprocess.run(["iptables", "-t", table, "-D", *words[1:]], capture_output=True, check=False)
        for words in ours:
            if words[0] == "-N":
                subprocess.run(["iptables", "-t", table, "-X", words[1]], capture_output=True, check=False)


def _write(path: Path, text: str) -> str:
    path.write_text(text)
    return str(path)


def _containers() -> str:
    limits = []
    for name, number in (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC)):
        _, hard = resource.getrlimit(number)
        ceiling = int(Path("/proc/sys/kernel/pid_max").read_text()) if name == "nproc" else 1 << 20
        # Not above what it has: podman may not raise a hard limit here.
        most = ceiling if hard == resource.RLIM_INFINITY else min(hard, ceiling)
        limits.append(f"{name}={most}:{most}")
    rows = ["[containers]", f"default_ulimits = {json.dumps(limits)}", 'log_driver = "k8s-file"', "[engine]"]
    # crun refuses hybrid hierarchies; there is no service manager to ask for control groups.
    rows += ['runtime = "runc"', 'cgroup_manager = "cgroupfs"', 'events_logger = "file"']
    # What is left of its chains has to be taken back (see above), by a program that is on this machine.
    rows += ["[network]", 'firewall_driver = "iptables"', 'default_rootless_network_cmd = "slirp4netns"']
    return "\n".join([*rows, ""])


def _storage(data: Path, run: Path, *, rootless: bool) -> str:
    rows = ["[storage]", 'driver = "overlay"', f'runroot = "{run / "runroot"}"']
    # A user's goes by the second where both are; Podman 5.8 warns of both, in the middle of a build's output.
    rows += [f'{name} = "{data}"' for name in ("graphroot", *(["rootless_storage_path"] if rootless else []))]
    return "\n".join([*rows, ""])
