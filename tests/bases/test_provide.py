"""Which way a base image comes, and what is said when none leads to it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_dockerlab.bases import Bases
from pytest_dockerlab.bases.catalogue import KEY, LABEL, RECIPES, content_key
from pytest_dockerlab.bases.deliver import foreign_name
from pytest_dockerlab.bases.host import Host
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.errors import BaseImageMissing, LabError, NotFound
from pytest_dockerlab.image.model import Image, ImageConfig
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.reference import Reference
from pytest_dockerlab.settings import Settings

HOST = Host(distribution="fedora", pretty="Fedora 41")
CURRENT = {LABEL: "hello-world", KEY: content_key(RECIPES["hello-world"], HOST, Platform())}
STALE = {LABEL: "hello-world", KEY: "old"}


class FakeImages:
    """What an engine has, and what its registries would give."""

    def __init__(self) -> None:
        self.here: dict[str, Image] = {}
        self.ids: dict[str, Image] = {}  # an image stays when its name goes to another one
        self.there: dict[str, Image | LabError] = {}
        self.asked: list[str] = []

    def get(self, name: str) -> Image:
        if name not in self.here:
            raise NotFound(f"no such image: {name}")
        self.ids[self.here[name].id] = self.here[name]
        return self.here[name]

    def pull(self, name: str, platform: Platform | None = None, on_progress: object = None) -> None:
        self.asked.append(name)
        found = self.there.get(name, NotFound(f"pull of {name}: manifest unknown"))
        if isinstance(found, LabError):
            raise found
        self.here[name.removeprefix("docker.io/library/")] = found

    def tag(self, name: str, other: str) -> None:
        # By name or by id.
        self.here[other] = self.here.get(name) or self.ids[name]

    def remove(self, name: str, force: bool = False) -> None:
        del self.here[name]


def _image(labels: dict[str, str] | None = None, platform: Platform | None = None) -> Image:
    identity = f"sha256:{platform or 1}"
    return Image(id=identity, layers=(), platform=platform or Platform(), config=ImageConfig(labels=labels or {}))


@pytest.fixture
def images(monkeypatch: pytest.MonkeyPatch) -> FakeImages:
    monkeypatch.setattr("pytest_dockerlab.bases.provide.read_host", lambda: HOST)
    return FakeImages()


def _bases(images: FakeImages, *, hub: bool = True, private: bool = False, **settings: Any) -> Bases:
    engine: Any = SimpleNamespace(
        images=images,
        endpoint=Endpoint(url="unix:///x", name="engine", source="test", private=private),
        info=SimpleNamespace(platform=Platform()),
        capabilities=SimpleNamespace(has=lambda name: hub),
        scratch=None,
    )
    return Bases(engine, Settings(**settings))


def test_what_is_there_is_used(images: FakeImages) -> None:
    """An image that the engine has is not pulled, and is asked for once."""
    images.here["hello-world:latest"] = _image()
    bases = _bases(images)
    provided = bases.ensure("hello-world")
    assert (provided.kind, provided.standin, provided.reference) == ("present", False, "hello-world:latest")
    assert bases.ensure("docker.io/library/hello-world:latest") is provided
    assert bases.report() == (provided,)
    assert images.asked == []


def test_a_current_stand_in_is_used_as_one(images: FakeImages) -> None:
    """A stand-in that would be made just so is present, and is called what it is."""
    images.here["hello-world:latest"] = _image(CURRENT)
    provided = _bases(images).ensure("hello-world")
    assert (provided.kind, provided.standin) == ("present", True)


@pytest.mark.parametrize(("labels", "bases"), [(STALE, "auto"), (CURRENT, "pull"), (STALE, "pull")])
def test_the_real_one_replaces_a_stand_in_that_will_not_do(
    images: FakeImages, labels: dict[str, str], bases: str
) -> None:
    """A stale stand-in, or any where only real images are wanted, is not used while the real one can be pulled."""
    images.here["hello-world:latest"] = _image(labels)
    images.there["hello-world:latest"] = _image()
    provided = _bases(images, bases=bases).ensure("hello-world")
    assert (provided.kind, provided.standin) == ("pulled", False)


def test_a_user_image_built_on_a_stand_in_is_no_stand_in(images: FakeImages) -> None:
    """Labels are inherited; only the names that have a recipe are judged by them."""
    images.here["mine:1"] = _image(STALE)
    assert _bases(images, bases="pull").ensure("mine:1").kind == "present"


def test_a_mirror_is_asked_first(images: FakeImages) -> None:
    """A mirror that was named serves the image under its own name; a private engine gets the plain name, too."""
    images.there["mirror.example/library/hello-world:latest"] = _image()
    provided = _bases(images, mirror="mirror.example").ensure("hello-world")
    assert (provided.kind, provided.reference) == ("mirror", "mirror.example/library/hello-world:latest")
    ours = _bases(images, mirror="mirror.example", private=True).ensure("hello-world")
    assert (ours.kind, ours.reference) == ("mirror", "hello-world:latest")


def test_a_name_without_a_stand_in_says_what_was_tried(images: FakeImages) -> None:
    """Each way that failed has its line with the reason, and the remedy names the next step."""
    images.there["mirror.example/library/nginx:latest"] = BaseImageMissing("connection refused")
    with pytest.raises(BaseImageMissing) as caught:
        _bases(images, mirror="mirror.example").ensure("nginx")
    assert str(caught.value) == (
        "the base image nginx:latest is not on the engine:\n"
        "  - the mirror that default names, mirror.example: connection refused\n"
        "  - pulling it: pull of nginx:latest: manifest unknown\n"
        "  - there is no stand-in for this name\n"
        "  → name a mirror of Docker Hub (--dockerlab-mirror HOST),"
        " or bring it yourself: docker pull nginx:latest, or docker load"
    )


def test_a_rate_limit_is_called_one(images: FakeImages) -> None:
    """When Docker Hub limits pulls and no stand-in is wanted, the message says so and how to go on."""
    images.there["hello-world:latest"] = BaseImageMissing("toomanyrequests: you have reached your pull rate limit")
    with pytest.raises(BaseImageMissing, match="counts anonymous pulls per address, over six hours") as caught:
        _bases(images, bases="pull").ensure("hello-world")
    assert "docker login" in caught.value.remedy
    assert "--dockerlab-bases auto" in caught.value.remedy
    assert "a stand-in is not wanted (default is pull)" in caught.value.what


def test_a_stand_in_from_a_mirror_is_not_the_image(images: FakeImages) -> None:
    """Where only real images are wanted, what an engine's mirror serves in their place is refused."""
    images.there["hello-world:latest"] = _image(CURRENT)
    with pytest.raises(BaseImageMissing, match="the engine's own mirror serves a stand-in, not the image"):
        _bases(images, bases="pull").ensure("hello-world")


def test_a_digest_is_never_stood_in_for(images: FakeImages) -> None:
    """A digest names one image and no other."""
    name = "hello-world@sha256:" + "0" * 64
    with pytest.raises(BaseImageMissing, match="there is no stand-in for this name"):
        _bases(images, bases="stand-in").ensure(name)
    assert images.asked == [name]


def test_packages_that_are_missing_are_told(images: FakeImages) -> None:
    """A stand-in that can't be made here is the last of the reasons, with its own remedy."""
    with pytest.raises(BaseImageMissing) as caught:
        _bases(images, hub=False).ensure("ubuntu")
    assert "  - Docker Hub does not answer\n  - stand-in: " in caught.value.what
    assert images.asked == []


ARM64 = Platform("linux", "arm64")
ARM64_NAME = "linux-arm64.dockerlab.invalid/library/hello-world:latest"


@pytest.mark.parametrize("there_before", [True, False])
def test_an_image_for_another_platform_has_a_name_of_its_own(images: FakeImages, there_before: bool) -> None:
    """The ordinary name stays the engine's own platform's, or stays free; ours is taken off at the end."""
    if there_before:
        images.here["hello-world:latest"] = _image()
    images.there["hello-world:latest"] = _image(platform=ARM64)
    bases = _bases(images)
    provided = bases.ensure("hello-world", ARM64)
    assert (provided.kind, provided.reference, provided.title) == (
        "pulled",
        ARM64_NAME,
        "hello-world:latest for linux/arm64",
    )
    assert provided.image.platform == ARM64
    assert bases.ensure("hello-world", Platform.parse("arm64")) is provided
    assert ("hello-world:latest" in images.here) is there_before
    assert all(image.platform == Platform() for name, image in images.here.items() if name != ARM64_NAME)
    bases.close()
    assert ARM64_NAME not in images.here


def test_the_engines_own_platform_is_no_other_one(images: FakeImages) -> None:
    """Asked for by name it is what nobody named."""
    images.here["hello-world:latest"] = _image()
    bases = _bases(images)
    assert bases.ensure("hello-world", Platform()) is bases.ensure("hello-world")


def test_an_image_of_another_platform_will_not_do(images: FakeImages) -> None:
    """A name that means another platform's image is not used unseen: the own one is pulled."""
    images.here["hello-world:latest"] = _image(platform=ARM64)
    images.there["hello-world:latest"] = _image()
    provided = _bases(images).ensure("hello-world")
    assert (provided.kind, provided.image.platform) == ("pulled", Platform())


def test_what_somebody_pulled_for_another_platform_gets_our_name(images: FakeImages) -> None:
    """Nothing is pulled again; his own name may move any time."""
    images.here["hello-world:latest"] = _image(platform=ARM64)
    provided = _bases(images).ensure("hello-world", ARM64)
    assert (provided.kind, provided.reference) == ("present", ARM64_NAME)
    assert images.asked == []


@pytest.mark.parametrize(
    ("ref", "name"),
    [
        ("alpine", "linux-arm64.dockerlab.invalid/library/alpine:latest"),
        ("team/app:1", "linux-arm64.dockerlab.invalid/team/app:1"),
        ("ghcr.io/team/app:1", "linux-arm64.dockerlab.invalid/ghcr.io/team/app:1"),
        ("localhost:5000/app:1", "linux-arm64.dockerlab.invalid/localhost-5000/app:1"),
        (f"app@sha256:{'a' * 64}", f"linux-arm64.dockerlab.invalid/library/app:{'a' * 12}"),
    ],
)
def test_names_for_another_platform_are_names(ref: str, name: str) -> None:
    """Of every registry, with a tag, and different where the images are."""
    assert foreign_name(Reference.parse(ref), ARM64) == name
    assert str(Reference.parse(name)) == name
