"""Answers of API 1.52 and later (Docker Engine 29), made by its description: no such engine can be had here.

What left: moby, api/docs/CHANGELOG.md, "v1.52 API changes". The image is of containerd's store, with an attestation.
"""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_dockerlab.checks.layers import layer_count
from pytest_dockerlab.engine.containers import Containers
from pytest_dockerlab.engine.images import Images
from pytest_dockerlab.image.model import Image, ImageConfig
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.run.state import limits_of, state_of

DATA = Path(__file__).parent / "data"
CONTAINER = json.loads((DATA / "container-1.52.json").read_text("utf-8"))
IMAGE = json.loads((DATA / "image-1.52.json").read_text("utf-8"))
# Newest first, and of sizes only: which entries made a layer is left to the reader.
HISTORY = [
    {"Id": IMAGE["Id"], "CreatedBy": 'CMD ["httpd" "-f"]', "Created": 3, "Size": 0,
     "Comment": "buildkit.dockerfile.v0"},
    {"Id": "<missing>", "CreatedBy": "RUN /bin/sh -c true # buildkit", "Created": 2, "Size": 0,
     "Comment": "buildkit.dockerfile.v0"},
    {"Id": "<missing>", "CreatedBy": "COPY /www /www # buildkit", "Created": 1, "Size": 321,
     "Comment": "buildkit.dockerfile.v0"},
]  # fmt: skip


def engine_that_says(answers: dict[str, Any]) -> Any:
    """As much of an engine as verbs look at, with an answer for each path."""

    def answer(method: str, path: str, **options: object) -> Any:
        return answers[path]

    api = SimpleNamespace(json=answer, at_least=lambda version: True)
    return SimpleNamespace(api=api, info=SimpleNamespace(product="Docker Engine"), labels={})


@pytest.fixture
def image() -> Image:
    engine = engine_that_says({"/images/web:1/json": IMAGE, f"/images/{IMAGE['Id']}/history": HISTORY})
    return Images(engine).get("web:1")


def test_a_published_port_is_found_without_the_fields_that_left() -> None:
    """Neither IPAddress nor Gateway stands beside Ports any more."""
    assert not {"IPAddress", "Gateway", "MacAddress", "Bridge"} & CONTAINER["NetworkSettings"].keys()
    containers = Containers(engine_that_says({"/containers/web/json": CONTAINER}))
    assert containers.port("web", 8080) == ("127.0.0.1", 49153)
    assert containers.port("web", 53, "udp") is None


def test_state_and_limits_are_read() -> None:
    """Null is no limit."""
    state = state_of(CONTAINER)
    assert (state.status, state.pid, state.oom_killed) == ("running", 4711, False)
    limits = limits_of(CONTAINER)
    assert (limits.memory, limits.nano_cpus, limits.pids) == (64 * 1024**2, 500_000_000, None)


def test_what_an_image_does_not_say_is_empty(image: Image) -> None:
    """Env, Labels, User and the others are left out where nothing is set."""
    assert image.config == ImageConfig(cmd=("httpd", "-f"))
    assert (image.tags, image.dangling) == (("web:1",), False)


def test_the_id_of_an_index_and_an_attestation_are_no_layers(image: Image) -> None:
    """The id is an index's; its manifests count neither as layers nor as platforms."""
    assert image.id == IMAGE["Descriptor"]["digest"]
    assert image.platform == Platform("linux", "amd64")
    assert layer_count(image, 2).findings == ()


def test_which_instruction_made_which_layer_is_known(image: Image) -> None:
    """A RUN that changes nothing has size 0, as CMD has, and is a layer nevertheless."""
    assert [entry.empty_layer for entry in image.history] == [False, False, True]
