"""A class of hostile submissions is graded to its end: nobody gains a point, and nothing outside changes."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.cli import main
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.things import labelled
from pytest_dockerlab.settings import Settings
from tests.hostile import corpus, host

HERE = Path(__file__).parent
# Long enough for any machine; nobody waits for it but a test that fails.
PATIENCE = 60.0
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="an engine can be fenced by root alone")


class _Server(http.server.BaseHTTPRequestHandler):
    """An index of packages without any, for apt; and what should be reached by nobody."""

    def do_GET(self) -> None:
        body = {"/Packages": b"Package: from-the-index\nVersion: 1\nArchitecture: all\n", "/hello": b"hello"}.get(
            self.path.replace("/./", "/"), b""
        )
        self.send_response(200 if body else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@contextlib.contextmanager
def serving(address: str) -> Iterator[int]:
    """A server on this address; yields its port."""
    server = http.server.ThreadingHTTPServer((address, 0), _Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()


def settled(look: Callable[[], dict[str, Any]], wanted: dict[str, Any] | None = None) -> dict[str, Any]:
    """The last look: like ``wanted``, or like the one before. What has ended may take a moment to be gone."""
    deadline = time.monotonic() + PATIENCE
    last = look()
    while time.monotonic() < deadline and last != wanted:
        time.sleep(0.1)
        before, last = last, look()
        if wanted is None and last == before:
            break
    return last


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The whole corpus, graded once on a fenced engine of its own, with looks at the machine before and after."""
    place = tmp_path_factory.mktemp("class")
    course, handed, outside, out, home, tmp = (
        place / name for name in ("course", "handed", "outside", "out", "home", "tmp")
    )
    for folder in (handed, outside, home, tmp):
        folder.mkdir()
    with serving("127.0.0.1") as index, serving("0.0.0.0") as elsewhere, contextlib.ExitStack() as stack:
        endpoint = private.start(os.getpid(), Settings(fence=(f"localhost:{index}",)))
        stack.callback(private.stop, endpoint)
        engine = Engine(endpoint)
        fence = private.fence(endpoint.url)
        assert fence is not None
        gateway, _, port = fence.proxy.removeprefix("http://").partition(":")
        words = {
            "INDEX": f"localhost:{index}",
            "ELSEWHERE": f"127.0.0.1:{elsewhere}",
            "ELSEPORT": str(elsewhere),
            "GATEWAY": gateway,
            "PROXY": f"{gateway}/{port}",
        }
        shutil.copytree(HERE / "course", course)
        corpus.fill_in(course, words)
        for exercise, kind in corpus.exercises():
            shutil.copytree(corpus.SOLUTIONS / kind, course / "dockerfiles" / exercise)
            corpus.fill_in(course / "dockerfiles" / exercise, words)
        corpus.lay_out(handed, outside, words)
        Bases(engine, Settings(), lambda line: None).ensure("debian:stable-slim")
        slot = next(slot for slot, state in private.states() if state.url == endpoint.url)
        places = (engine, slot, outside, home, handed, course)
        before = settled(lambda: host.look(*places))
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("DOCKERLAB_ENGINE", endpoint.url)
        patch.setenv("HOME", str(home))
        patch.setenv("DOCKERLAB_CACHE", str(place / "cache"))
        patch.setenv("TMPDIR", str(tmp))
        # More than there are processors: a good part of the time somebody sleeps until his time is over.
        arguments = ["--course", str(course), "--out", str(out), "--jobs", "3", "--format", "markdown,csv,gradescope"]
        code = main(["grade", str(handed), *arguments])
        # What is reachable is so: that nobody did reach it is the fence's doing.
        socket.create_connection((gateway, elsewhere), 5).close()
        yield {
            "code": code,
            "out": out,
            "before": before,
            "after": settled(lambda: host.look(*places), before),
            "left": labelled(engine, {corpus.MARK: ""}),
            "tmp": sorted(path.name for path in tmp.iterdir()),
            "results": {path.stem: json.loads(path.read_text("utf-8")) for path in out.glob("*.json")
                        if not path.name.endswith("gradescope.json")},
        }  # fmt: skip


def checks(result: dict[str, Any], exercise: str) -> dict[str, dict[str, Any]]:
    """The checks of one exercise, by the name of each."""
    return {check["id"].partition("/")[2]: check for check in result["checks"] if check["exercise"] == exercise}


def test_all_are_graded(graded: dict[str, Any]) -> None:
    """None keeps the others from their points, and none is left open."""
    results = graded["results"]
    assert {name: result["reason"] for name, result in results.items() if result["outcome"] != "graded"} == {}
    assert graded["code"] == 0
    assert set(results) == {"honest", *(student for student, _ in corpus.places().values())}
    honest = results["honest"]
    assert honest["max_points"] == sum(corpus.WORTH[kind] for _, kind in corpus.exercises())
    assert honest["points"] == honest["max_points"] - corpus.WORTH["slow"] - corpus.WORTH["long"]


@pytest.mark.parametrize("name", list(corpus.CORPUS))
def test_it_gains_nothing_and_is_told_why(graded: dict[str, Any], name: str) -> None:
    """The points are those of what is right in it; the check that it attacks fails, with a reason."""
    hostile, (student, exercise) = corpus.CORPUS[name], corpus.places()[name]
    own = checks(graded["results"][student], exercise)
    assert sum(check["points"] for check in own.values()) == hostile.points, own
    if hostile.check:
        check = own[hostile.check]
        assert check["outcome"] == "failed"
        assert hostile.said in check["message"] + check["output"]


def test_what_they_print_is_harmless(graded: dict[str, Any]) -> None:
    """No escape, no command of a CI service, no flood: in no result and no report."""
    for path in graded["out"].iterdir():
        text = path.read_bytes()
        assert b"\x1b" not in text, path
        assert not [row for row in text.splitlines() if row.lstrip().startswith(b"::")], path
        assert len(text) < 200_000, path
    student, exercise = corpus.places()["flood-in-a-step"]
    assert "::notice::" in checks(graded["results"][student], exercise)["builds"]["output"].replace("\\", "")


def test_nobody_sees_or_reaches_what_is_not_theirs(graded: dict[str, Any]) -> None:
    """Neither the secret nor the server that nobody may reach, by whatever way."""
    for path in graded["out"].iterdir():
        text = path.read_text("utf-8")
        assert corpus.SECRET[:6] not in text, path
        assert "REACHED" not in text, path


@pytest.mark.parametrize(
    "what",
    [
        "images", "containers", "volumes", "networks", "processes", "in its control groups", "control groups", "mounts",
        "rules", "bridges", "system", "roots of the system", "roots", "files",
    ],
)  # fmt: skip
def test_nothing_outside_has_changed(graded: dict[str, Any], what: str) -> None:
    """The machine and the engine are as they were before the class was graded."""
    assert graded["after"][what] == graded["before"][what]


def test_nothing_of_them_stays(graded: dict[str, Any]) -> None:
    """Neither on the engine nor in the folder for temporary files; the base is there."""
    assert graded["left"] == ()
    assert graded["tmp"] == []
    assert graded["after"]["images"]


def test_without_a_fence_a_container_reaches_this_machine(lab: Lab) -> None:
    """What the fence keeps from them is there to be reached."""
    with serving("0.0.0.0") as port:
        # The gateway's address stands in the kernel's table, its bytes in the machine's order.
        route = "while read -r _ to by _; do [ $to = 00000000 ] && break; done < /proc/net/route"
        gateway = ".".join(f"$((0x${{by:{at}:2}}))" for at in (6, 4, 2, 0))
        script = f"{route}; exec 3<>/dev/tcp/{gateway}/{port} && echo REACHED"
        assert "REACHED" in lab.run("debian:stable-slim", ["bash", "-c", script]).check().output
