"""An engine's JSON of an image, with and without the fields that newer engines leave out."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_dockerlab.image.inspect import config_of, engine_history, image_from_inspect
from pytest_dockerlab.image.model import Healthcheck, ImageConfig
from pytest_dockerlab.platforms import Platform

OLD: dict[str, Any] = {
    "Id": "sha256:1",
    "RepoTags": ["docker.io/library/python:3.10", "127.0.0.1:5000/x:1"],
    "RepoDigests": ["python@sha256:2"],
    "Created": "2026-01-01T00:00:00Z",
    "Os": "linux",
    "Architecture": "arm64",
    "Variant": "v8",
    "Size": 7,
    "RootFS": {"Type": "layers", "Layers": ["sha256:a"]},
    "Config": {
        "Env": ["A=1=2"],
        "Cmd": ["sh"],
        "Entrypoint": None,
        "User": "",
        "Labels": None,
        "Volumes": {"/v": {}},
        "ExposedPorts": None,
        "OnBuild": None,
        "Healthcheck": {"Test": ["CMD", "true"], "Interval": 30_000_000_000, "Retries": 3},
    },
}


def test_a_whole_answer_is_read() -> None:
    """Names come in familiar form, durations in seconds, the platform normalised."""
    image = image_from_inspect(OLD)
    assert image.tags == ("python:3.10", "127.0.0.1:5000/x:1")
    assert image.platform == Platform("linux", "arm64")
    assert image.env == {"A": "1=2"}
    assert (image.cmd, image.entrypoint, image.labels) == (("sh",), None, {})
    assert image.config.volumes == ("/v",)
    assert image.config.healthcheck == Healthcheck(test=("CMD", "true"), interval=30.0, retries=3)


@pytest.mark.parametrize("config", [{}, None, {"Env": None, "Cmd": None, "Labels": None}])
def test_fields_that_are_left_out_are_the_empty_ones(config: object) -> None:
    """API 1.52 leaves out what is empty, older ones say null: both are the same image."""
    assert image_from_inspect({**OLD, "Config": config}).config == ImageConfig()


def test_an_unnamed_image_is_dangling() -> None:
    """Older engines write <none>:<none>, newer ones nothing."""
    assert image_from_inspect({**OLD, "RepoTags": ["<none>:<none>"], "RepoDigests": ["<none>@<none>"]}).dangling
    assert image_from_inspect({key: value for key, value in OLD.items() if key != "RepoTags"}).dangling


def test_the_engines_history_is_turned_around() -> None:
    """Engines list the newest first; ours starts with the oldest and keeps sizes."""
    rows = [
        {"CreatedBy": "new", "Created": 1, "Size": 5},
        {"CreatedBy": "old", "Created": 0, "Size": 0, "Comment": "c"},
    ]
    first, second = engine_history(rows)
    assert (first.created_by, first.comment, first.created) == ("old", "c", "1970-01-01T00:00:00+00:00")
    assert (second.created_by, second.size, second.empty_layer) == ("new", 5, None)


def test_a_healthcheck_of_none_is_kept() -> None:
    """HEALTHCHECK NONE is a setting, not the absence of one."""
    assert config_of({"Healthcheck": {"Test": ["NONE"]}}).healthcheck == Healthcheck(test=("NONE",))
