"""dockerd's two errands in C: done exactly as dockerd does them, or left to it.

The program into which it is loaded here is one whose end tells which of both happened.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from pytest_dockerlab.engine.private import shortcut

pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is installed")

# What is left to dockerd ends with 7, after it has copied what it found on its standard input.
DOCKERD = r"""
#include <unistd.h>
int main(void) {
    char text[4096];
    for (ssize_t got; (got = read(0, text, sizeof text)) > 0;)
        if (write(1, text, got) != got) return 1;
    return 7;
}
"""
CONTAINER = "c0ffee" * 8
STATE = json.dumps({"ociVersion": "1.0.2", "id": CONTAINER, "annotations": {"pid": 1, 'a"': "}"}, "pid": 4711})


@dataclass
class Errand:
    """The program with the library in it, and the socket at which dockerd would listen."""

    folder: Path
    answer: bytes = b"success"
    heard: list[bytes] = field(default_factory=list)

    def run(self, name: str, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        library = shortcut.install(self.folder)
        assert isinstance(library, Path), library
        return subprocess.run(
            [name, *words], executable=self.folder / "dockerd", env={"LD_PRELOAD": str(library)}, input=stdin,
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip

    def setkey(self, stdin: str = STATE) -> subprocess.CompletedProcess[str]:
        return self.run("libnetwork-setkey", f"-exec-root={self.folder}", CONTAINER, "0a1b", stdin=stdin)

    @contextlib.contextmanager
    def listen(self) -> Iterator[None]:
        """Answer everyone who comes."""
        (self.folder / "libnetwork").mkdir()
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(str(self.folder / "libnetwork/0a1b.sock"))
            server.listen()

            def serve() -> None:
                with contextlib.suppress(OSError):  # shut down: see below
                    while True:
                        connection, _ = server.accept()
                        with connection:
                            self.heard.append(connection.recv(1024))
                            connection.sendall(self.answer)

            thread = threading.Thread(target=serve)
            thread.start()
            yield
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.fixture
def errand() -> Iterator[Errand]:
    """A short path: a socket's is cut at 108 bytes."""
    with tempfile.TemporaryDirectory(prefix="dl-") as name:
        folder = Path(name)
        subprocess.run(["cc", "-x", "c", "-o", str(folder / "dockerd"), "-"], input=DOCKERD, text=True, check=True)
        errand = Errand(folder)
        with errand.listen():
            yield errand


def test_the_key_is_sent_as_dockerd_sends_it(errand: Errand) -> None:
    """The container and its name space, by the pid of the state's top level."""
    assert errand.setkey().returncode == 0
    assert json.loads(errand.heard[0]) == {"ContainerID": CONTAINER, "Key": "/proc/4711/ns/net"}


@pytest.mark.parametrize(
    "state", ["", "{", '{"pid": 0}', '{"pid": "x"}', '{"pid": 1, "pid": 2}', '{"id": "pid"}', "x" * 70000]
)
def test_a_state_that_is_not_as_expected_is_left_to_dockerd(errand: Errand, state: str) -> None:
    """Nothing is sent, and dockerd can read the state from its beginning."""
    done = errand.setkey(state)
    assert (done.returncode, errand.heard) == (7, [])
    assert done.stdout == state


def test_a_refusal_is_left_to_dockerd(errand: Errand) -> None:
    """What dockerd's other end says is dockerd's to report: it asks again."""
    errand.answer = b"failed: no such sandbox"
    done = errand.setkey()
    assert (done.returncode, done.stdout) == (7, STATE)


@pytest.mark.parametrize(
    "words", [("dockerd",), ("docker-untar", "/"), ("libnetwork-setkey",), ("set-ipv6", "/x", "all")]
)
def test_all_else_is_dockerds(errand: Errand, words: tuple[str, ...]) -> None:
    """Other names, and these names with other arguments, are not touched."""
    assert errand.run(*words).returncode == 7


@pytest.mark.parametrize("name", ["..", "../../core", "absent"])
def test_an_interface_that_is_not_there_is_dockerds(errand: Errand, name: str) -> None:
    """A name is not a path."""
    assert errand.run("set-ipv6", "/proc/self/ns/net", name, "false").returncode == 7


@pytest.mark.skipif(os.getuid() != 0, reason="only root may make a network name space")
def test_ipv6_is_turned_off_and_on_in_the_name_space_and_nowhere_else(errand: Errand) -> None:
    """As dockerd does at every start of a container."""
    knob = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
    if not Path(knob).exists():
        pytest.skip("this kernel has no IPv6")
    ours = Path(knob).read_text()
    name = f"dls{os.getpid()}"
    subprocess.run(["ip", "netns", "add", name], check=True)
    try:
        for word, wanted in (("false", "1\n"), ("true", "0\n")):
            assert errand.run("set-ipv6", f"/run/netns/{name}", "all", word).returncode == 0
            inside = subprocess.run(
                ["ip", "netns", "exec", name, "cat", knob], capture_output=True, text=True, check=True
            )
            assert inside.stdout == wanted
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)
    assert Path(knob).read_text() == ours


def test_it_is_compiled_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second time it comes from the cache, also where there is no compiler any more; without both, it says so."""
    monkeypatch.setenv("DOCKERLAB_CACHE", str(tmp_path))
    made = shortcut.compiled()
    assert isinstance(made, Path)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shortcut.compiled() == made
    made.unlink()
    assert shortcut.compiled() == "no C compiler (cc) is installed"


def test_a_compiler_that_fails_is_quoted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first words are the reason."""
    (tmp_path / "cc").write_text("#!/bin/sh\necho no headers >&2; exit 1\n")
    (tmp_path / "cc").chmod(0o755)
    monkeypatch.setenv("DOCKERLAB_CACHE", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert shortcut.compiled() == f"{tmp_path / 'cc'}: no headers"


def test_a_path_that_the_loader_would_split_is_not_used(tmp_path: Path) -> None:
    """Blanks and colons separate libraries."""
    folder = tmp_path / "a b"
    folder.mkdir()
    assert shortcut.install(folder) == f"LD_PRELOAD can't hold the path {folder / 'shortcut.so'}"
