"""Names on images that are not a run's go with the run, and go back to who had them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_dockerlab.cli import main
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private import registry
from pytest_dockerlab.errors import Conflict, NotFound
from pytest_dockerlab.image.random import random_image
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.reaping import names

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


def settled(engine: Engine, other: str, taken: str = TAKEN, new: str = NEW) -> bool:
    """Whether everything is as it was, sooner or later."""
    deadline = time.monotonic() + 120.0
    while time.monotonic() < deadline:
        if holder(engine, taken) == other and not holder(engine, new):
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


PULL = """
    import os, signal
    from pytest_dockerlab.engine.images import Images

    def test_it(lab, monkeypatch):
        tag = Images.tag

        def killed(images, ref, name):
            if {named}:
                tag(images, ref, name)
            os.kill(os.getpid(), signal.SIGKILL)

        monkeypatch.setattr(Images, "tag", killed)
        lab.pull("{name}", platform="{platform}")
"""


@pytest.fixture
def published(engine: Engine, tmp_path: Path, need: Callable[[str], None]) -> Iterator[tuple[str, Platform, str]]:
    """An image for another platform in a registry, its platform, and the id of an image that has its name here."""
    need(registry.missing())
    own = engine.info.platform
    other = replace(own, architecture="amd64" if own.architecture == "arm64" else "arm64")
    with registry.RegistryProcess(tmp_path / "registry") as process:
        name = f"{process.address}/names:1"
        engine.images.load(iter([replace(random_image(5, tags=[name]), platform=other).docker_save()]))
        engine.images.push(name)
        engine.images.remove(name)
        yield name, other, engine.images.import_(iter([b"\0" * 1024]), name)
        engine.images.remove(name, force=True)


@pytest.mark.parametrize("named", [False, True], ids=["pulled", "named"])
def test_a_pull_for_another_platform_that_is_killed_moves_no_name(
    pytester: pytest.Pytester, engine: Engine, published: tuple[str, Platform, str], named: bool
) -> None:
    """A name that holds one image means the engine's own platform's again, whenever the run is killed."""
    name, platform, own = published
    pytester.makepyfile(PULL.format(name=name, platform=platform, named=named))
    pytester.runpytest_subprocess(f"--dockerlab-engine={engine.endpoint.url}")
    there = f"{str(platform).replace('/', '-')}.dockerlab.invalid/{name.replace(':', '-', 1)}"
    assert settled(engine, own, taken=name, new=there)


def test_a_name_of_an_image_in_use_goes_back(engine: Engine, other: str, tmp_path: Path) -> None:
    """An image of which somebody runs a container keeps no name that another one had before."""
    engine.images.tag("alpine", NEW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine.images, "remove", lambda name: (_ for _ in ()).throw(Conflict(f"{name} is in use")))
        assert names.take_off(engine, [names.Name(name=NEW, previous=other)]) == [f"image {NEW}: {NEW} is in use"]
    assert holder(engine, NEW) == other
