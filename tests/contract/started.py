"""An edition's engine for a test run: what the run's environment must say, and what is up while it lasts."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_dockerlab.engine.ping import ask
from pytest_dockerlab.places import cache_dir, runtime_dir
from tests.contract.engines import Edition
from tests.contract.inside import enter, stand_in
from tests.contract.roots import Unavailable

__all__ = ["environment_with"]

# What all engines' runs may share: stand-ins are made once.
_SHARED = ("registry", "locks")
_SECONDS = 60.0
# Tests mount what is in there.
_TMP = Path(tempfile.gettempdir())


@contextlib.contextmanager
def environment_with(edition: Edition, root: Path) -> Iterator[Mapping[str, str]]:
    """Environment variables under which a test run uses the edition's engine; nothing of it is left afterwards.

    Raises:
        Unavailable: it does not start.
    """
    own = cache_dir() / "contract" / "caches" / edition.name
    own.mkdir(parents=True, exist_ok=True)
    for name in _SHARED:
        (cache_dir() / name).mkdir(parents=True, exist_ok=True)
        if not (own / name).is_symlink():
            (own / name).symlink_to(cache_dir() / name)
    with tempfile.TemporaryDirectory(prefix="dockerlab-contract-") as folder:
        if edition.program == "dockerd":
            # The run starts it itself, as it would start this machine's.
            stand_in(root, "dockerd", Path(folder), features=edition.features, shared=[_TMP])
            path = os.pathsep.join([folder, os.environ.get("PATH", os.defpath)])
            yield {"PATH": path, "DOCKERLAB_CACHE": str(own), "DOCKERLAB_ENGINE": "private"}
        else:
            with _podman(root, own / "podman", Path(folder)) as url:
                yield {"DOCKERLAB_CACHE": str(own), "DOCKERLAB_ENGINE": url}


@contextlib.contextmanager
def _podman(root: Path, data: Path, folder: Path) -> Iterator[str]:
    """Podman's service as root, over storage of its own; gives its address."""
    run = runtime_dir() / f"contract-{os.getpid()}"
    run.mkdir(mode=0o700)
    data.mkdir(parents=True, exist_ok=True)
    settings = {
        "CONTAINERS_CONF": _write(run / "containers.conf", _containers()),
        "CONTAINERS_STORAGE_CONF": _write(run / "storage.conf", _storage(data, run)),
        "CONTAINERS_REGISTRIES_CONF": _write(
            run / "registries.conf", 'unqualified-search-registries = ["docker.io"]\n'
        ),
    }
    log = data.with_name("podman.log")
    assigned = [f"{name}={value}" for name, value in settings.items()]
    program = ["env", *assigned, "podman", "system", "service", "--time=0", f"unix://{run / 'podman.sock'}"]
    with log.open("wb") as output:
        service = subprocess.Popen(
            enter(root, program, [run, data, _TMP]),
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        _wait(service, run / "podman.sock", log)
        yield f"unix://{run / 'podman.sock'}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(service.pid, signal.SIGTERM)
        try:
            service.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(service.pid, signal.SIGKILL)
            service.wait()
        shutil.rmtree(run, ignore_errors=True)
        _take_back_network()


def _wait(service: subprocess.Popen[bytes], socket: Path, log: Path) -> None:
    deadline = time.monotonic() + _SECONDS
    while time.monotonic() < deadline and service.poll() is None:
        with contextlib.suppress(OSError):
            if ask(str(socket), "GET", "/_ping", timeout=2)[0] == 200:
                return
        time.sleep(0.05)
    raise Unavailable(f"podman does not answer: {log.read_text(errors='replace').strip()[-500:] or 'it says nothing'}")


def _take_back_network() -> None:
    """The chains that netavark leaves behind, empty, when the last container has gone."""
    for table in ("nat", "filter"):
        listed = subprocess.run(["iptables", "-t", table, "-S"], capture_output=True, text=True, check=False).stdout
        rows = [row.split() for row in listed.splitlines()]
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
    rows += ["[network]", 'firewall_driver = "iptables"']
    return "\n".join([*rows, ""])


def _storage(data: Path, run: Path) -> str:
    return f'[storage]\ndriver = "overlay"\ngraphroot = "{data}"\nrunroot = "{run / "runroot"}"\n'
