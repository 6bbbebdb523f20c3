"""Private engines on this machine: side by side, and gone without a trace however they end."""

from __future__ import annotations

import contextlib
import io
import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import docker
import docker.errors
import pytest
from docker.models.containers import Container

from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.private import network, slots
from pytest_dockerlab.engine.private.cleaning import mounts_under
from pytest_dockerlab.engine.private.dns import Forwarder
from pytest_dockerlab.engine.private.registry import RegistryProcess
from pytest_dockerlab.engine.processes import alive, engine_processes, started
from pytest_dockerlab.errors import EngineStartFailed, NotFound
from pytest_dockerlab.settings import Settings

pytestmark = [
    pytest.mark.skipif(os.getuid() != 0, reason="dockerd is started as root"),
    pytest.mark.usefixtures("private_engines"),
]


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Run-time and cache folders of this test's own; not tmp_path, whose length a socket's path can't bear."""
    folder = Path(tempfile.mkdtemp(prefix="dl-"))
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(folder / "r"))
    monkeypatch.setenv("DOCKERLAB_CACHE", str(folder / "c"))
    yield folder
    for endpoint in private.running():
        private.stop(endpoint)
    private.sweep()
    assert not mounts_under(folder)
    shutil.rmtree(folder)


def ip(*words: str) -> str:
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def rules() -> list[str]:
    return [
        line
        for table in ("filter", "nat")
        for line in subprocess.run(
            ["iptables", "-w", "20", "-t", table, "-S"], check=True, capture_output=True, text=True
        ).stdout.splitlines()
    ]


def foreign() -> list[str]:
    """Rules that no private engine made: other tests may start some at the same time."""
    return [rule for rule in rules() if "dockerlab-" not in rule]


@dataclass(frozen=True)
class Traces:
    """What is on this machine of one slot."""

    processes: set[int]
    mounts: tuple[str, ...]
    rules: list[str]
    links: list[str]
    run: bool

    @property
    def none(self) -> bool:
        return not (self.processes or self.mounts or self.rules or self.links or self.run)


def traces(slot: slots.Slot, pool: str) -> Traces:
    """Everything by which one sees that an engine was in this slot."""
    inside = IPv4Network(pool)
    links = []
    for line in ip("-4", "-oneline", "address").splitlines():
        words = line.split()
        if words[1] == slot.bridge or IPv4Network(words[3], strict=False).overlaps(inside):
            links.append(words[1])
    return Traces(
        processes=engine_processes(slot.run),
        mounts=mounts_under(slot.run, slot.cache),
        rules=[rule for rule in rules() if slot.comment in rule],
        links=links,
        run=slot.run.exists(),
    )


def start(owner: int | None = None, settings: Settings | None = None) -> tuple[Endpoint, slots.Slot, slots.State]:
    endpoint = private.start(owner or os.getpid(), settings)
    slot, state = next((slot, state) for slot, state in private.states() if state.url == endpoint.url)
    return endpoint, slot, state


@contextlib.contextmanager
def client(endpoint: Endpoint) -> Iterator[docker.DockerClient]:
    """docker-py, with an image ``box`` that is a busybox and nothing else."""
    busybox = shutil.which("busybox", path="/usr/bin:/bin")
    assert busybox is not None, "the static busybox of the package busybox-static is missing"
    connected = docker.DockerClient(base_url=endpoint.url, timeout=60)
    try:
        tree = io.BytesIO()
        with tarfile.open(fileobj=tree, mode="w") as archive:
            archive.add(busybox, "bin/busybox")
            for name in ("sh", "httpd", "wget", "sleep", "ping", "nc", "true"):
                link = tarfile.TarInfo(f"bin/{name}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                archive.addfile(link)
        connected.api.import_image_from_data(tree.getvalue(), repository="box", tag="1")
        yield connected
    finally:
        connected.close()


def serve(connected: docker.DockerClient, text: str, **more: Any) -> Container:
    """A container with a web server on port 80."""
    return connected.containers.run(
        "box:1",
        ["sh", "-c", f"echo {text} >index.html; exec httpd -f -p 80"],
        detach=True,
        **more,
    )


def fetch(container: Container) -> str:
    """What the container's published port answers on loopback."""
    container.reload()
    published = container.ports["80/tcp"]
    assert published
    port = published[0]["HostPort"]
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(100):
        with contextlib.suppress(OSError), opener.open(f"http://127.0.0.1:{port}/", timeout=5) as response:
            return str(response.read().decode().strip())
    raise AssertionError(f"port {port} never answered")


def test_two_engines_live_side_by_side_and_leave_nothing(place: Path) -> None:
    """Each answers on its published port, one's end does not touch the other, and both leave the machine as it was."""
    before = foreign()
    first, first_slot, first_state = start()
    second, second_slot, second_state = start()
    assert first.url != second.url
    assert not IPv4Network(first_state.pool).overlaps(IPv4Network(second_state.pool))
    with client(first) as one, client(second) as two:
        ours = serve(one, "first", ports={"80/tcp": ("127.0.0.1", None)})
        theirs = serve(two, "second", ports={"80/tcp": ("127.0.0.1", None)})
        assert fetch(ours) == "first"
        assert fetch(theirs) == "second"
        kept = traces(first_slot, first_state.pool)
        private.stop(second)
        assert fetch(ours) == "first"
        assert traces(first_slot, first_state.pool) == kept
    assert traces(second_slot, second_state.pool).none
    assert not kept.none
    private.stop(first)
    assert traces(first_slot, first_state.pool).none
    assert foreign() == before


@pytest.fixture
def outside(place: Path) -> Iterator[str]:
    """A web server in a network namespace that has no route back: only a masquerade gets an answer. Its address."""
    tag = f"dlt{os.getpid()}"
    third = os.getpid() % 250
    (place / "index.html").write_text("outside\n")
    ip("netns", "add", tag)
    try:
        ip("link", "add", tag, "type", "veth", "peer", "name", "eth0", "netns", tag)
        ip("address", "add", f"198.18.{third}.1/30", "dev", tag)
        ip("link", "set", tag, "up")
        ip("-netns", tag, "address", "add", f"198.18.{third}.2/30", "dev", "eth0")
        ip("-netns", tag, "link", "set", "eth0", "up")
        program = ["busybox", "httpd", "-f", "-p", "80", "-h", str(place)]
        with subprocess.Popen(["ip", "netns", "exec", tag, *program]) as server:
            try:
                yield f"198.18.{third}.2"
            finally:
                server.kill()
    finally:
        ip("netns", "delete", tag)


def test_containers_reach_the_world_from_every_network_but_not_one_anothers(outside: str) -> None:
    """The default bridge and a network that a test made have NAT; two networks are apart, one network is together."""
    endpoint, _, _ = start()
    with client(endpoint) as connected:
        assert "outside" in ask_from(connected, outside)
        connected.networks.create("mine")
        connected.networks.create("other")
        assert "outside" in ask_from(connected, outside, network="mine")
        server = serve(connected, "inside", network="mine")
        server.reload()
        address = server.attrs["NetworkSettings"]["Networks"]["mine"]["IPAddress"]
        assert "inside" in ask_from(connected, address, network="mine")
        with pytest.raises(docker.errors.ContainerError, match=r"timed out|status 1"):
            ask_from(connected, address, network="other")


def ask_from(connected: docker.DockerClient, address: str, **more: Any) -> str:
    """What port 80 of ``address`` answers to a container. By nc: busybox's wget, linked statically, crashes here."""
    script = f"printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 2 {address} 80"
    return bytes(connected.containers.run("box:1", ["sh", "-c", script], **more)).decode()


def test_what_a_killed_keeper_left_is_removed(place: Path) -> None:
    """After kill -9 of the keeper everything still runs; a sweep ends it and says what it removed."""
    endpoint, slot, state = start()
    with client(endpoint) as connected:
        connected.networks.create("mine")
        running = serve(connected, "x", network="mine")
        running.reload()
        main = running.attrs["State"]["Pid"]
    os.kill(state.keeper, signal.SIGKILL)
    wait_for_end(state.keeper, state.keeper_start)
    assert alive(main)
    removed = private.sweep()
    assert any("processes" in what for what in removed)
    assert any(f"bridge {slot.bridge}" in what for what in removed)
    assert any("bridge br-" in what for what in removed)
    assert not alive(main)
    assert traces(slot, state.pool).none
    assert private.sweep() == ()


def test_the_next_engine_in_a_slot_starts_clean_with_the_images_of_the_last(place: Path) -> None:
    """What a killed keeper left is removed by the next start, containers and volumes too; images stay."""
    endpoint, _, state = start()
    with client(endpoint) as connected:
        serve(connected, "x", name="old", restart_policy={"Name": "always"})
        connected.volumes.create("old")
    os.kill(state.keeper, signal.SIGKILL)
    wait_for_end(state.keeper, state.keeper_start)
    said: list[str] = []
    again = private.start(os.getpid(), None, said.append)
    assert again.url == endpoint.url
    assert any("removed what an earlier engine left" in line for line in said)
    fresh = docker.DockerClient(base_url=again.url)
    assert fresh.containers.list(all=True) == []
    assert fresh.volumes.list() == []
    assert fresh.images.list("box:1")
    fresh.close()


def test_when_dockerd_is_killed_the_keeper_takes_the_rest_down(place: Path) -> None:
    """kill -9 of dockerd ends its containers, bridge and rules without anybody asking."""
    endpoint, slot, state = start()
    with client(endpoint) as connected:
        serve(connected, "x")
    daemon = next(pid for pid in engine_processes(slot.run) if Path(f"/proc/{pid}/comm").read_text() == "dockerd\n")
    os.kill(daemon, signal.SIGKILL)
    wait_for_end(state.keeper, state.keeper_start)
    assert traces(slot, state.pool).none
    assert private.stop(endpoint) == ()


def test_the_engine_ends_with_its_owner(place: Path) -> None:
    """The keeper sees the owner's end, also when it is killed."""
    owner = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    _, slot, state = start(owner.pid)
    assert state.owner == owner.pid
    owner.kill()
    owner.communicate()
    wait_for_end(state.keeper, state.keeper_start)
    assert traces(slot, state.pool).none


def wait_for_end(pid: int, start: int) -> None:
    """Block until the process has ended."""
    with contextlib.suppress(ProcessLookupError):
        handle = os.pidfd_open(pid)
        try:
            if alive(pid, start):
                assert select.select([handle], [], [], 60)[0], f"process {pid} does not end"
        finally:
            os.close(handle)


def test_a_dockerd_that_ends_at_once_is_an_error_with_its_last_words(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error carries the exit status and the log's last lines, and nothing is left."""
    fake = place / "bin"
    fake.mkdir()
    (fake / "dockerd").write_text("#!/bin/sh\necho no graph driver fits\nexit 3\n")
    (fake / "dockerd").chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake}:{os.environ['PATH']}")
    with pytest.raises(EngineStartFailed, match=r"dockerd ended with 3(.|\n)*no graph driver fits") as caught:
        private.start(os.getpid())
    assert str(place / "c/engines/0/dockerd.log") in caught.value.remedy
    slot = slots.all_slots()[0]
    assert not slot.run.exists()
    assert [rule for rule in rules() if slot.comment in rule] == []


def test_an_engine_that_is_not_ours_is_not_stopped(place: Path) -> None:
    """stop() knows its own engines only."""
    with pytest.raises(NotFound, match=r"no private engine at unix:///var/run/docker\.sock"):
        private.stop(Endpoint(url="unix:///var/run/docker.sock", name="default socket", source="found"))


def test_a_named_mirror_serves_what_docker_hub_would(place: Path) -> None:
    """With a mirror named, an image without a registry in its name is pulled from there."""
    with RegistryProcess(place / "images") as mirror:
        endpoint, _, _ = start(settings=Settings(mirror=mirror.address))
        with client(endpoint) as connected:
            connected.images.get("box:1").tag(f"{mirror.address}/library/marker", "1")
            connected.images.push(f"{mirror.address}/library/marker", "1")
            assert connected.images.pull("marker", "1").id == connected.images.get("box:1").id


def test_two_registries_serve_one_storage(place: Path) -> None:
    """What is pushed to one is there in the other; each has a port of its own."""
    with RegistryProcess(place / "images") as one, RegistryProcess(place / "images") as two:
        assert one.address != two.address
        endpoint, _, _ = start()
        with client(endpoint) as connected:
            connected.images.get("box:1").tag(f"{one.address}/a", "1")
            connected.images.push(f"{one.address}/a", "1")
            assert connected.images.pull(f"{two.address}/a", "1").id


def test_all_slots_taken_is_an_error(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With every slot held by somebody, the error says how to get one back."""
    monkeypatch.setattr(slots, "MOST", 1)
    held = slots.acquire()
    try:
        with pytest.raises(EngineStartFailed, match="1 private engines run on this machine already") as caught:
            slots.acquire()
        assert "dockerlab down --all" in caught.value.remedy
    finally:
        held.release()
    again = slots.acquire()
    assert again.slot == held.slot
    again.release()


def test_addresses_in_use_are_avoided() -> None:
    """The range found overlaps none in use, and a machine without a free one is told so."""
    used = [IPv4Network("10.0.0.0/9"), IPv4Network("10.128.0.0/10")]
    assert network.free_pool(used) == IPv4Network("10.192.0.0/16")
    assert network.free_pool([*used, IPv4Network("10.192.7.0/24")]) == IPv4Network("10.193.0.0/16")
    assert network.free_pool([IPv4Network("10.0.0.0/8")]).subnet_of(IPv4Network("172.16.0.0/12"))
    with pytest.raises(EngineStartFailed, match="no free address range"):
        network.free_pool([IPv4Network("10.0.0.0/8"), IPv4Network("172.16.0.0/12")])


def test_name_servers_on_loopback_are_replaced_by_those_behind_them(tmp_path: Path) -> None:
    """A container can't ask 127.0.0.53; what systemd-resolved asks itself, it can."""
    (tmp_path / "stub").write_text("nameserver 127.0.0.53\noptions edns0\n")
    (tmp_path / "real").write_text("nameserver 192.0.2.7\nnameserver 2001:db8::1\n")
    places = [str(tmp_path / name) for name in ("stub", "absent", "real")]
    assert network.resolvers(places) == ("192.0.2.7", "2001:db8::1")
    assert network.loopback_resolver(places) == ""
    assert network.resolvers(places[:2]) == ()
    assert network.loopback_resolver(places[:2]) == "127.0.0.53"


def test_questions_to_the_gateway_reach_a_name_server_on_loopback() -> None:
    """Datagrams go there and their answers back to who asked; where one listens already, that one answers."""
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as asker:
        server.bind(("127.0.0.1", 0))
        server.settimeout(10)
        asker.settimeout(10)
        forwarder = Forwarder("127.0.0.1", "127.0.0.1", port=0, server_port=server.getsockname()[1])
        try:
            asker.sendto(b"who?", ("127.0.0.1", forwarder.port))
            question, back = server.recvfrom(100)
            server.sendto(question + b" me", back)
            assert asker.recv(100) == b"who? me"
            Forwarder("127.0.0.1", "127.0.0.1", port=forwarder.port).close()
        finally:
            forwarder.close()


def test_a_process_is_named_by_its_start_too() -> None:
    """A pid that was given out again is not mistaken for the one that had it before."""
    me = os.getpid()
    assert alive(me, started(me))
    assert not alive(me, started(me) + 1)
    assert started(0) == 0


def test_a_bridges_address_stays_when_containers_come_and_go() -> None:
    """It is derived from the gateway's, and given when the bridge is made."""
    assert network.Network(bridge="dl0", pool=IPv4Network("10.130.0.0/16")).mac == "02:42:0a:82:00:01"


@pytest.fixture
def docker0() -> Iterator[None]:
    """The bridge that a system's engine has; one that stands in for it where there is none."""
    made = not Path("/sys/class/net/docker0").exists()
    if made:
        ip("link", "add", "docker0", "type", "bridge")
    yield
    if made and Path("/sys/class/net/docker0").exists():
        ip("link", "delete", "docker0")


@pytest.mark.usefixtures("docker0")
def test_docker0_stays_when_a_slot_gets_another_bridge(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The data of an engine remember its bridge; the next engine with another one must not tidy up docker0."""
    first, *_ = start()
    private.stop(first)
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(place / "other"))
    second, *_ = start()
    private.stop(second)
    assert Path("/sys/class/net/docker0").exists()
