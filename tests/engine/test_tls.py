"""A real dockerd that wants TLS of both sides, and what is said where the two don't agree."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_dockerlab import CapabilityMissing, EngineUnreachable, Lab, assert_http
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.engine.discovery import discover
from pytest_dockerlab.engine.endpoint import Endpoint, Tls
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private.dockerd import Dockerd
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.settings import Settings
from tests.faults.mortal import Mortal

# Not 127.0.0.1: what is found at the engine's host, and not at ours, shows.
HOST = "127.0.0.2"
# Its certificate does not say that it is this one, too.
OTHER_NAME = "127.0.0.3"


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """Signs certificates; each of them is a folder with ``ca.pem``, ``cert.pem`` and ``key.pem``."""

    folder: Path

    @classmethod
    def at(cls, folder: Path) -> Authority:
        """A new one."""
        folder.mkdir()
        openssl(
            folder, f"req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN={folder.name}", "-keyout ca.key -out ca.pem"
        )
        return cls(folder=folder)

    def sign(self, name: str, extensions: str) -> Path:
        """A certificate."""
        made = self.folder / name
        made.mkdir()
        (made / "extensions").write_text(f"{extensions}\n")
        openssl(made, f"req -newkey rsa:2048 -nodes -subj /CN={name}", "-keyout key.pem -out request")
        openssl(
            made, "x509 -req -days 2 -CA ../ca.pem -CAkey ../ca.key -CAcreateserial -extfile extensions",
            "-in request -out cert.pem",
        )  # fmt: skip
        shutil.copy(self.folder / "ca.pem", made)
        return made


def openssl(folder: Path, *words: str) -> None:
    subprocess.run(["openssl", *" ".join(words).split()], cwd=folder, check=True, capture_output=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """An engine with TLS.

    Attributes:
        url: of its port.
        ours: the folder of what a client needs.
        strangers: the same, of another authority.
    """

    url: str
    ours: Path
    strangers: Path


@pytest.fixture(scope="module")
def secured(
    private_engines: None, need: Callable[[str], None], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Secured]:
    """Started by root, as one of its own kind is anywhere."""
    need("" if os.getuid() == 0 else "dockerd is started as root")
    need("" if shutil.which("openssl") else "no openssl here")
    top = tmp_path_factory.mktemp("tls")
    authority, other = Authority.at(top / "authority"), Authority.at(top / "other")
    engines = authority.sign("engine", f"subjectAltName=IP:{HOST}\nextendedKeyUsage=serverAuth")
    ours, strangers = (each.sign("client", "extendedKeyUsage=clientAuth") for each in (authority, other))
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]

    class Listening(Dockerd):
        def _config(self, mirrors: tuple[str, ...]) -> dict[str, object]:
            return {
                **super()._config(mirrors),
                "hosts": [self.url, f"tcp://{HOST}:{port}", f"tcp://{OTHER_NAME}:{port}"],
                "tlsverify": True,
                "tlscacert": str(engines / "ca.pem"),
                "tlscert": str(engines / "cert.pem"),
                "tlskey": str(engines / "key.pem"),
            }

    def make(slot: Slot) -> Dockerd:
        return Listening(slot)

    mortal = Mortal(make)
    try:
        yield Secured(url=f"tcp://{HOST}:{port}", ours=ours, strangers=strangers)
        assert mortal.left() == []
    finally:
        mortal.close()


@pytest.fixture
def named(secured: Secured, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path | None], Endpoint]:
    """The engine that DOCKER_HOST names, with the certificates of a folder."""

    def find(folder: Path | None) -> Endpoint:
        monkeypatch.setenv("DOCKER_HOST", secured.url)
        if folder is not None:
            monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
            monkeypatch.setenv("DOCKER_CERT_PATH", str(folder))
        endpoint = discover(Settings()).chosen
        assert endpoint is not None
        return endpoint

    return find


def test_an_engine_with_tls(
    secured: Secured, named: Callable[[Path | None], Endpoint], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is used as over a socket: builds, runs, files, logs, and ports, which are looked up at its host.

    Whose authorities the web has, as many a company's machine has in its environment, makes no difference.
    """
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(secured.strangers / "ca.pem"))
    with Engine(named(secured.ours)) as engine, Lab(engine, Bases(engine, Settings())) as lab:
        build = lab.build("FROM alpine\nRUN echo built > /built\n")
        box = lab.run(build, ["sh", "-c", "echo up; httpd -f -p 8080 -h /"], ports=[8080], wait="up")
        assert box.host == HOST
        assert_http(box, "/built", port=8080, contains="built")
        done = box.exec(["sh", "-c", "echo out; echo errors >&2; exit 3"])
        assert (done.output, done.stderr, done.exit_code) == ("out\n", "errors\n", 3)
        assert box.read("/built") == b"built\n"
        reader = lab.create("alpine", ["head", "-n1"], stdin=True)
        with reader.terminal() as pipe:
            reader.start()
            pipe.send("typed\n")
            assert pipe.read_all(timeout=30) == b"typed\n"
        with pytest.raises(CapabilityMissing, match="standard input can't be sent over TLS"):
            box.exec(["cat"], stdin="to its end")
        assert list(lab.run("alpine", ["seq", "3"]).follow()) == ["1", "2", "3"]


def test_a_run_of_tests_with_tls(
    pytester: pytest.Pytester, runtime: Path, secured: Secured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers, watchdog and the end of the run go the same way: nothing is left there."""
    monkeypatch.setenv("DOCKER_HOST", secured.url)
    monkeypatch.setenv("DOCKER_TLS_VERIFY", "1")
    monkeypatch.setenv("DOCKER_CERT_PATH", str(secured.ours))
    pytester.makepyfile("def test_it(lab):\n    assert lab.run('alpine', ['echo', 'hello']).output == 'hello\\n'\n")
    result = pytester.runpytest_subprocess("-n1")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"*{secured.url}, DOCKER_HOST*"])


def test_who_does_not_trust_the_engine_is_told_whose_authority_is_missing(
    secured: Secured, named: Callable[[Path | None], Endpoint], tmp_path: Path
) -> None:
    """With the file that is not the right one, and what to do; the same where nobody has asked before."""
    for name in ("cert.pem", "key.pem"):
        shutil.copy(secured.ours / name, tmp_path)
    shutil.copy(secured.strangers / "ca.pem", tmp_path)
    with pytest.raises(EngineUnreachable) as caught:
        named(tmp_path)
    assert f"DOCKER_HOST names the engine '{secured.url}', which does not answer: TLS: " in caught.value.what
    assert f"its certificate can't be trusted by {tmp_path}/ca.pem: " in caught.value.what
    assert "take the ca.pem of the authority that signed the engine's certificate" in caught.value.remedy
    tls = Tls(ca=str(tmp_path / "ca.pem"), cert=str(tmp_path / "cert.pem"), key=str(tmp_path / "key.pem"))
    with pytest.raises(EngineUnreachable, match="can't be trusted by") as caught:
        Engine(Endpoint(url=secured.url, name="it", source="a test", tls=tls))
    assert "take the ca.pem" in caught.value.remedy


def test_whom_the_engine_does_not_trust_is_told_which_certificate(
    secured: Secured, named: Callable[[Path | None], Endpoint], tmp_path: Path
) -> None:
    """Another authority's, or none."""
    for name in ("cert.pem", "key.pem"):
        shutil.copy(secured.strangers / name, tmp_path)
    shutil.copy(secured.ours / "ca.pem", tmp_path)
    with pytest.raises(
        EngineUnreachable, match=f"TLS: it refuses {tmp_path}/cert.pem\n  → take a cert.pem and key.pem"
    ):
        named(tmp_path)
    for name in ("cert.pem", "key.pem"):
        (tmp_path / name).unlink()
    with pytest.raises(
        EngineUnreachable, match=r"TLS: it wants a certificate, and none was given\n  → take a cert.pem"
    ):
        named(tmp_path)


def test_what_is_missing_or_another_names_is_told(
    secured: Secured, named: Callable[[Path | None], Endpoint], tmp_path: Path
) -> None:
    """No TLS where it is wanted, no file where one is named, and a certificate that is for another host."""
    with pytest.raises(
        EngineUnreachable, match="it speaks TLS only\n  → set DOCKER_TLS_VERIFY=1, and DOCKER_CERT_PATH"
    ):
        named(None)
    with pytest.raises(EngineUnreachable, match=f"TLS: there is no {tmp_path}/ca.pem\n  → put ca.pem"):
        named(tmp_path)
    elsewhere = replace(named(secured.ours), url=secured.url.replace(HOST, OTHER_NAME))
    with pytest.raises(
        EngineUnreachable, match=r"TLS: its certificate is for another name: .*\n  → name the engine as"
    ):
        Engine(elsewhere)
