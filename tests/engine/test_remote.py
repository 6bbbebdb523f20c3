"""Engines that are not at a socket of this machine: over TCP, over ssh, by a docker context."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab import assert_http
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.engine import install, pulse
from pytest_dockerlab.engine.discovery import discover
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.ping import Answer, ping
from pytest_dockerlab.engine.tunnel import host_of, ssh_command
from pytest_dockerlab.errors import EngineUnreachable, InstallFailed
from pytest_dockerlab.lab import Lab
from pytest_dockerlab.settings import Settings
from tests.faults.mortal import PATIENCE, Mortal, until

Need = Callable[[str], None]


def pump(source: socket.socket, target: socket.socket) -> None:
    """One direction, its end included."""
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def tcp(engine: Engine, need: Need) -> Iterator[str]:
    """The run's engine at a port on loopback."""
    need("" if engine.endpoint.socket else "the run's engine has no socket to forward")

    class Forward(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.socket(socket.AF_UNIX) as there:
                there.connect(engine.endpoint.socket)
                back = threading.Thread(target=pump, args=(there, self.request), daemon=True)
                back.start()
                pump(self.request, there)
                back.join()

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Forward) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"tcp://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture(scope="module")
def ssh(engine: Engine, need: Need, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The run's engine behind a real sshd on loopback; the name in its address is one of ssh's configuration."""
    need("" if engine.endpoint.socket else "the run's engine has no socket for `docker system dial-stdio`")
    with contextlib.suppress(InstallFailed):
        install.ensure(("openssh-server", "openssh-client"))
    sshd, client = shutil.which("sshd", path="/usr/sbin:/sbin"), shutil.which("ssh")
    need("" if sshd and client else "no sshd here (package openssh-server)")
    assert sshd and client  # noqa: PT018
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nPidFile none\nAuthorizedKeysFile {folder}/user.pub\n"
        f"StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin yes\n"
        f"SetEnv DOCKER_HOST={engine.endpoint.url} PATH={os.environ['PATH']}\n"
    )
    (folder / "config").write_text(
        f"Host the-engine\n  HostName 127.0.0.1\n  Port {port}\n  IdentityFile {folder}/user\n  IdentitiesOnly yes\n"
        f"  UserKnownHostsFile {folder}/known\n  StrictHostKeyChecking no\n"
    )
    # ssh reads the user's own configuration wherever HOME points: this one comes by a program of its name.
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh").write_text(f'#!/bin/sh\nexec {client} -F {folder}/config "$@"\n')
    (folder / "bin" / "ssh").chmod(0o755)
    privileges = Path("/run/sshd")
    made = os.getuid() == 0 and not privileges.exists()
    if made:
        privileges.mkdir(mode=0o755)
    server = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")
        try:
            wait_for(port, server)
            yield "ssh://the-engine"
        finally:
            server.terminate()
            server.wait()
            if made:
                privileges.rmdir()


def wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError("sshd does not answer")


@contextlib.contextmanager
def lab_at(endpoint: Endpoint) -> Iterator[Lab]:
    with Engine(endpoint) as engine, Lab(engine, Bases(engine, Settings())) as lab:
        yield lab


def uses_all(lab: Lab) -> None:
    """Builds, runs, talks, looks at files and at a published port: each takes another way to the engine."""
    build = lab.build("FROM alpine\nRUN echo built > /built\n")
    box = lab.run(build, ["sh", "-c", "echo up; httpd -f -p 8080 -h /"], ports=[8080], wait="up")
    done = box.exec(["sh", "-c", "cat; echo errors >&2; exit 3"], stdin="to its end\n")
    assert (done.output, done.stderr, done.exit_code) == ("to its end\n", "errors\n", 3)
    assert box.read("/built") == b"built\n"
    assert_http(box, "/built", port=8080, contains="built")
    reader = lab.create("alpine", ["cat"], stdin=True)
    with reader.terminal() as pipe:
        reader.start()
        pipe.send("typed\n")
        pipe.end_input()
        assert pipe.read_all(timeout=120) == b"typed\n"
    assert list(lab.run("alpine", ["seq", "3"]).follow()) == ["1", "2", "3"]


def test_an_engine_over_tcp(tcp: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_HOST=tcp://… is used, and everything works as over a socket."""
    monkeypatch.setenv("DOCKER_HOST", tcp)
    endpoint = discover(Settings()).chosen
    assert endpoint is not None
    assert endpoint.url == tcp
    with lab_at(endpoint) as lab:
        uses_all(lab)
        assert lab.run("alpine", ["true"]).host == "127.0.0.1"


def test_an_engine_over_ssh(ssh: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """DOCKER_HOST=ssh://… is used, everything works as over a socket, and ports are looked up at its host."""
    monkeypatch.setenv("DOCKER_HOST", ssh)
    endpoint = discover(Settings()).chosen
    assert endpoint is not None
    assert endpoint.url == ssh
    assert host_of(ssh) == "127.0.0.1"
    with lab_at(endpoint) as lab:
        uses_all(lab)


def test_an_engine_that_hangs_behind_ssh_is_noticed(ssh: str, private_engines: None, need: Need) -> None:
    """Whoever waits for a command or reads a log is told, long before the end of his patience."""
    need("" if os.getuid() == 0 else "dockerd is started as root")
    mortal = Mortal()
    try:
        there = Endpoint(url=f"{ssh}{mortal.slot.socket}", name="an engine", source="a test")
        with Engine(mortal.endpoint) as near, Lab(near, Bases(near, Settings())) as lab:
            box = lab.run("alpine", ["sh", "-c", "echo up; sleep 600"], network="none", init=True)
            with Engine(there, timeout=3.0) as far, ThreadPoolExecutor(2) as pool:
                log = iter(far.containers.follow(box.id))
                assert next(log) == b"up\n"
                waits: list[Future[Any]] = [
                    pool.submit(far.containers.exec, box.id, ["sh", "-c", "touch /there; sleep 600"], timeout=600.0),
                    pool.submit(next, log),
                ]
                until(lambda: box.exists("/there"), "the command runs")
                mortal.freeze()
                try:
                    for waiting in waits:
                        with pytest.raises(EngineUnreachable, match="does not answer: no answer in time"):
                            waiting.result(PATIENCE)
                    assert far.api.pulse.silent, "whoever asks next does not wait as long"
                finally:
                    mortal.thaw()
                    box.remove()
        assert mortal.left() == []
    finally:
        mortal.close()


def test_an_ssh_that_fails_once_is_no_proof(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that is busy turns connections away; one that does so time after time is not there."""
    answers: list[Answer] = []
    monkeypatch.setattr(pulse, "ping", lambda endpoint, timeout: answers.pop(0))
    turned_away, fine = Answer(ok=False, reason="Connection closed by 192.0.2.1"), Answer(ok=True, reason="answers")
    watched = pulse.Pulse(Endpoint(url="ssh://box", name="it", source="a test"), timeout=1.0)
    answers[:] = [turned_away, turned_away, fine]
    watched.check()
    assert not watched.silent
    answers[:] = [turned_away] * 3
    with pytest.raises(EngineUnreachable, match="Connection closed"):
        watched.check()
    answers[:] = [Answer(ok=False, reason="no answer over ssh within 10 s")]  # silence needs no second question
    with pytest.raises(EngineUnreachable, match="no answer in time"):
        watched.check()


def test_an_ssh_that_refuses_is_told(ssh: str, tmp_path: Path) -> None:
    """Whoever is not let in gets ssh's own words, not a time-out."""
    wrong = f"{ssh.replace('://', '://nobody-here@')}"
    answer = ping(Endpoint(url=wrong, name="x", source="x"), timeout=20)
    assert not answer.ok
    assert "Permission denied" in answer.reason
    with pytest.raises(EngineUnreachable, match="nobody-here@the-engine"):
        Engine(Endpoint(url=wrong, name="x", source="x"))


def test_what_ssh_is_asked_for() -> None:
    """User, port and the path of another socket come from the address, as docker's own program takes them."""
    words = ssh_command("ssh://me@box:2222/run/user/1000/podman/podman.sock")
    assert words[words.index("-p") :] == [
        "-p", "2222", "-l", "me", "--", "box",
        "docker", "--host", "unix:///run/user/1000/podman/podman.sock", "system", "dial-stdio",
    ]  # fmt: skip
    assert ssh_command("ssh://box")[-5:] == ["--", "box", "docker", "system", "dial-stdio"]


def test_the_current_context_is_honoured(
    pytester: pytest.Pytester, runtime: Path, tcp: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What `docker context use` chose is what a run of tests uses, and its head says so."""
    meta = tmp_path / "contexts" / "meta" / hashlib.sha256(b"far").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "far", "Endpoints": {"docker": {"Host": tcp}}}))
    (tmp_path / "config.json").write_text(json.dumps({"currentContext": "far"}))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    pytester.makepyfile("def test_it(lab):\n    assert lab.run('alpine', ['echo', 'hello']).output == 'hello\\n'\n")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"*{tcp}, docker context far*"])
