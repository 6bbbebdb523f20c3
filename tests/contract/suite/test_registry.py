"""Registries: what is pushed, what is there already, and what comes back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import requests

from pytest_dockerlab import (
    BaseImageMissing,
    Build,
    Image,
    Lab,
    NotFound,
    Registry,
    assert_layer_count,
    assert_platform,
    assert_transferred,
)
from pytest_dockerlab.image.archive import open_images
from pytest_dockerlab.image.random import random_image
from pytest_dockerlab.platforms import same

BOTH = ("linux/amd64", "linux/arm64")

pytestmark = [pytest.mark.proves("registry"), pytest.mark.requires("loopback_registry")]


@pytest.fixture(scope="module")
def registry(lab_module: Lab) -> Registry:
    return lab_module.registry()


@pytest.fixture
def pushed(lab: Lab, registry: Registry, request: pytest.FixtureRequest) -> str:
    """An image of one layer over its base, under a name in the registry: a commit, whose layer no build cache keeps."""
    name = registry.name(f"team/{request.node.name.replace('_', '-')}:1.0")
    lab.run("alpine", ["sh", "-c", f"echo {name} > /name"]).check().commit(name)
    return name


def test_a_push_sends_each_layer_once(lab: Lab, registry: Registry, pushed: str, alpine: Image) -> None:
    """A push sends the layers that the registry lacks, and a second push none."""
    layers = len(alpine.layers) + 1
    lab.push(pushed)
    assert_transferred(lab.push(pushed), 0, kept=layers)
    repository = pushed.partition("/")[2].partition(":")[0]
    assert registry.tags(repository) == ("1.0",)
    assert len(registry.manifest(repository, "1.0")["layers"]) == layers


def test_a_pull_brings_what_is_missing(lab: Lab, pushed: str, alpine: Image) -> None:
    """A pull brings the layers that the engine lacks, and the image is the same."""
    lab.push(pushed)
    before = lab.engine.images.get(pushed)
    lab.engine.images.remove(pushed)
    transfer = lab.pull(pushed)
    assert_transferred(transfer, 1, kept=len(alpine.layers))
    assert lab.engine.images.get(pushed).layers == before.layers
    assert lab.run(pushed, ["cat", "/name"]).output == f"{pushed}\n"


def test_a_digest_names_the_image(lab: Lab, registry: Registry, pushed: str) -> None:
    """A push tells the digest under which the registry has the image."""
    transfer = lab.push(pushed)
    repository = pushed.partition("/")[2].partition(":")[0]
    assert transfer.digest == registry.digest(repository, "1.0")


def test_an_attestation_is_no_part_of_an_image(lab: Lab, registry: Registry, tmp_path: Path) -> None:
    """An image with attestations beside it, as buildx pushes it, has its own layers, platform and files only."""
    name = registry.name("team/attested:1")
    made = replace(random_image(7, layers=2, tags=(name,)), platform=lab.engine.info.platform)
    publish(registry, "team/attested", "1", *made.attested())
    lab.pull(name)
    image = lab.image(name)
    assert_layer_count(image, 2)
    assert image.layers == made.diff_ids()
    assert_platform(image, made.platform)
    (read,) = open_images(lab.save(name, tmp_path / "attested.tar"))
    assert (read.layers, read.platform) == (made.diff_ids(), made.platform)


def publish(registry: Registry, repository: str, tag: str, index: str, blobs: Mapping[str, tuple[str, bytes]]) -> None:
    """Into the registry, by its API: blobs first, then what names them (distribution-spec)."""
    base = f"http://{registry.address}/v2/{repository}"
    order = sorted(blobs.items(), key=lambda item: (item[0] == index, "manifest" in item[1][0]))
    with requests.Session() as session:
        session.trust_env = False
        for digest, (kind, content) in order:
            if kind.endswith((".manifest.v1+json", ".index.v1+json")):
                place = f"{base}/manifests/{tag if digest == index else digest}"
                session.put(place, data=content, headers={"Content-Type": kind}).raise_for_status()
            else:
                upload = session.post(f"{base}/blobs/uploads/").headers["Location"]
                session.put(upload, params={"digest": digest}, data=content).raise_for_status()


@pytest.fixture
def several(lab: Lab, tmp_path: Path) -> dict[str, Build]:
    """An image for each of two platforms."""
    built = {}
    for platform in BOTH:
        (tmp_path / "Dockerfile").write_text(f"FROM scratch\nENV OF={platform}\nCOPY Dockerfile /\n")
        built[platform] = lab.build(tmp_path, platform=platform)
    return built


def test_a_name_for_several_platforms_gives_each_pull_its_own(lab: Lab, several: dict[str, Build]) -> None:
    """A pull gets its platform's image of a name that stands for several."""
    registry = lab.registry()
    digests = registry.push_list("team/several:1", *several.values())
    rows = registry.manifest("team/several", "1")["manifests"]
    assert {row["digest"]: row["platform"]["architecture"] for row in rows} == {
        digest: platform.architecture for platform, digest in digests.items()
    }
    name = registry.name("team/several:1")
    for platform in (*BOTH, *reversed(BOTH)):
        lab.pull(name, platform=platform)
        image = lab.engine.images.get(name)
        assert (str(image.platform), image.config.env["OF"]) == (platform, platform)


def test_a_pull_for_another_platform_leaves_the_name(lab: Lab, registry: Registry, several: dict[str, Build]) -> None:
    """A base for another platform comes beside the engine's own, whose name stays."""
    registry.push_list("team/beside:1", *several.values())
    name, own = registry.name("team/beside:1"), lab.engine.info.platform
    lab.pull(name)
    for platform in BOTH:
        lab.pull(name, platform=platform)
        assert lab.image(name, platform=platform).config.env["OF"] == platform
        assert same(lab.engine.images.get(name).platform, own)


def test_what_the_registry_lacks_is_not_found(lab: Lab, registry: Registry) -> None:
    """A name that the registry does not have is told."""
    with pytest.raises((NotFound, BaseImageMissing), match="no-such-image"):
        lab.pull(registry.name("no-such-image:1"))
