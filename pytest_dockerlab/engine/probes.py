"""How each capability is found out: from what the engine says where that can be trusted, else by trying."""

from __future__ import annotations

import contextlib
import os
import platform as _host
import socket
import tempfile
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pytest_dockerlab.engine import binfmt
from pytest_dockerlab.engine.api import PODMAN_API
from pytest_dockerlab.engine.build_limits import reason_against
from pytest_dockerlab.engine.endpoint import listener
from pytest_dockerlab.errors import BuildFailed, LabError, NotFound, UsageError
from pytest_dockerlab.platforms import Platform

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Answer", "same_kernel"]

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_HUB_SECONDS = 8.0
_KNOCK_SECONDS = 5.0
_DESKTOP = "docker desktop"


@dataclass(frozen=True, slots=True)
class Answer:
    """Whether, and how that is known."""

    ok: bool
    reason: str


def _docker(engine: Engine) -> bool:
    return engine.info.product == "Docker Engine"


def buildkit(engine: Engine) -> Answer:
    """Every Docker Engine for Linux since 18.09 (API 1.39) has it built in; its setting only decides the default."""
    if not _docker(engine):
        return Answer(False, "Podman builds with Buildah")
    if engine.info.os != "linux":
        return Answer(False, f"not in Docker Engine for {engine.info.os}")
    return Answer(True, f"part of Docker Engine {engine.info.version}")


def classic_builder(engine: Engine) -> Answer:
    if not _docker(engine):
        return Answer(False, "Podman builds with Buildah")
    return Answer(True, f"part of Docker Engine {engine.info.version}")


def buildah(engine: Engine) -> Answer:
    if _docker(engine):
        return Answer(False, "part of Podman; Docker Engine has builders of its own")
    return Answer(True, f"part of Podman {engine.info.version}")


def containerd_store(engine: Engine) -> Answer:
    return Answer(engine.info.containerd_store, f"the store is {engine.info.store}")


def cgroup_v1(engine: Engine) -> Answer:
    return Answer(engine.info.cgroup_version == 1, f"its host has cgroup v{engine.info.cgroup_version}")


def cgroup_v2(engine: Engine) -> Answer:
    return Answer(engine.info.cgroup_version == 2, f"its host has cgroup v{engine.info.cgroup_version}")


def _limit(engine: Engine, able: bool, what: str) -> Answer:
    if engine.info.cgroup_driver == "none":
        return Answer(False, "rootless without a cgroup driver: every limit is ignored (needs cgroup v2 and systemd)")
    if not _docker(engine) and engine.info.rootless and engine.info.cgroup_version == 1:
        # It says that it can, and does not (podman-run(1): limits need cgroup v2 for a user without root).
        return Answer(False, "rootless Podman with cgroup v1 ignores every limit")
    return Answer(able, f"the engine says that it {'can' if able else 'can not'} cap {what}")


def memory_limit(engine: Engine) -> Answer:
    return _limit(engine, engine.info.memory_limit, "memory")


def swap_limit(engine: Engine) -> Answer:
    return _limit(engine, engine.info.swap_limit, "swap")


def cpu_limit(engine: Engine) -> Answer:
    return _limit(engine, engine.info.cpu_limit, "CPU time")


def pids_limit(engine: Engine) -> Answer:
    return _limit(engine, engine.info.pids_limit, "processes")


def build_limits(engine: Engine) -> Answer:
    """By ourselves, in the engine's control groups: no builder of Docker Engine before 29.6 has limits of its own."""
    if not _docker(engine):
        return Answer(False, "Podman's builder can't be watched")
    if not same_kernel(engine) or not engine.endpoint.socket:
        return Answer(False, "it runs on another machine, or in a VM")
    if reason := reason_against(engine):
        return Answer(False, reason)
    return Answer(True, f"the control groups of its RUN steps can be written (cgroup v{engine.info.cgroup_version})")


def oom_report(engine: Engine) -> Answer:
    """Podman's monitor writes it down; that of Podman 4 (conmon 2.1.6, tried) does not with cgroup v1."""
    info = engine.info
    if not _docker(engine) and info.cgroup_version == 1 and info.version.partition(".")[0] in ("3", "4"):
        return Answer(False, f"with cgroup v1, Podman {info.version} shows a process that was killed and not why")
    return Answer(True, "inspect says so")


def pause(engine: Engine) -> Answer:
    """Freezing needs a control group, as caps do."""
    answer = _limit(engine, True, "processes")
    return answer if not answer.ok else Answer(True, "its containers have control groups")


def rootless(engine: Engine) -> Answer:
    return Answer(engine.info.rootless, f"security options: {', '.join(engine.info.security) or 'none'}")


def userns_remap(engine: Engine) -> Answer:
    return Answer(engine.info.userns_remap, f"security options: {', '.join(engine.info.security) or 'none'}")


def local_files(engine: Engine) -> Answer:
    """Tried: a folder that only this machine can have is asked for as a bind mount of an image that nobody has.

    Docker looks at the folder before the image, so the error tells which of the two is
    missing, in a millisecond, and nothing is made. Podman looks at the image first, and makes what is
    missing: there the file system of the process that listens is looked at.
    """
    with tempfile.TemporaryDirectory(prefix="dockerlab-probe-", dir=engine.scratch) as folder:
        if not _docker(engine):
            return _local_podman(engine, Path(folder))
        body = {
            "Image": f"dockerlab.invalid/{uuid.uuid4().hex}",
            "Cmd": ["-"],
            "HostConfig": {"Mounts": [{"Type": "bind", "Source": folder, "Target": "/probe"}]},
        }
        try:
            engine.api.json("POST", "/containers/create", json=body, about="probe")
        except NotFound:
            return Answer(True, "tried: it found a folder made just now")
        except UsageError:
            return Answer(False, f"tried: it does not see {tempfile.gettempdir()} of this machine")
        except LabError as error:
            return Answer(False, f"tried: {error.what}")
    raise AssertionError("an engine made a container of an image that does not exist")


def _local_podman(engine: Engine, folder: Path) -> Answer:
    if not engine.endpoint.socket or not same_kernel(engine):
        return Answer(False, "it runs on another machine, or in a VM")
    with contextlib.suppress(OSError):  # a process of another user, or none that we see
        root = Path(f"/proc/{listener(engine.endpoint.socket)[0]}/root")
        if (root / "proc").exists() and not Path(f"{root}{folder}").is_dir():
            return Answer(False, f"tried: its service does not see {tempfile.gettempdir()} of this machine")
    return Answer(True, "its socket is on this machine")


def same_kernel(engine: Engine) -> bool:
    """Whether its containers run on the kernel of this process."""
    here = _host.uname()
    return here.system == "Linux" and engine.info.kernel == here.release and _DESKTOP not in _distribution(engine)


def _distribution(engine: Engine) -> str:
    return engine.info.distribution.lower()


def loopback_ports(engine: Engine) -> Answer:
    """From the address: a container that listens would be the proof, and there may be no image for one yet."""
    if engine.endpoint.socket:
        way = "it publishes here" if same_kernel(engine) else "its VM forwards published ports"
        return Answer(True, f"its socket is on this machine; {way}")
    host = urlsplit(engine.endpoint.url).hostname or ""
    if host in _LOOPBACK and same_kernel(engine):
        return Answer(True, f"{host} is this machine")
    return Answer(False, f"it publishes on {host}, not on this machine's loopback")


def host_ownership(engine: Engine) -> Answer:
    """A rootless engine's containers may change what its own user owns, and nothing of others, root's included."""
    if not engine.info.rootless:
        return Answer(True, "it has root's rights")
    if not engine.endpoint.socket:
        return Answer(False, "it is rootless, and whose it is can't be seen from here")
    with contextlib.suppress(OSError):
        _, uid = listener(engine.endpoint.socket)
        mine = uid == os.geteuid()
        return Answer(mine, f"it is user {uid}'s" + ("" if mine else f", and files here are user {os.geteuid()}'s"))
    return Answer(False, "whose it is can't be seen from here")


def loopback_registry(engine: Engine) -> Answer:
    """Tried: the engine is sent for an image at a port of ours, and comes or does not."""
    came, over = threading.Event(), threading.Event()

    def turn_away(server: socket.socket) -> None:
        # Whoever is not answered would be waited for: it tries TLS first, then without.
        while not over.is_set():
            with contextlib.suppress(OSError):
                server.accept()[0].close()
                came.set()

    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.05)
        doorman = threading.Thread(target=turn_away, args=(server,), daemon=True)
        doorman.start()
        name = f"127.0.0.1:{server.getsockname()[1]}/dockerlab/probe"
        with contextlib.suppress(LabError):  # there is no registry: that it was asked for is what counts
            if _docker(engine):
                engine.api.send("GET", f"/distribution/{name}/json", timeout=_KNOCK_SECONDS, about="probe")
            else:
                params = {"reference": name, "tlsVerify": False}
                engine.api.send(
                    "POST", f"{PODMAN_API}/images/pull", params=params, timeout=_KNOCK_SECONDS, versioned=False
                )
        over.set()
        doorman.join()
    return Answer(came.is_set(), f"tried: it {'came to' if came.is_set() else 'did not come to'} a port of ours")


def emulates(engine: Engine, platform: Platform) -> Answer:
    """From the kernel's own list of foreign programs (binfmt_misc), which containers share with their host."""
    if platform == engine.info.platform:
        return Answer(True, "it is the engine's own platform")
    if _DESKTOP in _distribution(engine):
        return Answer(True, "Docker Desktop comes with emulators")
    if not same_kernel(engine):
        return Answer(False, "the kernel's list of emulators can't be read from here: the engine is on another machine")
    found = binfmt.emulator(platform.architecture)
    return Answer(found.usable, found.reason)


def own_platform(engine: Engine) -> Answer:
    """Of a test on another platform its support decides (``Capabilities.on``)."""
    return Answer(True, f"{engine.info.platform} is the engine's own platform")


def network_in_build(engine: Engine) -> Answer:
    """Tried, with an image that is there and has a shell: does a RUN step have a route out of its own network?"""
    images = [image for image in engine.images.list() if image.tags and image.platform == engine.info.platform]
    for image in sorted(images, key=lambda image: image.size):
        try:
            image.files.stat("/bin/sh")  # type: ignore[union-attr]  # an engine's image has files
        except NotFound:
            continue
        finally:
            image.files.close()  # type: ignore[union-attr]  # they are an engine's
        return _build_with_route(engine, image.tags[0])
    return Answer(False, "not tried: no image with a shell is on the engine")


def _build_with_route(engine: Engine, base: str) -> Answer:
    from pytest_dockerlab.build.spec import BuildSpec

    # A default route is destination 0 in /proc/net/route; read without any program but the shell.
    run = 'while read -r _ to _; do [ "$to" = 00000000 ] && exit 0; done < /proc/net/route; exit 99'
    with tempfile.TemporaryDirectory(prefix="dockerlab-probe-", dir=engine.scratch) as folder:
        context = Path(folder)
        (context / "Dockerfile").write_text(f"FROM {base}\nRUN {run}\n")
        try:
            trace = engine.build(BuildSpec(context=context, no_cache=True, timeout=60.0, labels=engine.labels))
        except BuildFailed as error:
            if error.exit_code == 99:
                return Answer(False, f"tried with {base}: a RUN step has no route out")
            return Answer(False, f"tried with {base}, which failed: {error.what}")
        except LabError as error:
            return Answer(False, f"tried with {base}: {error.what}")
    if trace.image_id:
        engine.images.remove(trace.image_id)
    return Answer(True, f"tried with {base}: a RUN step has a route out")


def hub(engine: Engine) -> Answer:
    """Asked of the engine, which may have another way out (or none) than this process.

    A private engine asks its own registry in Docker Hub's name, so that one is no witness; its way out is ours.
    """
    if engine.endpoint.registry:
        from pytest_dockerlab.engine.private import hub as docker_hub

        reached = docker_hub.answers()
        return Answer(reached, f"{docker_hub.HUB} {'answers' if reached else 'does not answer'}")
    if not _docker(engine):
        return Answer(False, "can't be asked of Podman without a pull")
    try:
        engine.api.send("GET", "/distribution/hello-world/json", timeout=_HUB_SECONDS, about="Docker Hub")
    except LabError as error:
        if "toomanyrequests" in error.what.lower():
            return Answer(True, "it answers, but limits the rate for now")
        return Answer(False, error.what)
    return Answer(True, "it answers the engine")
