"""Connecting to an engine: versions, what it says of itself, and what to say when it does not answer."""

from __future__ import annotations

import pickle
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import docker.errors
import pytest

from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import NEWEST_API, Engine, negotiate
from pytest_dockerlab.engine.info import read_info
from pytest_dockerlab.engine.translate import error_of, pull_error, start_error, translating
from pytest_dockerlab.errors import (
    BaseImageMissing,
    Conflict,
    DiskFull,
    EngineError,
    EngineUnreachable,
    NotFound,
    StartFailed,
)
from pytest_dockerlab.platforms import Platform


def at(url: str) -> Endpoint:
    return Endpoint(url=url, name="that engine", source="DOCKER_HOST")


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({"ApiVersion": "1.41", "MinAPIVersion": "1.12"}, "1.41"),
        ({"ApiVersion": "1.55", "MinAPIVersion": "1.40"}, NEWEST_API),
        ({"ApiVersion": "1.52", "MinAPIVersion": "1.44"}, "1.52"),
        ({}, "1.40"),
    ],
    ids=["old", "newer-than-we-know", "same", "silent"],
)
def test_the_newest_version_that_both_know_is_spoken(server: dict[str, str], expected: str) -> None:
    """The engine's own version, but none that this package was not written for."""
    assert negotiate(server) == expected


@pytest.mark.parametrize("server", [{"ApiVersion": "1.38"}, {"ApiVersion": "1.70", "MinAPIVersion": "1.60"}])
def test_versions_that_do_not_meet_are_an_error(server: dict[str, str]) -> None:
    """Too old or too new an engine is refused, with both ranges in the message."""
    with pytest.raises(EngineError, match=r"the engine speaks API .* this package 1\.40 to 1\.52(.|\n)*upgrade"):
        negotiate(server)


def test_an_engine_says_who_it_is(engine: Engine) -> None:
    """Version, store, cgroups, size of its host are filled in."""
    info = engine.info
    assert info.version
    assert info.product in ("Docker Engine", "Podman")
    assert info.cgroup_version in (1, 2)
    assert info.cpus > 0
    assert info.memory > 0
    assert info.store
    assert engine.api.version == info.api_version
    assert f"API {info.api_version}" in str(info)


DOCKER: dict[str, Any] = {"Version": "29.0", "Os": "linux", "Arch": "amd64", "Components": [{"Name": "Engine"}]}
PODMAN: dict[str, Any] = {"Version": "5.8", "Components": [{"Name": "Podman Engine"}], "Os": "linux", "Arch": "arm64"}


def test_the_containerd_store_is_told_from_a_graph_driver() -> None:
    """Both may be called overlayfs; the driver's status tells them apart."""
    row = ["driver-type", "io.containerd.snapshotter.v1"]
    assert read_info(DOCKER, {"Driver": "overlayfs", "DriverStatus": [row]}, "1.52").store == "containerd (overlayfs)"
    assert read_info(DOCKER, {"Driver": "overlay2", "DriverStatus": [["Supports", "x"]]}, "1.41").store == "overlay2"


def test_podman_is_recognised() -> None:
    """Its answers differ in spelling, the description does not."""
    info = read_info(PODMAN, {"CgroupVersion": "v2", "SecurityOptions": ["name=rootless"]}, "1.41")
    assert (info.product, info.cgroup_version, info.rootless) == ("Podman", 2, True)
    assert info.platform == Platform("linux", "arm64")


def test_security_options_are_known_by_name() -> None:
    """User namespaces and rootless operation are read from the options."""
    info = read_info(DOCKER, {"SecurityOptions": ["name=seccomp,profile=default", "name=userns"]}, "1.41")
    assert info.security == ("seccomp", "userns")
    assert info.userns_remap
    assert not info.rootless


def test_no_socket_is_said_plainly(tmp_path: Path) -> None:
    """Where, who named it, why, and what to do now."""
    url = f"unix://{tmp_path}/none.sock"
    with pytest.raises(
        EngineUnreachable, match=rf"that engine at {url} \(named by DOCKER_HOST\).*: no such socket"
    ) as caught:
        Engine(at(url))
    assert "dockerlab doctor" in caught.value.remedy


def test_a_refused_connection_is_said_plainly() -> None:
    """A port where nobody listens."""
    with pytest.raises(EngineUnreachable, match="connection refused"):
        Engine(at("tcp://127.0.0.1:1"))


@pytest.mark.parametrize("url", ["ftp://x", "tcp://nowhere"])
def test_what_is_no_address_is_refused(url: str) -> None:
    """The message shows the forms that there are."""
    with pytest.raises(EngineUnreachable, match=r"not an address of an engine: .*(.|\n)*write unix:///path"):
        Engine(at(url))


def test_an_engine_that_hangs_is_given_up(tmp_path: Path) -> None:
    """A socket that takes connections and never answers is an error in time."""
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        with pytest.raises(EngineUnreachable, match="no answer in time"):
            Engine(at(f"unix://{path}"), timeout=0.2)


@pytest.fixture
def web_server() -> Iterator[str]:
    """Some other program that speaks HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<html>hello</html>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"tcp://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_another_program_is_not_taken_for_an_engine(web_server: str) -> None:
    """A web server at the address is no engine, and is said to be none."""
    with pytest.raises(EngineUnreachable, match="is no container engine"):
        Engine(at(web_server))


def test_labels_of_the_engine_go_on_everything(engine: Engine) -> None:
    """Volumes and networks carry them, and are found by them."""
    volume = engine.volumes.create(labels={"kind": "mine"})
    network = engine.networks.create(labels={"kind": "mine"})
    try:
        wanted = {**engine.labels, "kind": "mine"}
        assert [row.name for row in engine.volumes.list(wanted)] == [volume]
        assert [row.id for row in engine.networks.list(wanted)] == [network]
        assert engine.volumes.inspect(volume)["Labels"] == wanted
    finally:
        engine.volumes.remove(volume)
        engine.networks.remove(network)
    with pytest.raises(NotFound, match=f"volume '{volume}'"):
        engine.volumes.remove(volume)
    with pytest.raises(NotFound, match=f"network '{network}'"):
        engine.networks.inspect(network)


@pytest.mark.parametrize(
    ("message", "exit_code", "text"),
    [
        ('exec: "nope": executable file not found in $PATH: unknown', 127, "no such program in the image: 'nope'"),
        ('exec: "/x.sh": stat /x.sh: no such file or directory: unknown', 127, "no such program in the image: '/x.sh'"),
        ('exec: "/x.sh": permission denied: unknown', 126, "may not execute '/x.sh'"),
        ('error mounting "/a" to rootfs at "/b": not a directory', 127, "mount a folder on a folder"),
        (
            "driver failed: Bind for 0.0.0.0:80 failed: port is already allocated",
            125,
            "a port that it publishes is taken",
        ),
        ("exec /bin/sh: exec format error", 1, "another architecture"),
        ("something else", 125, "something else"),
    ],
)
def test_a_failed_start_has_the_command_lines_exit_code(message: str, exit_code: int, text: str) -> None:
    """The engine's words decide, and stay in the message."""
    error = start_error(message, "container 'x'")
    assert isinstance(error, StartFailed)
    assert error.exit_code == exit_code
    assert text in str(error)
    assert message in str(error)


@pytest.mark.parametrize(
    "message",
    [
        "fork/exec /usr/bin/runc: cannot allocate memory: unknown",
        "failed to create shim task: context deadline exceeded: unknown",
        "failed to create endpoint x on network bridge: adding interface veth1 to bridge docker0 failed: exchange full",
        "OCI runtime create failed: unable to start: open /sys/fs/cgroup/x: Too many open files",
    ],
)
def test_what_the_host_lacks_is_no_fault_of_the_container(message: str) -> None:
    """The end of the engine's words decides: a program may be called like them."""
    assert type(start_error(message, "container 'x'")) is EngineError
    named = f'exec: "{message}": stat {message}: no such file or directory: unknown'
    assert isinstance(start_error(named, "container 'x'"), StartFailed)


@pytest.mark.parametrize(
    ("message", "kind", "remedy"),
    [
        ("toomanyrequests: You have reached your pull rate limit", BaseImageMissing, "docker login"),
        ("manifest for x:1 not found: manifest unknown", NotFound, "check the name and tag"),
        ("pull access denied for x, repository does not exist or may require 'docker login'", NotFound, "docker login"),
        ("no matching manifest for linux/s390x in the manifest list entries", NotFound, "for this platform"),
        ("dial tcp: lookup registry-1.docker.io: no such host", BaseImageMissing, "stand-ins"),
        ("write /x: no space left on device", DiskFull, "docker system df"),
    ],
)
def test_a_failed_pull_is_somebodys_fault(message: str, kind: type[Exception], remedy: str) -> None:
    """A name that does not exist is the caller's; the network, the registry and the disk are the environment's."""
    error = pull_error(message, "pull of x")
    assert type(error) is kind
    assert remedy in error.remedy
    assert message in error.what


def test_errors_survive_the_trip_between_processes() -> None:
    """What an xdist worker raises is the same for the controller."""
    error = pickle.loads(pickle.dumps(start_error("exec format error", "container 'x'")))
    assert (type(error), error.exit_code, str(error)) == (
        StartFailed,
        1,
        str(start_error("exec format error", "container 'x'")),
    )


def test_statuses_have_their_errors() -> None:
    """404, 409 and a full disk under any status."""
    assert type(error_of(404, "No such image: x", "image 'x'")) is NotFound
    # Two took the last two names off an image at the same time.
    assert type(error_of(500, "unrecognized image ID sha256:e09c")) is NotFound
    assert type(error_of(409, "is in use")) is Conflict
    assert type(error_of(500, "No space left on device")) is DiskFull
    assert type(error_of(500, "boom")) is EngineError


def test_docker_pys_own_errors_do_not_get_out(engine: Engine) -> None:
    """What goes through docker-py's own verbs is translated, too."""
    with pytest.raises(NotFound, match="image 'no/such'"), translating("image 'no/such'"):
        engine.docker.images.get("no/such")
    with pytest.raises(EngineError, match="odd"), translating():
        raise docker.errors.DockerException("odd")
