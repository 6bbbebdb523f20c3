"""Assertions on images, builds and files, on a real engine: what holds, and how it looks when it does not."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

import pytest

from pytest_dockerlab.assertions import (
    assert_architecture,
    assert_cmd,
    assert_context_size,
    assert_entrypoint,
    assert_env,
    assert_exposes,
    assert_file,
    assert_healthcheck,
    assert_image_size,
    assert_label,
    assert_layer_count,
    assert_layer_of,
    assert_layers_added,
    assert_mode,
    assert_native,
    assert_no_file,
    assert_no_layer_of,
    assert_no_secret,
    assert_owner,
    assert_platform,
    assert_shares_layers,
    assert_transferred,
    assert_user,
    assert_volumes,
    assert_wasted_bytes,
    assert_workdir,
)
from pytest_dockerlab.bases.blobs import Entry, tar_of
from pytest_dockerlab.bases.hello import hello_program
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import CheckFailed
from pytest_dockerlab.lab import Build, Container, Lab
from pytest_dockerlab.platforms import Platform

PASSWORD = "correct-horse-battery"

DOCKERFILE = """
FROM alpine
ENV PYTHON_VER=3.10
LABEL example=1
RUN mkdir -m 1777 /data && head -c 4096 /dev/zero > /data/cache && echo hello > /data/greeting
RUN rm /data/cache && chown 1111:1111 /data/greeting && chmod 640 /data/greeting
COPY secret.txt /secret.txt
RUN rm /secret.txt && ln -s data/greeting /link
WORKDIR /work
EXPOSE 8888
VOLUME /data
USER 1111
HEALTHCHECK CMD wget -q localhost
ENTRYPOINT ["ls"]
CMD ["--help"]
"""


@pytest.fixture(scope="module")
def shop(lab_module: Lab, tmp_path_factory: pytest.TempPathFactory) -> Build:
    folder = tmp_path_factory.mktemp("shop")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    (folder / "secret.txt").write_text(f"password={PASSWORD}\n")
    return lab_module.build(folder)


@pytest.fixture(scope="module")
def shelf(lab_module: Lab, shop: Build) -> Container:
    """A container that was created only."""
    return lab_module.create(shop, env={"EXTRA": "1"}, user="2222")


def test_layers_over_the_base(shop: Build) -> None:
    """Five steps make layers; the base's own are not counted."""
    added = assert_layers_added(shop, over=shop.base, count=5)
    assert added == shop.image.layers[-5:]
    assert assert_layer_count(shop, len(shop.base.layers) + 5) == shop.image.layers
    assert assert_shares_layers(shop, shop.base, len(shop.base.layers)) == shop.base.layers
    with pytest.raises(CheckFailed, match=r"(?s)adds 5 layers to .*expected: 4 added layers.*RUN mkdir -m 1777 /data"):
        assert_layers_added(shop, over=shop.base, count=4)
    with pytest.raises(CheckFailed, match=r"has \d+ layers\n  expected: 1 layer\n"):
        assert_layer_count(shop, 1)
    with pytest.raises(CheckFailed, match=r"share \d+ layers?\n  expected: 99 shared layers"):
        assert_shares_layers(shop, shop.base, 99)


def test_another_base_is_recognised(lab: Lab, shop: Build, tmp_path: Path) -> None:
    """An image from scratch is built on nothing of alpine."""
    (tmp_path / "file").write_text("x")
    other = lab.build("FROM scratch\nCOPY file /x\n", context=tmp_path)
    with pytest.raises(CheckFailed, match=r"is not built on .*: layer 1 differs"):
        assert_layers_added(other, over=shop.base)


def test_layers_of_instructions(shop: Build) -> None:
    """RUN and COPY have one, ENV and CMD have none."""
    copied = assert_layer_of(shop, "COPY secret.txt")
    assert copied.diff_id == shop.image.layers[len(shop.base.layers) + 2]
    assert [row.text for row in assert_no_layer_of(shop, re.compile("^(ENV|LABEL) (PYTHON|example)"))] == [
        "ENV PYTHON_VER=3.10",
        "LABEL example=1",
    ]
    with pytest.raises(CheckFailed, match=r"ENV PYTHON_VER=3.10 made no layer"):
        assert_layer_of(shop, "PYTHON_VER")
    with pytest.raises(CheckFailed, match=r"COPY secret.txt /secret.txt.* made a layer"):
        assert_no_layer_of(shop, "COPY secret.txt")


def test_size_and_waste(shop: Build) -> None:
    """What a later layer deletes or changes is wasted, and named."""
    assert assert_image_size(shop, "1g") == shop.image.size
    with pytest.raises(CheckFailed, match=r"expected: at most 1 KiB"):
        assert_image_size(shop, "1k")
    waste = assert_wasted_bytes(shop, "1m", over=shop.base)
    assert {file.path for file in waste.files} == {"/data/cache", "/data/greeting", "/secret.txt"}
    with pytest.raises(
        CheckFailed, match=r"(?s)hidden by later layers.*4 KiB /data/cache \(from layer \d+, deleted in"
    ):
        assert_wasted_bytes(shop, over=shop.base)


def test_metadata(shop: Build) -> None:
    """Each setting of the image, and the evidence for it."""
    assert assert_env(shop, "PYTHON_VER", "3.10") == assert_env(shop, PYTHON_VER="3.10") == {"PYTHON_VER": "3.10"}
    assert assert_env(shop, {"NOPE": None}) == {}
    assert assert_label(shop, "example") == "1"
    assert assert_entrypoint(shop, ["ls"]) == ("ls",)
    assert assert_cmd(shop, ["--help"]) == ("--help",)
    assert assert_workdir(shop, "/work") == "/work"
    assert assert_user(shop, 1111) == "1111"
    assert assert_exposes(shop, 8888) == ("8888/tcp",)
    assert assert_volumes(shop, "/data") == ("/data",)
    assert "wget" in assert_healthcheck(shop, "wget").test[-1]
    assert assert_architecture(shop, shop.image.platform.architecture) == shop.image.platform.architecture
    assert assert_platform(shop, shop.image.platform) == shop.image.platform


def test_metadata_that_differs(shop: Build) -> None:
    """Each finding names what is there instead."""
    with pytest.raises(CheckFailed, match=r"PYTHON_VER to '3.10'\n.*\n  expected: '3.9'"):
        assert_env(shop, PYTHON_VER="3.9")
    with pytest.raises(CheckFailed, match=r"expected: '2'\n  found:    '1'"):
        assert_label(shop, "example", "2")
    with pytest.raises(CheckFailed, match=r"another ENTRYPOINT\n  expected: \['/bin/sh', '-c', 'ls'\]"):
        assert_entrypoint(shop, "ls")
    with pytest.raises(CheckFailed, match=r"another CMD\n  expected: none\n  found:    \['--help'\]"):
        assert_cmd(shop, None)
    with pytest.raises(CheckFailed, match=r"starts in /work\n  expected: /srv"):
        assert_workdir(shop, "/srv")
    with pytest.raises(CheckFailed, match=r"runs as 1111\n  expected: root"):
        assert_user(shop, "root")
    with pytest.raises(CheckFailed, match=r"does not expose 80/tcp"):
        assert_exposes(shop, 8888, 80)
    with pytest.raises(CheckFailed, match=r"declares no volume at /srv"):
        assert_volumes(shop, "/srv")
    with pytest.raises(CheckFailed, match=r"another health check"):
        assert_healthcheck(shop, "curl")
    with pytest.raises(CheckFailed, match=r"is made for linux/\w+\n  expected: linux/s390x"):
        assert_architecture(shop, "s390x")
    with pytest.raises(CheckFailed, match=r"expected: linux/riscv64"):
        assert_platform(shop, Platform("linux", "riscv64"))


def test_an_image_that_lies_about_its_platform(lab: Lab) -> None:
    """Imported, a tree is said to be for the engine's own platform; the program in it is read."""
    own = lab.engine.info.platform
    other = Platform("linux", "amd64" if own.architecture == "arm64" else "arm64")
    tree = tar_of((Entry(path="hello", content=hello_program(other)),))
    name = f"dockerlab/lying:{secrets.token_hex(4)}"
    lab.engine.images.import_([tree], name, ('CMD ["/hello"]',))
    try:
        image = lab.image(name)
        assert image.platform == own
        for assertion in (assert_platform, assert_architecture):
            with pytest.raises(CheckFailed, match=rf"says that it is made for {own}, and is not\n.*/hello"):
                assertion(image, own.architecture)
        box = lab.create(name)
        with pytest.raises(
            CheckFailed, match=rf"built for {other.architecture}, running emulated on {own.architecture}"
        ):
            assert_native(box)
        box.remove()
    finally:
        lab.engine.images.remove(name, force=True)


def test_what_runs_natively(lab: Lab, shop: Build) -> None:
    """A container of the engine's own platform; anything else than a container is refused."""
    assert assert_native(lab.create(shop)) == lab.engine.info.platform
    with pytest.raises(UsageError, match="needs a container of a lab, not Build"):
        assert_native(shop)  # type: ignore[arg-type]


def test_claims_about_nothing_are_refused(shop: Build) -> None:
    """They would hold for every image."""
    for claim in (assert_exposes, assert_volumes, assert_env):
        with pytest.raises(UsageError, match=r"no (port|path|variable) was"):
            claim(shop)


def test_a_container_is_asked_for_what_it_runs_with(shelf: Container) -> None:
    """What docker run changed counts for the container, what it did not comes from the image."""
    assert_env(shelf, EXTRA="1", PYTHON_VER="3.10")
    assert_user(shelf, "2222")
    with pytest.raises(CheckFailed, match=rf"container {shelf.name} runs as 2222"):
        assert_user(shelf, "1111")


@pytest.mark.parametrize("kind", ["image", "container"])
def test_files(shop: Build, shelf: Container, kind: str) -> None:
    """The same of an image and of a container that never ran: neither needs a shell or a process."""
    thing = shop if kind == "image" else shelf
    assert assert_file(thing, "/data/greeting", "hello\n").size == 6
    assert_file(thing, "/link", contains="ell")
    assert_file(thing, "/data", kind="directory")
    assert_no_file(thing, "/secret.txt")
    assert assert_mode(thing, "/data/greeting", 0o640) == 0o640
    assert_mode(thing, "/data", 0o1777)
    assert assert_owner(thing, "/link", uid=1111, gid=1111) == (1111, 1111)


@pytest.mark.parametrize("kind", ["image", "container"])
def test_files_that_differ(shop: Build, shelf: Container, kind: str) -> None:
    """Each finding names the path and what is there."""
    thing = shop if kind == "image" else shelf
    with pytest.raises(CheckFailed, match=rf"{kind} \S+ has no /data/nope"):
        assert_file(thing, "/data/nope")
    with pytest.raises(CheckFailed, match=r"another content\n.*\n  expected: 'bye'\n  found:    'hello\\n'"):
        assert_file(thing, "/data/greeting", "bye")
    with pytest.raises(CheckFailed, match=r"/data of .* is a directory"):
        assert_file(thing, "/data")
    with pytest.raises(CheckFailed, match=r"has /link\n.*\n.*\n  found:    a symlink to data/greeting"):
        assert_no_file(thing, "/link")
    with pytest.raises(CheckFailed, match=r"expected: 0o600 \(rw-------\)\n  found:    0o640"):
        assert_mode(thing, "/data/greeting", 0o600)
    with pytest.raises(CheckFailed, match=r"belongs to 1111:1111\n.*\n  expected: 0:\*"):
        assert_owner(thing, "/data/greeting", uid=0)


def test_paths_are_absolute_and_kinds_are_known(shop: Build) -> None:
    """Anything else is a mistake of the caller."""
    with pytest.raises(UsageError, match="not an absolute path: 'data'"):
        assert_file(shop, "data")
    with pytest.raises(UsageError, match="not a kind of file: 'folder'\n  → one of file, directory"):
        assert_file(shop, "/data", kind="folder")
    with pytest.raises(UsageError, match="not an image: str 'alpine'"):
        assert_file("alpine", "/data")  # type: ignore[arg-type]


def test_a_mount_in_memory_is_not_judged_from_outside(lab: Lab) -> None:
    """The engine looks below it: what is not there is no proof."""
    box = lab.run("alpine", ["sleep", "600"], tmpfs=["/scratch"])
    with pytest.raises(UsageError, match="/scratch is a mount in its memory"):
        assert_no_file(box, "/scratch/x")


def test_a_deleted_file_gives_its_secret_away(shop: Build) -> None:
    """The layer, the instruction and the deletion are named; the value is masked."""
    assert assert_no_secret(shop, "not-in-this-image").files > 0
    with pytest.raises(CheckFailed, match=r"(?s)COPY secret.txt /secret.txt.*/secret.txt \(deleted in layer") as caught:
        assert_no_secret(shop, {"the password": PASSWORD})
    assert "gives away the password" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_a_build_argument_stays_in_the_history(lab: Lab) -> None:
    """It is found there, although no file and no variable has it."""
    told = lab.build('FROM alpine\nARG TOKEN\nRUN test -n "$TOKEN"\n', args={"TOKEN": PASSWORD})
    with pytest.raises(CheckFailed, match=r"where:    history, line \d+: RUN") as caught:
        assert_no_secret(told, PASSWORD, over=told.base)
    assert PASSWORD not in str(caught.value)


def test_known_keys_are_no_alarm_in_a_plain_base(lab: Lab) -> None:
    """Nothing was asked for, and nothing is in it."""
    assert_no_secret(lab.image("alpine"))


def test_the_context_is_measured(shop: Build) -> None:
    """By what was sent."""
    assert assert_context_size(shop, "10k") == shop.context_bytes
    with pytest.raises(CheckFailed, match=r"(?s)the build context is .*expected: at most 10 B.*in 2 files"):
        assert_context_size(shop, 10)


def test_what_a_push_moved(lab: Lab, shop: Build) -> None:
    """To a registry of its own every layer is sent once, and none the second time."""
    name = f"{lab.registry().address}/shop:1"
    lab.tag(shop, name)
    assert len(assert_transferred(lab.push(name), len(shop.image.layers), kept=0)) == len(shop.image.layers)
    assert assert_transferred(lab.push(name), 0, kept=len(shop.image.layers)) == ()
    with pytest.raises(CheckFailed, match=r"(?s)0 layers moved, \d+ of \d+ were there.*Layer already exists"):
        assert_transferred(lab.push(name), 1)
