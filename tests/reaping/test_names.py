"""Names on images that are not a run's go with the run, and go back to who had them."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from pytest_dockerlab.cli import main
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import NotFound

pytestmark = pytest.mark.usefixtures("inner")

TAKEN, NEW = "dockerlab-test-taken:1", "dockerlab-test-new:1"
SUITE = """
    import json, os, pathlib, signal

    def test_it(lab):
        lab.tag("alpine", "{taken}")
        lab.tag("alpine", "{new}")
        if {watchdog_too}:
            for said in pathlib.Path(os.environ["DOCKERLAB_RUNTIME"]).glob("runs/*/watchdog.json"):
                os.kill(json.loads(said.read_text())["pid"], signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def other(engine: Engine) -> Iterator[str]:
    """An image that has the name ``TAKEN`` before."""
    found = engine.images.import_(iter([b"\0" * 1024]), TAKEN)
    yield found
    for name in (TAKEN, NEW, found):
        try:
            engine.images.remove(name, force=True)
        except NotFound:
            continue


def holder(engine: Engine, name: str) -> str:
    """The id of the image that has a name, ``""`` if none has."""
    try:
        return engine.images.get(name).id
    except NotFound:
        return ""


def settled(engine: Engine, other: str) -> bool:
    """Whether everything is as it was, within ten seconds."""
    deadline = time.monotonic() + 10.0
    while time.monotonic() < deadline:
        if holder(engine, TAKEN) == other and not holder(engine, NEW):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize("workers", [0, 1], ids=["run", "worker"])
def test_a_killed_process_leaves_no_name(pytester: pytest.Pytester, engine: Engine, other: str, workers: int) -> None:
    """The watchdog takes off what a killed run named, the process that leads what a killed worker named."""
    pytester.makepyfile(SUITE.format(taken=TAKEN, new=NEW, watchdog_too=False))
    arguments = ["-n1", "--max-worker-restart=0"] if workers else []
    pytester.runpytest_subprocess(f"--dockerlab-engine={engine.endpoint.url}", *arguments)
    assert settled(engine, other)


def test_the_sweep_takes_off_what_nobody_else_could(
    pytester: pytest.Pytester,
    engine: Engine,
    other: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With run and watchdog dead, the names stay until somebody sweeps."""
    pytester.makepyfile(SUITE.format(taken=TAKEN, new=NEW, watchdog_too=True))
    pytester.runpytest_subprocess(f"--dockerlab-engine={engine.endpoint.url}")
    monkeypatch.setenv("DOCKERLAB_ENGINE", engine.endpoint.url)
    assert main(["sweep", "--dry-run"]) == 0
    assert f"  would remove image name {TAKEN}" in capsys.readouterr().out
    assert holder(engine, TAKEN) == holder(engine, NEW) != other
    assert main(["sweep"]) == 0
    assert f"  removed image name {NEW}" in capsys.readouterr().out
    assert settled(engine, other)
