"""Which engine is taken, in which order, and what is said when one that was named does not answer."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import socketserver
import ssl
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from pytest_dockerlab.engine import discovery, private
from pytest_dockerlab.engine.contexts import context, known
from pytest_dockerlab.engine.discovery import discover, obtain, probe
from pytest_dockerlab.engine.endpoint import Endpoint, Tls
from pytest_dockerlab.engine.ping import ping
from pytest_dockerlab.engine.private import hub
from pytest_dockerlab.errors import EngineNotFound, EngineUnreachable
from pytest_dockerlab.settings import Settings


class Pong(http.server.BaseHTTPRequestHandler):
    """Answers as an engine does, or with the status that its server has been told."""

    def do_GET(self) -> None:
        self.send_response(getattr(self.server, "status", 200))
        self.end_headers()
        self.wfile.write(b"OK")

    def address_string(self) -> str:
        return "test"

    def log_message(self, format: str, *words: object) -> None:
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


@contextmanager
def served(server: socketserver.BaseServer) -> Iterator[None]:
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def engine_at(path: Path) -> Iterator[str]:
    """Something that answers a ping at a socket."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with served(UnixServer(str(path), Pong)):
        yield f"unix://{path}"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A home folder with a short name (sockets), and no private engine of anybody's."""
    with tempfile.TemporaryDirectory(prefix="dl-") as folder:
        monkeypatch.setenv("DOCKERLAB_RUNTIME", f"{folder}/r")
        yield Path(folder)


def named(value: str, source: str = "DOCKERLAB_ENGINE") -> Settings:
    return Settings(engine=value, sources=(("engine", source),))


def write_context(folder: Path, name: str, host: str, *, current: bool = False, skip: bool = False) -> Path:
    """A context as docker's own program stores it; returns the folder of its certificates."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    meta = folder / "contexts/meta" / digest / "meta.json"
    meta.parent.mkdir(parents=True)
    meta.write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host, "SkipTLSVerify": skip}}}))
    if current:
        (folder / "config.json").write_text(json.dumps({"currentContext": name}))
    tls = folder / "contexts/tls" / digest / "docker"
    tls.mkdir(parents=True)
    return tls


def test_the_order_is_setting_then_docker_host_then_context_then_sockets(home: Path) -> None:
    """Each is taken only where what comes before it is not given."""
    desktop, colima = home / ".docker/run/docker.sock", home / ".colima/default/docker.sock"
    with ExitStack() as stack:
        a, b, c, d, _, _ = [
            stack.enter_context(engine_at(path))
            for path in (home / "a", home / "b", home / "c", home / "d", desktop, colima)
        ]
        write_context(home / ".docker", "one", c)
        write_context(home / ".docker", "two", d, current=True)
        environ = {"HOME": str(home), "DOCKER_HOST": b, "DOCKER_CONTEXT": "one"}

        def choice(settings: Settings) -> tuple[str, str]:
            chosen = discover(settings, environ).chosen
            assert chosen is not None
            return chosen.url, chosen.source

        assert choice(named(a, "--dockerlab-engine")) == (a, "--dockerlab-engine")
        assert choice(Settings()) == (b, "DOCKER_HOST")
        del environ["DOCKER_HOST"]
        assert choice(Settings()) == (c, "DOCKER_CONTEXT")
        del environ["DOCKER_CONTEXT"]
        assert choice(Settings()) == (d, "docker context two")
        (home / ".docker/config.json").unlink()
        found = probe(Settings(), environ, thorough=True)
        names = [one.name for one in found.candidates]
        assert names[0] == "default socket"
        assert names[-1] == "private engine"
        assert names.index("Docker Desktop") < names.index("Colima")
        if not found.candidates[0].ok:  # where this machine has an engine of its own, that one comes first
            assert choice(Settings()) == (f"unix://{desktop}", "found")


@pytest.mark.parametrize("source", ["--dockerlab-engine", "DOCKERLAB_ENGINE", "ini dockerlab_engine"])
def test_a_named_engine_that_does_not_answer_is_an_error_with_its_source(home: Path, source: str) -> None:
    """Another engine that answers is not taken in its place."""
    with engine_at(home / ".docker/run/docker.sock"):
        url = f"unix://{home}/absent.sock"
        with pytest.raises(EngineUnreachable) as caught:
            discover(named(url, source), {"HOME": str(home)})
    assert str(caught.value) == (
        f"{source} names the engine '{url}', which does not answer: no such socket\n"
        f"  → start that engine, or correct or remove {source}"
    )


def test_a_wrong_docker_host_is_an_error_that_says_to_unset_it(home: Path) -> None:
    """The remedy names the variable."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
        with pytest.raises(EngineUnreachable, match=f"DOCKER_HOST names the engine 'tcp://127.0.0.1:{port}'") as caught:
            discover(Settings(), {"HOME": str(home), "DOCKER_HOST": f"127.0.0.1:{port}"})
    assert "nobody listens there" in caught.value.what
    assert "unset DOCKER_HOST" in caught.value.remedy


def test_an_engine_that_accepts_and_says_nothing_is_given_up(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hung engine is not waited for longer than the patience, which is below five seconds."""
    assert discovery.PATIENCE < 5
    monkeypatch.setattr(discovery, "PATIENCE", 0.2)
    with socket.socket(socket.AF_UNIX) as mute:
        mute.bind(str(home / "mute"))
        mute.listen()
        endpoint = Endpoint(url=f"unix://{home}/mute", name="x", source="x")
        assert ping(endpoint, timeout=0.2).reason == "no answer within 0.2 s"


def test_what_hangs_before_it_connects_is_given_up_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking up a name has no timeout of its own: the probe does not wait for it."""
    release = threading.Event()

    def hang(*words: object, **more: object) -> None:
        release.wait(60)
        raise OSError("released")

    monkeypatch.setattr(socket, "create_connection", hang)
    endpoint = Endpoint(url="tcp://engine.example:2375", name="x", source="x")
    try:
        assert discovery._patient_ping(endpoint, 0.1).reason == "no answer within 0.1 s"
    finally:
        release.set()


def test_something_that_is_no_engine_is_said_to_be_none(home: Path) -> None:
    """A web server behind the address is not an engine."""
    with engine_at(home / "a") as url:
        pass
    server = UnixServer(str(home / "b"), Pong)
    server.status = 404  # type: ignore[attr-defined]
    with served(server):
        answer = ping(Endpoint(url=f"unix://{home}/b", name="x", source="x"))
    assert not answer.ok
    assert "answers 404, which no engine does" in answer.reason
    assert ping(Endpoint(url=url, name="x", source="x")).reason == "nobody listens there"


@pytest.mark.skipif(os.getuid() == 0, reason="root may open every socket")
def test_a_socket_that_is_not_ours_to_open_is_said_to_be_so(home: Path) -> None:
    """The reason hints at the group."""
    with engine_at(home / "a") as url:
        (home / "a").chmod(0)
        assert "group docker" in ping(Endpoint(url=url, name="x", source="x")).reason


def test_a_context_that_does_not_exist_is_an_error_that_lists_those_that_do(home: Path) -> None:
    """By DOCKER_CONTEXT and by our own setting alike."""
    write_context(home / ".docker", "colima", "unix:///nowhere")
    for settings, environ, source in (
        (Settings(), {"DOCKER_CONTEXT": "gone"}, "DOCKER_CONTEXT"),
        (named("context:gone"), {}, "DOCKERLAB_ENGINE"),
    ):
        with pytest.raises(EngineUnreachable, match=f"{source} names the docker context 'gone'") as caught:
            discover(settings, {"HOME": str(home), **environ})
        assert caught.value.remedy == "one of: colima, default"


def test_the_current_context_may_be_down_without_an_error(home: Path) -> None:
    """What somebody once chose with `docker context use` is a candidate like others: the next one is taken."""
    write_context(home / ".docker", "desktop-linux", f"unix://{home}/gone", current=True)
    with engine_at(home / ".colima/default/docker.sock"):
        found = discover(Settings(), {"HOME": str(home)})
    assert found.candidates[0].name == "context desktop-linux"
    assert found.candidates[0].reason == "no such socket"
    assert found.chosen is not None


def test_a_context_carries_its_certificates(home: Path) -> None:
    """Files that are there are named, and skipping verification is passed on."""
    tls = write_context(home, "far", "tcp://far:2376", skip=True)
    (tls / "ca.pem").write_text("x")
    environ = {"DOCKER_CONFIG": str(home)}
    endpoint = context("far", environ, "x")
    assert endpoint is not None
    assert endpoint.tls == Tls(ca=str(tls / "ca.pem"), verify=False)
    assert known(environ) == ("default", "far")
    assert context("default", environ, "x") == Endpoint(
        url="unix:///var/run/docker.sock", name="context default", source="x"
    )


def test_docker_cert_path_goes_with_tcp_only(home: Path) -> None:
    """As docker's own program reads it."""
    environ = {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(home)}
    assert discovery._tls(environ, "tcp://far:2376") == Tls(ca=f"{home}/ca.pem"), "a certificate is not always wanted"
    (home / "cert.pem").touch()
    assert discovery._tls(environ, "tcp://far:2376") == Tls(
        ca=f"{home}/ca.pem", cert=f"{home}/cert.pem", key=f"{home}/key.pem", verify=True
    )
    assert discovery._tls(environ, "unix:///x") is None
    assert discovery._tls({}, "tcp://far:2375") is None


def test_a_plain_server_where_tls_is_expected_is_a_reason_not_a_crash(home: Path) -> None:
    """The reason begins with TLS."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pong) as server, served(server):
        url = f"tcp://127.0.0.1:{server.server_port}"
        assert ping(Endpoint(url=url, name="x", source="x")).ok
        answer = ping(Endpoint(url=url, name="x", source="x", tls=Tls(verify=False)))
    assert answer.reason.startswith("TLS: ")
    assert ssl.HAS_TLSv1_2


def test_with_no_engine_at_all_the_error_lists_what_was_tried(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And says which command mends it."""
    monkeypatch.setattr(private, "missing", lambda: "not installed: dockerd (package docker.io)")
    monkeypatch.setattr(
        discovery, "_known", lambda environ: iter([Endpoint(url="unix:///no", name="a", source="found")])
    )
    with pytest.raises(EngineNotFound) as caught:
        obtain(Settings(), owner_pid=os.getpid(), environ={"HOME": str(home)})
    assert "✗ a (unix:///no): no such socket" in caught.value.what
    assert "✗ private engine: not installed: dockerd (package docker.io)" in caught.value.what
    assert "dockerlab up --install" in caught.value.remedy


def test_asked_for_a_private_engine_no_other_is_looked_for(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is started with the source of the setting as its own."""
    started = Endpoint(url="unix:///p", name="private engine", source="started by this run", private=True)
    monkeypatch.setattr(private, "missing", lambda: "")
    monkeypatch.setattr(private, "start", lambda owner, settings, on_progress: started)
    with engine_at(home / "a") as url:
        endpoint = obtain(named("private"), owner_pid=1, environ={"HOME": str(home), "DOCKER_HOST": url})
    assert endpoint == started.chosen_by("DOCKERLAB_ENGINE")


@pytest.mark.parametrize(("status", "there"), [(200, True), (401, True), (429, True), (403, False), (502, False)])
def test_the_hub_answers_when_a_registry_does(status: int, there: bool) -> None:
    """Asking for a login is an answer; a proxy's refusal is none."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Pong) as server, served(server):
        server.status = status  # type: ignore[attr-defined]
        assert hub.answers(f"http://127.0.0.1:{server.server_port}/v2/") is there


def test_the_hub_does_not_answer_where_nobody_listens() -> None:
    """No route, no name, no listener: all the same."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert not hub.answers(f"http://127.0.0.1:{closed.getsockname()[1]}/v2/")
