"""Cleaning up: what a lab made is gone when it is closed, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Image, Lab, NotFound

pytestmark = pytest.mark.proves("cleanup")


@pytest.fixture
def inner(lab: Lab, alpine: Image) -> Iterator[Lab]:
    """A lab to be closed within the test."""
    with Lab(lab.engine, lab.bases) as made:
        yield made


def gone(ask: Callable[[], object]) -> bool:
    try:
        ask()
    except NotFound:
        return True
    return False


def test_containers_volumes_networks_and_images_go(lab: Lab, inner: Lab, alpine: Image) -> None:
    """Containers, volumes, networks and images of a lab are gone when it is closed, and its base image stays."""
    image = inner.build("FROM alpine\nRUN echo goes > /goes\n", tag="contract-goes:1")
    volume, network = inner.volume(content={"a": "b"}), inner.network()
    box = inner.run(image, ["sleep", "600"], volumes={volume: "/data"}, network=network)
    inner.close()
    engine = lab.engine
    assert gone(lambda: engine.containers.inspect(box.id))
    assert gone(lambda: engine.volumes.inspect(volume.name))
    assert gone(lambda: engine.networks.inspect(network.id))
    assert gone(lambda: engine.images.get("contract-goes:1"))
    assert gone(lambda: engine.images.get(image.id))
    assert engine.images.get(alpine.id).layers == alpine.layers


def test_everything_carries_the_labels_of_its_run(lab: Lab) -> None:
    """All that a lab makes is found by its run's label."""
    wanted = {"org.dockerlab.run": lab.ownership.run}
    image = lab.build("FROM alpine\nRUN echo labelled > /labelled\n")
    volume, network = lab.volume(), lab.network()
    box = lab.create(image, ["true"])
    engine = lab.engine
    assert image.id in {found.id for found in engine.images.list(wanted)}
    assert volume.name in {found.name for found in engine.volumes.list(wanted)}
    assert network.name in {found.name for found in engine.networks.list(wanted)}
    assert box.id in {found.id for found in engine.containers.list(wanted)}


def test_a_container_that_was_removed_is_no_trouble(lab: Lab, inner: Lab) -> None:
    """What somebody else removed already is no trouble at the end."""
    box = inner.run("alpine", ["sleep", "600"])
    lab.engine.containers.remove(box.id, force=True)
    inner.close()
    assert gone(lambda: lab.engine.containers.inspect(box.id))


def test_what_still_runs_is_ended(lab: Lab, inner: Lab) -> None:
    """A container that ignores the stop signal is removed, too."""
    deaf = inner.run("alpine", ["sh", "-c", "trap '' TERM; echo up; while :; do sleep 1; done"], wait="up")
    inner.close()
    assert gone(lambda: lab.engine.containers.inspect(deaf.id))


@pytest.mark.requires("pause")
def test_what_is_frozen_goes(lab: Lab, inner: Lab) -> None:
    """A container that is paused is removed, too."""
    paused = inner.run("alpine", ["sleep", "600"])
    paused.pause()
    inner.close()
    assert gone(lambda: lab.engine.containers.inspect(paused.id))


@pytest.mark.requires("local_files", "host_ownership")
def test_files_of_containers_go(lab: Lab, inner: Lab) -> None:
    """A folder that a container wrote to as another user is removed with what is in it."""
    folder = inner.owned_dir(1111)
    inner.run(
        "alpine", ["sh", "-c", "mkdir /w/deep && touch /w/deep/file"], user="1111", volumes={folder: "/w"}
    ).check()
    assert Path(folder, "deep", "file").exists()
    inner.close()
    assert not Path(folder).exists()


def test_what_others_use_stays(lab: Lab, inner: Lab) -> None:
    """An image that another lab's container still uses stays, and all else goes."""
    image = inner.build("FROM alpine\nRUN echo used > /used\n")
    box = inner.run("alpine", ["sleep", "600"])
    other = lab.create(image, ["true"])
    inner.close()
    assert gone(lambda: lab.engine.containers.inspect(box.id))
    assert lab.engine.images.get(image.id).layers == image.image.layers
    assert other.start().exit_code == 0
