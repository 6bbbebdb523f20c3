"""From zero to AWS, chapter "send an image as a tar": row B34, from this run's engine to another one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Build, Lab, NotFound, assert_file, image_fixture
from pytest_dockerlab.bases.provide import Bases
from pytest_dockerlab.engine import private
from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.settings import Settings

save_load = image_fixture("save-load", scope="run")


@pytest.fixture(scope="module")
def other_engine() -> Iterator[Engine]:
    """An engine of its own, which has never seen this run's images."""
    endpoint = private.start(os.getpid())
    try:
        engine = Engine(endpoint)
        yield engine
        engine.close()
    finally:
        private.stop(endpoint)


@pytest.fixture
def other_machine(other_engine: Engine) -> Iterator[Lab]:
    """A lab on that engine."""
    with Lab(other_engine, Bases(other_engine, Settings())) as lab:
        yield lab


@pytest.fixture
def saved(lab: Lab, save_load: Build, tmp_path: Path) -> Path:
    """`docker save IMAGE_ID > myimage.tar`"""
    return lab.save(lab.engine.images.get(save_load.id), tmp_path / "myimage.tar")


@pytest.mark.row("B34")
def test_b34_it_is_the_same_image_on_the_other_engine(other_machine: Lab, save_load: Build, saved: Path) -> None:
    """B34: loaded from the tar, the image has the same id and the same layers on the other engine."""
    loaded = other_machine.load(saved)
    assert loaded.id == save_load.id
    assert loaded.layers == save_load.image.layers
    assert_file(loaded, "/test")


@pytest.mark.row("B34")
def test_b34_saved_by_its_id_it_has_no_name(other_machine: Lab, saved: Path) -> None:
    """B34: saved by id, the image loads as <none>."""
    assert other_machine.load(saved).dangling


@pytest.mark.row("B34")
def test_b34_it_runs_there(other_machine: Lab, saved: Path) -> None:
    """B34: a container of the loaded image runs on the other engine, and has the file."""
    loaded = other_machine.load(saved)
    assert other_machine.run(loaded, ["ls", "/test"]).output == "/test\n"


@pytest.mark.row("B34")
def test_b34_saved_by_name_it_keeps_its_name(lab: Lab, other_machine: Lab, save_load: Build, tmp_path: Path) -> None:
    """B34: saved by its name, the image is found under that name on the other engine."""
    lab.tag(save_load, "tutorial-save-load:1.0")
    archive = tmp_path / "named.tar"
    archive.write_bytes(b"".join(lab.engine.images.save("tutorial-save-load:1.0")))
    assert "tutorial-save-load:1.0" in other_machine.load(archive).tags


@pytest.mark.row("B34")
def test_wrong_b34_not_loaded(other_machine: Lab, lab: Lab) -> None:
    """B34: an image that was not carried over is not found on the other engine, and the message has its id."""
    build = lab.build("FROM alpine\nRUN touch only-here\n")
    with pytest.raises(NotFound, match=build.id.removeprefix("sha256:")[:12]):
        other_machine.engine.images.get(build.id)


@pytest.mark.row("B34")
def test_wrong_b34_another_image_was_saved(lab: Lab, other_machine: Lab, tmp_path: Path) -> None:
    """B34: a tar of another image lacks the file, and the check names it."""
    archive = lab.save(lab.build("FROM alpine\nRUN touch other\n"), tmp_path / "other.tar")
    with pytest.raises(AssertionError, match="/test"):
        assert_file(other_machine.load(archive), "/test")
