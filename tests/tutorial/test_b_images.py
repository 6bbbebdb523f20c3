"""From zero to AWS, images, their names, and registries: rows B02, B06–B08 and B16."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest

from pytest_dockerlab import (
    Conflict,
    Image,
    Lab,
    NotFound,
    Registry,
    UsageError,
    assert_exit_code,
    assert_transferred,
)
from pytest_dockerlab.image.random import random_image
from pytest_dockerlab.reference import Reference

# The tutorial shares an ubuntu; what is shown is the same with a smaller image.
BASE = "alpine"


@pytest.fixture
def registry(lab: Lab) -> Registry:
    return lab.registry()


@pytest.fixture
def practice(lab: Lab) -> Image:
    """A base with a file made in a container: one layer more, which no other test has."""
    box = lab.run(BASE, ["sh", "-c", f"echo {uuid.uuid4()} > /test"])
    assert_exit_code(box, 0)
    return box.commit()


def name_it(lab: Lab, image: Image, name: str) -> str:
    """`docker tag image name`."""
    lab.tag(image, name)
    return name


# --- B06: names ------------------------------------------------------------------------------


@pytest.mark.row("B06")
@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("ubuntu", "docker.io/library/ubuntu:latest"),
        ("ubuntu:18.04", "docker.io/library/ubuntu:18.04"),
        ("dockerHubId/practice".lower(), "docker.io/dockerhubid/practice:latest"),
        ("wimpykid719/practice:latest", "docker.io/wimpykid719/practice:latest"),
        ("localhost:5000/user/repository:tag", "localhost:5000/user/repository:tag"),
        ("registry.example.com/user/repository", "registry.example.com/user/repository:latest"),
    ],
)
def test_b06_every_part_of_a_name_has_its_default(written: str, meant: str) -> None:
    """B06: registry docker.io, user library, tag latest are filled in where a name leaves them out."""
    assert str(Reference.parse(written)) == meant


@pytest.mark.row("B06")
def test_b06_the_engine_takes_both_forms_for_the_same(lab: Lab) -> None:
    """B06: the short name and the one with all defaults written out are the same image to the engine."""
    image = lab.image("hello-world")
    short = image.tags[0] if "hello-world:latest" not in image.tags else "hello-world:latest"
    assert lab.engine.images.get(str(Reference.parse(short))).id == image.id


@pytest.mark.row("B06")
def test_b06_host_port_user_repository_tag(lab: Lab, registry: Registry, practice: Image) -> None:
    """B06: an image named <host>:<port>/<user>/<repository>:<tag> is pushed to that registry, under that name."""
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice:1.0")
    lab.push(name)
    assert registry.repositories() == ("wimpykid719/practice",)
    assert registry.tags("wimpykid719/practice") == ("1.0",)


@pytest.mark.row("B06")
@pytest.mark.parametrize("written", ["dockerhubid/Practice", "practice:", "user/practice:bad tag", "//practice"])
def test_wrong_b06_not_a_name(written: str) -> None:
    """B06: what can't be a name (upper case, an empty tag, a blank) is refused, with the name in the message."""
    with pytest.raises(UsageError, match="not an image name"):
        Reference.parse(written)


# --- B07: two names, one image ---------------------------------------------------------------


@pytest.mark.row("B07")
def test_b07_two_names_one_id(lab: Lab, practice: Image) -> None:
    """B07: after `docker tag` both names lead to the same image id."""
    first = name_it(lab, practice, f"ubuntu-updated:{uuid.uuid4().hex}")
    second = name_it(lab, practice, f"practice-{uuid.uuid4().hex}:latest")
    assert lab.engine.images.get(first).id == lab.engine.images.get(second).id == practice.id
    assert set(lab.engine.images.get(first).tags) == {first, second}
    for name in (first, second):
        lab.engine.images.remove(name)


@pytest.mark.row("B07")
def test_b07_rmi_by_name_takes_a_name_and_the_last_one_the_image(lab: Lab, practice: Image) -> None:
    """B07: `docker rmi` of one name leaves the image with the other; of the last name, it removes the image."""
    first = name_it(lab, practice, f"ubuntu-updated:{uuid.uuid4().hex}")
    second = name_it(lab, practice, f"practice-{uuid.uuid4().hex}:latest")
    assert lab.engine.images.remove(first) == (f"Untagged: {first}",)
    assert lab.engine.images.get(second).tags == (second,)
    assert f"Deleted: {practice.id}" in lab.engine.images.remove(second)
    with pytest.raises(NotFound):
        lab.engine.images.get(practice.id)


@pytest.mark.row("B07")
def test_wrong_b07_rmi_by_id(lab: Lab, practice: Image) -> None:
    """B07: `docker rmi` by id of an image with two names conflicts, and both names stay."""
    names = {name_it(lab, practice, f"{name}-{uuid.uuid4().hex}:latest") for name in ("ubuntu-updated", "practice")}
    with pytest.raises(Conflict, match=r"multiple repositories|more than one"):
        lab.engine.images.remove(practice.id)
    assert set(lab.engine.images.get(practice.id).tags) == names
    for name in names:
        lab.engine.images.remove(name)


# --- B08 and B02: push and pull --------------------------------------------------------------


@pytest.mark.row("B08")
def test_b08_only_what_the_registry_lacks_is_sent(lab: Lab, registry: Registry, practice: Image) -> None:
    """B08: with the base in the registry, a push of the base and one layer sends that layer only."""
    base = lab.image(BASE)
    lab.push(name_it(lab, base, f"{registry.address}/library/base:latest"))
    pushed = lab.push(name_it(lab, practice, f"{registry.address}/library/base:updated"))
    assert_transferred(pushed, 1, kept=len(base.layers))


@pytest.mark.row("B08")
def test_b08_pushed_again_nothing_is_sent(lab: Lab, registry: Registry, practice: Image) -> None:
    """B08: a second push of the same image finds every layer there."""
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice")
    assert_transferred(lab.push(name), len(practice.layers))
    assert_transferred(lab.push(name), 0, kept=len(practice.layers))


@pytest.mark.row("B08")
def test_b08_removed_and_pulled_again_it_is_the_same(lab: Lab, registry: Registry, practice: Image) -> None:
    """B08: after push, removal and pull, digest and image id are those of before."""
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice:latest")
    pushed = lab.push(name)
    assert pushed.digest == registry.digest("wimpykid719/practice")
    lab.engine.images.remove(name)
    with pytest.raises(NotFound):
        lab.engine.images.get(name)
    pulled = lab.pull(name)
    assert pulled.digest == pushed.digest
    assert lab.engine.images.get(name).id == practice.id
    lab.engine.images.remove(name)


@pytest.mark.row("B08")
def test_wrong_b08_the_registry_has_nothing_yet(lab: Lab, registry: Registry, practice: Image) -> None:
    """B08: pushed to a registry that lacks the base, too, every layer is sent, and the message lists each."""
    pushed = lab.push(name_it(lab, practice, f"{registry.address}/wimpykid719/practice"))
    with pytest.raises(AssertionError, match=rf"(?s){len(practice.layers)} layers moved, 0 of .*Pushed"):
        assert_transferred(pushed, 1, kept=len(practice.layers) - 1)


@pytest.mark.row("B08")
def test_wrong_b08_another_image_under_the_same_name(lab: Lab, registry: Registry, practice: Image) -> None:
    """B08: with another image pushed under the name meanwhile, what is pulled again has another digest and id."""
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice:latest")
    first = lab.push(name)
    lab.push(name_it(lab, lab.image("hello-world"), name))
    lab.engine.images.remove(name)
    pulled = lab.pull(name)
    assert pulled.digest != first.digest
    assert lab.engine.images.get(name).id != practice.id
    lab.engine.images.remove(name)


@pytest.mark.row("B02")
def test_b02_layers_that_are_there_are_not_pulled_again(lab: Lab, registry: Registry, practice: Image) -> None:
    """B02: of a base with one layer more only that layer is pulled where the base is already."""
    base = lab.image(BASE)
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice:latest")
    lab.push(name)
    lab.engine.images.remove(name)
    assert_transferred(lab.pull(name), 1, kept=len(base.layers))
    lab.engine.images.remove(name)


@pytest.mark.row("B02")
def test_b02_an_image_comes_layer_by_layer(lab: Lab, registry: Registry, practice: Image) -> None:
    """B02: a pull speaks of each layer of the image."""
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice:latest")
    lab.push(name)
    lab.engine.images.remove(name)
    pulled = lab.pull(name)
    assert len(pulled.layers) == len(lab.engine.images.get(name).layers)
    assert {layer.id for layer in assert_transferred(pulled, 1)} < {layer.id for layer in pulled.layers}
    lab.engine.images.remove(name)


@pytest.mark.row("B02")
def test_wrong_b02_the_base_is_not_there(lab: Lab, registry: Registry, tmp_path: Path) -> None:
    """B02: on an engine that lacks the base, its layers are pulled as well, and the message lists each."""
    # Loaded, so that no build cache keeps its layers when the image is gone.
    archive = tmp_path / "two.tar"
    archive.write_bytes(random_image(uuid.uuid4().int, layers=2).docker_save())
    both = lab.load(archive)
    name = name_it(lab, both, f"{registry.address}/wimpykid719/practice:latest")
    lab.push(name)
    for each in lab.engine.images.get(both.id).tags or (both.id,):
        lab.engine.images.remove(each)
    pulled = lab.pull(name)
    with pytest.raises(AssertionError, match=r"(?s)2 layers moved, 0 of 2 were there.*1 layer moved.*Pull complete"):
        assert_transferred(pulled, 1, kept=1)
    lab.engine.images.remove(name)


# --- B16: dangling images --------------------------------------------------------------------


@pytest.mark.row("B16")
def test_b16_without_a_tag_it_is_dangling(lab: Lab) -> None:
    """B16: `docker build .` makes an image without a name, `<none>`."""
    build = lab.build(f"FROM ubuntu:latest\nRUN echo {uuid.uuid4()} > test\n", tag="")
    assert lab.engine.images.get(build.id).dangling


@pytest.mark.row("B16")
def test_b16_with_a_tag_it_has_its_name(lab: Lab) -> None:
    """B16: `docker build -t new-ubuntu:latest .` gives the image this name, and it is run by it."""
    build = lab.build("FROM ubuntu:latest\nRUN touch test\n", tag=f"new-ubuntu-{uuid.uuid4().hex}:latest")
    assert not build.image.dangling
    assert lab.run(build, ["ls", "/test"]).output == "/test\n"


@pytest.mark.row("B16")
def test_wrong_b16_not_tagged(lab: Lab) -> None:
    """B16: an image that was built without the name is not found by it, and the message has the name."""
    lab.build(f"FROM alpine\nRUN echo {uuid.uuid4()} > test\n")
    name = f"new-ubuntu-{uuid.uuid4().hex}:latest"
    with pytest.raises(NotFound, match=name):
        lab.engine.images.get(name)
