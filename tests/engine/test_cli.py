"""The dockerlab program as its users see it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import pytest_dockerlab
from pytest_dockerlab.cli import main
from pytest_dockerlab.engine import binfmt, discovery, install, private
from pytest_dockerlab.engine.ping import ask
from pytest_dockerlab.platforms import Platform

needs_private = pytest.mark.usefixtures("private_engines")


@pytest.fixture(autouse=True)
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Folders of this test's own, and an environment in which nobody named an engine."""
    folder = Path(tempfile.mkdtemp(prefix="dl-"))
    for name in list(os.environ):
        if name.startswith(("DOCKER_", "DOCKERLAB_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("DOCKERLAB_RUNTIME", str(folder / "r"))
    monkeypatch.setenv("DOCKERLAB_CACHE", str(folder / "c"))
    monkeypatch.setenv("HOME", str(folder))
    yield folder
    for slot, _ in private.states():
        private.stop(slot.number)
    private.sweep()
    shutil.rmtree(folder)


@needs_private
def test_up_doctor_down(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """`up` says how to use it, `doctor` finds it, `down` says what it removed, a second one that there is nothing."""
    assert main(["up"]) == 0
    said = capsys.readouterr()
    address = next(line.split("=")[1] for line in said.out.splitlines() if "export DOCKER_HOST=" in line)
    assert "starting a private engine" in said.err
    assert "To end it: dockerlab down" in said.out
    assert ask(address.removeprefix("unix://"), "GET", "/_ping")[0] == 200

    monkeypatch.setenv("DOCKER_HOST", address)
    assert main(["doctor"]) == 0
    assert f"✓ DOCKER_HOST ({address}): answers" in capsys.readouterr().out

    assert main(["down"]) == 0
    said = capsys.readouterr()
    assert f"removed engine 0 ({private.kind()})" in said.out
    assert "unset DOCKER_HOST" in said.out
    assert main(["down"]) == 0
    assert "No engine of `dockerlab up` runs" in capsys.readouterr().out


@needs_private
def test_down_leaves_the_engine_of_a_test_run_unless_told(capsys: pytest.CaptureFixture[str]) -> None:
    """What a run owns ends with that run; --all ends it now."""
    private.start(os.getpid())
    assert main(["down"]) == 0
    assert "1 of test runs that are going on stays (--all ends them, too)" in capsys.readouterr().out
    assert len(private.running()) == 1
    assert main(["down", "--all"]) == 0
    assert "removed engine 0" in capsys.readouterr().out
    assert private.running() == ()


@needs_private
def test_two_ups_are_two_engines_and_one_down_ends_both(capsys: pytest.CaptureFixture[str]) -> None:
    """The second says that there is another one."""
    assert main(["up"]) == 0
    assert "already" not in capsys.readouterr().out
    assert main(["up"]) == 0
    assert "1 more of yours runs already" in capsys.readouterr().out
    assert main(["down"]) == 0
    assert {line for line in capsys.readouterr().out.splitlines() if line.startswith("removed engine")} == {
        f"removed engine {number} ({private.kind()})" for number in (0, 1)
    }


@needs_private
def test_down_removes_what_a_killed_engine_left(capsys: pytest.CaptureFixture[str]) -> None:
    """After kill -9 of its keeper, it says what was left and is now gone."""
    assert main(["up"]) == 0
    _, state = private.states()[0]
    handle = os.pidfd_open(state.keeper)
    os.kill(state.keeper, signal.SIGKILL)
    assert select.select([handle], [], [], 60)[0]
    os.close(handle)
    capsys.readouterr()
    assert main(["down"]) == 0
    said = capsys.readouterr().out
    assert "removed engine 0: " in said
    assert "processes" in said


@needs_private
def test_up_with_another_platform(capsys: pytest.CaptureFixture[str], need: Callable[[str], None]) -> None:
    """Its programs run until `down`, and doctor says how; without --install it says what would mend it."""
    need("only root may register an emulator" if os.getuid() else "")
    if binfmt.emulator("loong64").usable:
        pytest.skip("this machine has an emulator for loong64")
    assert main(["up", "--platform", "linux/loong64"]) == 1
    assert "dockerlab up --install --platform linux/loong64" in capsys.readouterr().err
    assert not list(private.states())
    shutil.rmtree(os.environ["DOCKERLAB_RUNTIME"], ignore_errors=True)  # as before the first command ever
    assert main(["up", "--install", "--platform", "linux/loong64"]) == 0
    assert "linux/loong64 is emulated: the kernel runs it with dockerlab-loong64, until" in capsys.readouterr().err
    assert binfmt.emulator("loong64").usable
    assert main(["doctor"]) == 0
    assert f"{Platform.of_host()}: runs: " in capsys.readouterr().out
    assert main(["down"]) == 0
    assert "removed emulator dockerlab-loong64" in capsys.readouterr().out
    assert not binfmt.emulator("loong64").usable


def test_doctor_with_no_engine_says_what_is_missing_and_mends_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with 1, and names one command."""
    monkeypatch.setattr(private, "missing", lambda: "dockerd: not installed: dockerd (package docker.io)")
    monkeypatch.setattr(discovery, "_known", lambda environ: [])
    assert main(["doctor"]) == 1
    said = capsys.readouterr().out
    assert "✗ private engine: dockerd: not installed: dockerd (package docker.io)" in said
    assert "To mend it: dockerlab up --install" in said


def test_doctor_for_programs_has_the_same_facts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """engine, candidates, capabilities and bases, whatever was found."""
    monkeypatch.setattr(discovery, "_known", lambda environ: [])
    monkeypatch.setenv("DOCKERLAB_BASES", "stand-in")
    status = main(["doctor", "--json"])
    said = json.loads(capsys.readouterr().out)
    assert said["engine"] is None
    assert [(one["name"], one["ok"]) for one in said["candidates"]] == [("private engine", not private.missing())]
    assert said["capabilities"] == {}
    assert {"name", "kind", "reason"} == set(said["bases"][0])
    assert status == (1 if private.missing() else 0)


@pytest.mark.parametrize("words", [["doctor"], ["bases"]])
def test_a_wrong_docker_host_is_an_error_with_its_remedy(
    words: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """No other engine is taken in its place."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    assert main(words) == 1
    said = capsys.readouterr()
    assert "DOCKER_HOST names the engine 'unix:///nowhere.sock', which does not answer: no such socket" in (
        said.out + said.err
    )
    assert "unset DOCKER_HOST" in said.out + said.err


def test_a_wrong_setting_is_a_usage_error_with_its_source(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends with 2, as a wrong command line does."""
    monkeypatch.setenv("DOCKERLAB_ENGINE", "nonsense")
    assert main(["doctor"]) == 2
    assert "DOCKERLAB_ENGINE: not an engine: 'nonsense'" in capsys.readouterr().err
    with pytest.raises(SystemExit) as caught:
        main(["no-such-command"])
    assert caught.value.code == 2


def test_up_install_installs_first(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """And an engine that can't be started is an error with the reason."""
    done: list[str] = []
    monkeypatch.setattr(install, "ensure", lambda on_progress: done.append("installed"))
    monkeypatch.setattr(private, "missing", lambda: "no reason")
    assert main(["up"]) == 1
    assert done == []
    assert "no private engine can be started: no reason" in capsys.readouterr().err
    assert main(["up", "--install"]) == 1
    assert done == ["installed"]


def test_bases_tells_what_each_would_be(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without an engine: stand-ins where they are asked for, pulls where a mirror is named."""
    monkeypatch.setattr(discovery, "_known", lambda environ: [])
    monkeypatch.setenv("DOCKERLAB_BASES", "stand-in")
    assert main(["bases"]) == 0
    rows = [line.split(maxsplit=2) for line in capsys.readouterr().out.splitlines()]
    assert {kind for _, kind, _ in rows} == {"stand-in"}
    assert "python:3.10" in {name for name, _, _ in rows}
    monkeypatch.setenv("DOCKERLAB_BASES", "auto")
    monkeypatch.setenv("DOCKERLAB_MIRROR", "mirror.example")
    assert main(["bases", "--json"]) == 0
    assert {(row["kind"], "mirror.example" in row["reason"]) for row in json.loads(capsys.readouterr().out)} == {
        ("pull", True)
    }


@pytest.mark.parametrize("command", ["", "doctor", "up", "down", "bases"])
def test_each_command_explains_itself(command: str) -> None:
    """--help works from a shell, and says more than the names of the options."""
    words = [sys.executable, "-c", "import sys; from pytest_dockerlab.cli import main; sys.exit(main())"]
    done = subprocess.run([*words, *filter(None, [command]), "--help"], capture_output=True, text=True, check=True)
    assert len(done.stdout.split()) > 40


def test_ping_needs_nothing_but_the_standard_library() -> None:
    """``run`` asks it before anything is installed."""
    code = "from pytest_dockerlab.cli import main; main(['ping'])"
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": str(Path(pytest_dockerlab.__file__).parents[1])}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout == "no engine is named\n"


@pytest.mark.parametrize("variable", ["DOCKERLAB_ENGINE", "DOCKER_HOST"])
def test_ping_of_an_engine_that_does_not_answer(variable: str, tmp_path: Path) -> None:
    """The error names who named it, and the exit code is 1."""
    code = "import sys; from pytest_dockerlab.cli import main; sys.exit(main(['ping']))"
    environ = {**os.environ, variable: f"unix://{tmp_path}/none.sock"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 1
    assert f"{variable} names the engine" in done.stderr


def test_ping_asks_each_of_several(
    private_engines: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first answers and is told, the second does not and is blamed; doctor says that it looks at the first."""
    url = private.start(os.getpid()).url
    monkeypatch.setenv("DOCKERLAB_ENGINE", f"{url},unix:///nowhere.sock")
    assert main(["ping"]) == 1
    said = capsys.readouterr()
    assert said.out == f"{url} answers (named by DOCKERLAB_ENGINE)\n"
    assert "DOCKERLAB_ENGINE names the engine 'unix:///nowhere.sock', which does not answer" in said.err
    assert main(["doctor"]) == 0
    assert "DOCKERLAB_ENGINE names 2 engines: this is the first" in capsys.readouterr().err
