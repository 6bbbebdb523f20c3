"""From zero to AWS, images, their names, and registries: rows B02, B06–B08 and B16."""

from __future__ import annotations

import uuid

import pytest

from pytest_dockerlab import (
    Conflict,
    Image,
    Lab,
    NotFound,
    Registry,
    UsageError,
    assert_exit_code,
    assert_layers_added,
)
from pytest_dockerlab.reference import Reference

ALREADY = {"Already exists", "Layer already exists"}
SENT = {"Pushed", "Pull complete"}
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
    statuses = [layer.status for layer in pushed.layers]
    assert statuses.count("Pushed") == 1
    assert statuses.count("Layer already exists") == len(base.layers)


@pytest.mark.row("B08")
def test_b08_pushed_again_nothing_is_sent(lab: Lab, registry: Registry, practice: Image) -> None:
    """B08: a second push of the same image finds every layer there."""
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice")
    lab.push(name)
    assert {layer.status for layer in lab.push(name).layers} == {"Layer already exists"}


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
def test_wrong_b08_another_image_under_the_same_name(lab: Lab, registry: Registry, practice: Image) -> None:
    """B08: another image under the same name has another digest, and shows as layers that are not shared."""
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice:latest")
    first = lab.push(name)
    other = lab.image("hello-world")
    name_it(lab, other, name)
    second = lab.push(name)
    assert second.digest != first.digest
    with pytest.raises(AssertionError, match="not built on"):
        assert_layers_added(practice, over=other)
    lab.engine.images.remove(name)


@pytest.mark.row("B02")
def test_b02_layers_that_are_there_are_not_pulled_again(lab: Lab, registry: Registry, practice: Image) -> None:
    """B02: of a base with one layer more only that layer is pulled where the base is already."""
    base = lab.image(BASE)
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice:latest")
    lab.push(name)
    lab.engine.images.remove(name)
    pulled = lab.pull(name)
    statuses = [layer.status for layer in pulled.layers]
    assert statuses.count("Already exists") == len(base.layers)
    assert statuses.count("Pull complete") == 1
    lab.engine.images.remove(name)


@pytest.mark.row("B02")
def test_b02_an_image_comes_layer_by_layer(lab: Lab, registry: Registry, practice: Image) -> None:
    """B02: a pull speaks of each layer of the image."""
    name = name_it(lab, practice, f"{registry.address}/wimpykid719/practice:latest")
    lab.push(name)
    lab.engine.images.remove(name)
    pulled = lab.pull(name)
    assert len(pulled.layers) == len(lab.engine.images.get(name).layers)
    assert {layer.status for layer in pulled.layers} <= ALREADY | SENT
    lab.engine.images.remove(name)


@pytest.mark.row("B02")
def test_wrong_b02_another_base(lab: Lab, practice: Image) -> None:
    """B02: an image on another base has other layers, of which none needs to be there, and the message says so."""
    with pytest.raises(AssertionError, match="not built on"):
        assert_layers_added(lab.image("hello-world"), over=practice)


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
