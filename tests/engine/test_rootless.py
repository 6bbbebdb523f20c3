"""Private engines of who is not root."""

from __future__ import annotations

import io
import os
import resource
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.private import podman
from pytest_dockerlab.engine.processes import engine_processes

needs_user = pytest.mark.skipif(os.getuid() == 0, reason="for a user who is not root")
needs_engine = pytest.mark.usefixtures("private_engines")


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folders of this test's own, with a short name. Layers of other ids stay for the engine's own tools to remove."""
    folder = Path(tempfile.mkdtemp(prefix="dl-"))
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(folder / "r"))
    monkeypatch.setenv("DOCKERLAB_CACHE", str(folder / "c"))
    yield folder
    for endpoint in private.running():
        private.stop(endpoint)
    private.sweep()
    shutil.rmtree(folder, ignore_errors=True)


@needs_user
@needs_engine
def test_a_user_has_an_engine_that_runs_pulls_and_goes(place: Path) -> None:
    """It runs a program, pushes to the registry beside it, and leaves neither process nor run-time file."""
    endpoint = private.start(os.getpid())
    slot, state = private.states()[0]
    assert state.kind in ("podman", "rootless dockerd")
    client = docker.DockerClient(base_url=endpoint.url, timeout=60)
    tree = io.BytesIO()
    with tarfile.open(fileobj=tree, mode="w") as archive:
        archive.add("/bin/busybox", "bin/busybox")
    client.api.import_image_from_data(tree.getvalue(), repository="box", tag="latest")
    assert client.containers.run("box:latest", ["/bin/busybox", "echo", "runs"], remove=True) == b"runs\n"
    client.images.get("box:latest").tag(f"{endpoint.registry}/box", "1")
    client.images.push(f"{endpoint.registry}/box", "1")
    assert client.images.pull(f"{endpoint.registry}/box", "1").id
    client.close()
    private.stop(endpoint)
    assert not engine_processes(slot.run)
    assert not slot.run.exists()


def test_podman_trusts_loopback_and_uses_the_mirror() -> None:
    """As dockerd does; a mirror with TLS is asked with TLS."""
    plain = podman._registries_conf(("http://127.0.0.1:5000",))
    assert 'prefix = "127.0.0.1"\nlocation = "127.0.0.1"\ninsecure = true' in plain
    assert '[[registry.mirror]]\nlocation = "127.0.0.1:5000"\ninsecure = true' in plain
    assert podman._registries_conf(("https://mirror.example",)).endswith('location = "mirror.example"\n')
    assert "mirror" not in podman._registries_conf(())


def test_podman_asks_for_no_limit_that_it_may_not_have() -> None:
    """A process limit above the kernel's own makes its builds fail."""
    (line,) = (line for line in podman._containers_conf().splitlines() if line.startswith("default_ulimits"))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard == resource.RLIM_INFINITY or f'"nofile={hard}:{hard}"' in line
    most = int(line.partition('"nproc=')[2].partition(":")[0] or 0)
    assert most <= int(Path("/proc/sys/kernel/pid_max").read_text())


def test_a_user_without_ids_for_containers_is_told_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither engine works without them, and the reason says how to get some."""
    monkeypatch.setattr(os, "access", lambda *words: True)
    monkeypatch.setattr(os, "getuid", lambda: 65534)
    assert "sudo usermod --add-subuids 100000-165535" in podman.namespaces()


def test_a_user_who_may_not_open_the_tunnel_device_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Containers would have no network."""
    monkeypatch.setattr(Path, "exists", lambda self: True)
    monkeypatch.setattr(os, "access", lambda *words: False)
    assert podman.namespaces().startswith("this user may not open /dev/net/tun")
