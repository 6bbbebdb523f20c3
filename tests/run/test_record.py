"""A container's spec as JSON and back."""

from __future__ import annotations

import json

import pytest

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.run.parse import parse_run
from pytest_dockerlab.run.record import spec_from_json, spec_to_json
from pytest_dockerlab.run.spec import RunSpec


def test_what_is_written_is_read_again() -> None:
    """Every kind of setting survives JSON."""
    spec = parse_run(
        "alpine",
        ["sleep", "60"],
        entrypoint=["sh"],
        env={"A": "1"},
        user="1111:1111",
        workdir="/w",
        volumes={"/tmp": "/host:ro"},
        tmpfs={"/scratch": "64m"},
        ports=[8888, "53/udp"],
        cpus=1.5,
        memory="512m",
        memory_swap=-1,
        pids=9,
        network="net",
        aliases=["db"],
        hostname="h",
        extra_hosts={"a.invalid": "127.0.0.1"},
        read_only=True,
        cap_add=["NET_ADMIN"],
        platform="linux/arm64",
        name="n",
        labels={"a": "b"},
        healthcheck=Healthcheck(test=("CMD", "true"), interval=1.0),
        rm=True,
    )
    assert spec_from_json(json.loads(json.dumps(spec_to_json(spec)))) == spec


def test_defaults_are_left_out() -> None:
    """Most containers are a few words."""
    assert spec_to_json(RunSpec(image="alpine")) == {"image": "alpine"}
    assert spec_from_json({"image": "alpine"}) == RunSpec(image="alpine")


@pytest.mark.parametrize("record", [{}, {"image": "a", "colour": "red"}, {"image": "a", "limits": 3}, None, [1]])
def test_what_was_not_written_here_is_refused(record: object) -> None:
    """Records of another version are no containers."""
    with pytest.raises(FormatError, match="not the record of a container"):
        spec_from_json(record)  # type: ignore[arg-type]
