"""Images read from archives: docker-save tars and OCI layouts."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import tarfile
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab.errors import FormatError, NotFound, UsageError
from pytest_dockerlab.image.archive import ArchiveFiles, open_image, open_images
from pytest_dockerlab.image.blobs import tar_items
from pytest_dockerlab.image.model import FileKind
from pytest_dockerlab.image.random import MadeFile, MadeImage, MadeStep, random_image
from pytest_dockerlab.image.tarstream import Blocks
from pytest_dockerlab.lab.resources import tar_of

IMAGE_TOOL = b"#!/bin/sh\n"
IMAGE = MadeImage(
    steps=(
        MadeStep(
            created_by="/bin/sh -c #(nop) ADD file:1 in / ",
            files=(
                MadeFile(path="/usr/bin/tool", content=IMAGE_TOOL, mode=0o4755, uid=0, gid=50),
                MadeFile(path="/bin", kind=FileKind.SYMLINK, link="usr/bin", mode=0o777),
                MadeFile(path="/etc/secret", content=b"hunter2"),
                MadeFile(path="/usr/bin/alias", link="/usr/bin/tool"),
            ),
        ),
        MadeStep(created_by='/bin/sh -c #(nop)  CMD ["tool"]', files=None),
        MadeStep(
            created_by="/bin/sh -c rm /etc/secret",
            files=(
                MadeFile(path="/etc/.wh.secret"),
                MadeFile(path="/etc/link", kind=FileKind.SYMLINK, link="/bin/tool"),
            ),
        ),
    ),
    config={"Cmd": ["tool"], "Env": ["PATH=/bin", "EMPTY="], "Labels": {"a": "b"}, "ExposedPorts": {"80/tcp": {}}},
    tags=("docker.io/library/made:1",),
)


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.fixture(params=["docker-save", "docker-save.gz", "oci", "oci-plain", "oci-folder"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """The same image in each form that is read."""
    match request.param:
        case "docker-save":
            return written(tmp_path / "image.tar", IMAGE.docker_save())
        case "docker-save.gz":
            return written(tmp_path / "image.tar.gz", gzip.compress(IMAGE.docker_save()))
        case "oci":
            return written(tmp_path / "oci.tar", IMAGE.oci_layout())
        case "oci-plain":
            return written(tmp_path / "oci.tar", IMAGE.oci_layout(compressed=False))
        case _:
            with tarfile.open(fileobj=io.BytesIO(IMAGE.oci_layout())) as tar:
                # Python 3.11.2, Debian 12's, has no filters yet.
                options: Any = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}
                tar.extractall(tmp_path / "layout", **options)
            return tmp_path / "layout"


def test_every_form_gives_the_same_image(archive: Path) -> None:
    """Identity, layers, configuration and history don't depend on the archive's form."""
    image = open_image(archive)
    assert image.id == IMAGE.id
    assert image.layers == IMAGE.diff_ids()
    assert image.tags == ("made:1",)
    assert image.cmd == ("tool",)
    assert image.env == {"PATH": "/bin", "EMPTY": ""}
    assert image.config.exposed_ports == ("80/tcp",)
    assert [entry.empty_layer for entry in image.history] == [False, True, False]


def test_every_form_gives_the_same_files(archive: Path) -> None:
    """Stat and read look through parents that are symlinks; a deleted file is gone, but stays in its layer."""
    files = open_image(archive).files
    assert files is not None
    tool = files.stat("/bin/tool")
    assert (tool.path, tool.mode, tool.uid, tool.gid, tool.kind) == ("/bin/tool", 0o4755, 0, 50, FileKind.FILE)
    assert files.stat("/bin").link == "usr/bin"
    assert files.read("/etc/link") == b"#!/bin/sh\n"
    assert files.read("/usr/bin/alias") == b"#!/bin/sh\n"
    assert files.stat("/usr/bin/alias").size == len(b"#!/bin/sh\n")
    with pytest.raises(NotFound, match="no such path in the image: /etc/secret"):
        files.stat("/etc/secret")
    with pytest.raises(NotFound, match=r"/bin in .*: not a regular file"):
        files.read("/bin")
    found = [(index, entry.path, content.read()) for index, entry, content in files.contents()]
    assert (0, "/etc/secret", b"hunter2") in found
    assert files.stat("/usr/bin/tool").digest == f"sha256:{hashlib.sha256(IMAGE_TOOL).hexdigest()}"
    assert [index for index, *_ in files.contents(first_layer=1)] == []


def test_layers_tell_what_they_write_and_delete(archive: Path) -> None:
    """A layer's own entries leave whiteouts out, and name what these delete."""
    files = open_image(archive).files
    assert files is not None
    first, second = files.layers()
    assert [entry.path for entry in first.files] == ["/bin", "/etc/secret", "/usr/bin/alias", "/usr/bin/tool"]
    assert first.size == len(b"#!/bin/sh\n") + len(b"hunter2")
    assert second.deleted == ("/etc/secret",)
    assert [entry.path for entry in second.files] == ["/etc/link"]


@pytest.mark.parametrize("seed", range(5))
def test_a_random_image_comes_back_whole(seed: int, tmp_path: Path) -> None:
    """Each random file comes back with its content, mode and owner."""
    made = random_image(seed, layers=4, files=6)
    files = open_image(written(tmp_path / "image.tar", made.docker_save())).files
    assert files is not None
    last = {file.path: file for step in made.steps for file in step.files or ()}
    for path, file in last.items():
        entry = files.stat(path)
        assert (entry.mode, entry.uid, entry.gid, entry.size) == (file.mode, file.uid, file.gid, len(file.content))
    path, file = max(last.items())
    assert files.read(path) == file.content


def test_one_of_several_images_is_chosen_by_name(tmp_path: Path) -> None:
    """An archive of two images gives each by name, and asks which one if not told."""
    first, second = random_image(1, tags=("one:1",)), random_image(2, tags=("two:2",))
    path = written(tmp_path / "both.tar", joined(first, second))
    assert open_image(path, "two:2").id == second.id
    assert [image.name for image in open_images(path)] == ["one:1", "two:2"]
    with pytest.raises(UsageError, match=r"which image is meant by ''\? It holds one:1, two:2"):
        open_image(path)


def joined(*images: MadeImage) -> bytes:
    out, manifest = io.BytesIO(), []
    with tarfile.open(fileobj=out, mode="w") as tar:
        for number, image in enumerate(images):
            with tarfile.open(fileobj=io.BytesIO(image.docker_save())) as one:
                for member in one.getmembers():
                    content = one.extractfile(member)
                    assert content is not None
                    if member.name == "manifest.json":
                        (row,) = json.load(content)
                        row["Config"] = f"{number}-{row['Config']}"
                        manifest.append({**row, "Layers": [f"{number}-{name}" for name in row["Layers"]]})
                        continue
                    member.name = f"{number}-{member.name}"
                    tar.addfile(member, content)
        data = json.dumps(manifest).encode()
        header = tarfile.TarInfo("manifest.json")
        header.size = len(data)
        tar.addfile(header, io.BytesIO(data))
    return out.getvalue()


def test_a_layer_that_is_used_twice_may_be_a_link(tmp_path: Path) -> None:
    """Older engines save a repeated layer once and link to it; its files are shown once, as the lower one's."""
    made = MadeImage(steps=(MadeStep(files=(MadeFile(path="/a", content=b"1"),)),) * 2)
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(made.docker_save())) as source,
        tarfile.open(fileobj=out, mode="w") as tar,
    ):
        for member in source.getmembers():
            if member.name == "01/layer.tar":
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "../00/layer.tar", 0
            tar.addfile(member, source.extractfile(member) if member.isreg() else None)
    files = open_image(written(tmp_path / "image.tar", out.getvalue())).files
    assert files is not None
    assert [layer.diff_id for layer in files.layers()] == list(made.diff_ids())
    assert [(index, entry.path) for index, entry, _ in files.contents()] == [(0, "/a")]


@pytest.mark.parametrize("name", ["../../etc/passwd", "a/../../b"])
def test_a_name_that_leaves_the_archive_is_refused(name: str, tmp_path: Path) -> None:
    """Neither the archive nor a layer may hold a path with .. in it."""
    made = MadeImage(steps=(MadeStep(files=(MadeFile(path=name, content=b"x"),)),))
    with pytest.raises(FormatError, match="an entry's name leaves the archive: "):
        open_image(written(tmp_path / "layer.tar", made.docker_save()))
    outer = MadeImage(steps=(MadeStep(files=(MadeFile(path=name, content=b"x"),)),)).layers()[0]
    with pytest.raises(FormatError, match="an entry's name leaves the archive: "):
        open_image(written(tmp_path / "outer.tar", outer))


def test_a_link_out_of_a_layout_is_refused(tmp_path: Path) -> None:
    """A folder's symlink to a file elsewhere is not read."""
    secret = written(tmp_path / "secret", b"{}")
    layout = tmp_path / "layout"
    layout.mkdir()
    (layout / "index.json").symlink_to(secret)
    with pytest.raises(FormatError, match=r"index\.json leads out of the folder"):
        open_image(layout)


def test_a_changed_layer_is_noticed(tmp_path: Path) -> None:
    """A layer that is not what the config promises is an error, not another image."""
    data = IMAGE.docker_save()
    assert data.count(b"hunter2") == 1
    with pytest.raises(FormatError, match=r"has the digest sha256:.*, the config promises sha256:"):
        open_image(written(tmp_path / "image.tar", data.replace(b"hunter2", b"hunter3")))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not an image archive"),
        (b"hello" * 500, "not an image archive"),
        (b"\x1f\x8b\x08" + b"damaged" * 100, "damaged|not a complete tar"),
        (IMAGE.layers()[0], "neither manifest.json nor index.json is in it"),
        (IMAGE.docker_save()[:5000], "not a complete tar|neither manifest.json nor index.json"),
    ],
    ids=["empty", "text", "damaged-gzip", "file-tree", "cut-off"],
)
def test_what_is_no_image_archive_is_refused(data: bytes, message: str, tmp_path: Path) -> None:
    """Anything but a whole image archive is a FormatError that says what is wrong."""
    with pytest.raises(FormatError, match=message):
        open_image(written(tmp_path / "image.tar", data))


def test_a_missing_archive_says_how_to_make_one(tmp_path: Path) -> None:
    """No such file is NotFound, with the command that makes one."""
    with pytest.raises(NotFound, match="docker save -o"):
        open_image(tmp_path / "none.tar")


def test_zstd_layers_are_named_as_the_problem(tmp_path: Path) -> None:
    """A layer compressed with zstd can't be read, and the message says what to do."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        data = b"\x28\xb5\x2f\xfd" + os.urandom(600)
        header = tarfile.TarInfo("blobs/sha256/0")
        header.size = len(data)
        tar.addfile(header, io.BytesIO(data))
    with pytest.raises(FormatError, match="compressed with zstd"):
        open_image(written(tmp_path / "image.tar", out.getvalue()))


def test_a_large_image_needs_little_memory() -> None:
    """Scanning and sampling a layer of 64 MiB, which never exists as a whole, keeps only a fraction of it in memory."""
    big = 64 * 1024**2

    def layer() -> Iterator[bytes]:
        header = tarfile.TarInfo("big")
        header.size = big
        yield header.tobuf()
        yield from (bytes(65536) for _ in range(big // 65536))
        yield bytes(1024)

    digest = hashlib.sha256()
    for chunk in layer():
        digest.update(chunk)
    config = json.dumps({"rootfs": {"diff_ids": [f"sha256:{digest.hexdigest()}"]}}).encode()
    manifest = json.dumps([{"Config": "config.json", "Layers": ["00/layer.tar"]}]).encode()

    def archive() -> Iterator[bytes]:
        outer = tarfile.TarInfo("00/layer.tar")
        outer.size = 512 + big + 1024
        yield outer.tobuf()
        yield from layer()
        yield MadeImage(
            steps=(
                MadeStep(
                    files=(
                        MadeFile(path="config.json", content=config),
                        MadeFile(path="manifest.json", content=manifest),
                    )
                ),
            )
        ).layers()[0]

    files = ArchiveFiles(lambda: tar_items(Blocks(archive()), "big"), "big")
    tracemalloc.start()
    try:
        assert files.stat("/big").size == big
        assert [len(content.read(1024**2)) for _, _, content in files.contents()] == [1024**2]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * 1024**2


def test_a_deleted_layer_file_is_missed(tmp_path: Path) -> None:
    """An archive without one of its layers is incomplete, and says which is missing."""
    out = io.BytesIO()
    with tarfile.open(fileobj=io.BytesIO(IMAGE.docker_save())) as source, tarfile.open(fileobj=out, mode="w") as tar:
        for member in source.getmembers():
            if member.name != "01/layer.tar":
                tar.addfile(member, source.extractfile(member))
    with pytest.raises(FormatError, match=r"layer 01/layer\.tar is missing"):
        open_image(written(tmp_path / "image.tar", out.getvalue()))


def test_equal_images_from_two_sources_are_equal(tmp_path: Path) -> None:
    """An image is its id, platform and layers, wherever it was read."""
    first = open_image(written(tmp_path / "a.tar", IMAGE.docker_save()))
    second = open_image(written(tmp_path / "b.tar", IMAGE.oci_layout()))
    other = open_image(written(tmp_path / "c.tar", replace(IMAGE, config={}).docker_save()))
    assert first == second
    assert first != other


@pytest.mark.parametrize("annotated", [True, False], ids=["as buildx writes it", "known by its platform only"])
def test_an_attestation_is_no_image(tmp_path: Path, annotated: bool) -> None:
    """An index with an attestation in it holds one image: the platform unknown/unknown is nobody's."""
    layout = IMAGE.attested_layout()
    if not annotated:
        layout = without_annotations(layout)
    (image,) = open_images(written(tmp_path / "attested.tar", layout))
    assert (image.id, image.layers) == (IMAGE.id, IMAGE.diff_ids())
    assert image.platform == IMAGE.platform
    assert image.files is not None
    assert image.files.read("/usr/bin/tool") == IMAGE_TOOL


def content_of(tar: tarfile.TarFile) -> dict[str, bytes]:
    return {entry.name: file.read() for entry in tar if (file := tar.extractfile(entry)) is not None}


def without_annotations(layout: bytes) -> bytes:
    """The same layout, but that nothing is said of what an attestation refers to."""
    with tarfile.open(fileobj=io.BytesIO(layout)) as tar:
        files = content_of(tar)
    top = json.loads(files["index.json"])
    inner = f"blobs/{top['manifests'][0]['digest'].replace(':', '/')}"
    index = json.loads(files.pop(inner))
    for row in index["manifests"]:
        row.pop("annotations", None)
    content = json.dumps(index).encode()
    digest = hashlib.sha256(content).hexdigest()
    files[f"blobs/sha256/{digest}"] = content
    top["manifests"][0] |= {"digest": f"sha256:{digest}", "size": len(content)}
    files["index.json"] = json.dumps(top).encode()
    return tar_of(files)


def test_a_save_that_lists_an_attestation_holds_one_image(tmp_path: Path) -> None:
    """An engine's manifest.json may name it beside the image; its configuration says what it is."""
    with tarfile.open(fileobj=io.BytesIO(IMAGE.docker_save())) as tar:
        files = content_of(tar)
    config = {"os": "unknown", "architecture": "unknown", "config": {}, "rootfs": {"type": "layers", "diff_ids": []}}
    files["attestation.json"] = json.dumps(config).encode()
    beside: dict[str, object] = {"Config": "attestation.json", "RepoTags": None, "Layers": []}
    files["manifest.json"] = json.dumps([*json.loads(files["manifest.json"]), beside]).encode()
    (image,) = open_images(written(tmp_path / "both.tar", tar_of(files)))
    assert image.layers == IMAGE.diff_ids()
