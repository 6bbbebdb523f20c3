"""Making stand-ins into a registry: once, wholly or not at all."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from pytest_dockerlab.bases import make
from pytest_dockerlab.bases.archive import archive_of, read_archive
from pytest_dockerlab.bases.blobs import Entry, compress, tar_of
from pytest_dockerlab.bases.busybox import applets, busybox_tree, find_busybox
from pytest_dockerlab.bases.catalogue import LABEL, RECIPES, Recipe
from pytest_dockerlab.bases.hello import hello_program
from pytest_dockerlab.bases.host import Host, read_host
from pytest_dockerlab.bases.make import Maker
from pytest_dockerlab.bases.rootfs import Tree, commands, obstacle
from pytest_dockerlab.bases.store import Store
from pytest_dockerlab.errors import BaseImageMissing, FormatError
from pytest_dockerlab.platforms import Platform

HELLO = RECIPES["hello-world"]
HERE = Platform.of_host()
ELSEWHERE = Platform("linux", "arm64" if HERE.architecture == "amd64" else "amd64")


def _maker(store: Store, said: list[str], host: Host | None = None) -> Maker:
    def deliver(recipe: Recipe, platform: Platform) -> str:
        raise AssertionError(f"{recipe.name} for {platform} was to be brought")

    return Maker(None, store, host or Host(), deliver=deliver, tell=said.append)


def test_a_stand_in_is_made_once(store: Store) -> None:
    """The second who asks gets the first one's image, and nothing is made again."""
    said: list[str] = []
    first = _maker(store, said).make(HELLO, HERE)
    again = _maker(store, said).make(HELLO, HERE)
    assert said == ["making the stand-in for hello-world (once per machine)"]
    assert first == again
    assert first.labels[LABEL] == "hello-world"
    assert json.loads(first.config)["config"]["Cmd"] == ["/hello"]


def test_many_who_ask_at_once_get_one_image(store: Store) -> None:
    """Threads that ask at the same moment wait for the one that makes it."""
    said: list[str] = []
    barrier = Barrier(4)

    def ask(_: int) -> str:
        maker = _maker(Store(store.address), said)
        barrier.wait()
        return maker.make(HELLO, HERE).manifest

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(ask, range(4)))) == 1
    assert [row for row in said if row.startswith("making")] == [
        "making the stand-in for hello-world (once per machine)"
    ]


def test_a_stale_one_is_made_anew(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """When a recipe's key changes, the tag moves to a new image."""
    said: list[str] = []
    old = _maker(store, said).make(HELLO, HERE)
    monkeypatch.setattr("pytest_dockerlab.bases.catalogue._VERSION", "another")
    assert _maker(store, said).find(HELLO, HERE) is None
    new = _maker(store, said).make(HELLO, HERE)
    assert new.key != old.key
    assert len(said) == 2


def test_platforms_share_a_tag(store: Store) -> None:
    """One name holds an image for each platform; making one leaves the other."""
    maker = _maker(store, [])
    here, there = maker.make(HELLO, HERE), maker.make(HELLO, ELSEWHERE)
    assert here.manifest != there.manifest
    assert store.find("library/hello-world", "latest", HERE) == here
    assert store.find("library/hello-world", "latest", ELSEWHERE) == there
    maker.tag(HELLO, "linux", here.manifest, HERE)
    assert store.find("library/hello-world", "linux", HERE) == here
    assert store.find("library/hello-world", "linux", ELSEWHERE) is None


def test_what_was_interrupted_leaves_nothing(store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A failure on the way leaves no image, no folder and no lock; the next one makes it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def fail(*_: object) -> bytes:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(make, "hello_program", fail)
        with pytest.raises(KeyboardInterrupt):
            _maker(store, []).make(HELLO, HERE)
    assert store.find("library/hello-world", "latest", HERE) is None
    assert list(tmp_path.glob("dockerlab-making-*")) == []
    assert _maker(store, []).make(HELLO, HERE).labels[LABEL] == "hello-world"


def test_packages_are_not_made_elsewhere(store: Store) -> None:
    """On a host without Debian's packages the reason is said, and what to do instead."""
    maker = _maker(store, [], Host(distribution="fedora", pretty="Fedora 41"))
    with pytest.raises(BaseImageMissing, match=r"on Debian and Ubuntu, and this is Fedora 41\n  → pull the image"):
        maker.make(RECIPES["python:3.10"], HERE)


def test_an_archive_brings_the_image_whole(store: Store, tmp_path: Path) -> None:
    """What is written for ``docker load`` reads back as the same configuration and layers."""
    stored = _maker(store, []).make(HELLO, HERE)
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"".join(archive_of(store, stored, "somewhere.example/hello:1")))
    config, (layer,) = read_archive(archive, tmp_path)
    assert config == stored.config
    assert (layer.diff_id, layer.digest) == (stored.layers[0].diff_id, stored.layers[0].digest)
    assert read_archive(archive, tmp_path, stored)[1] == stored.layers
    with tarfile.open(archive) as tar:
        manifest = json.load(tar.extractfile("manifest.json") or io.BytesIO())
    assert manifest[0]["RepoTags"] == ["somewhere.example/hello:1"]


def test_an_archive_that_lies_is_refused(store: Store, tmp_path: Path) -> None:
    """A layer that is not what the configuration says is an error that names both digests."""
    stored = _maker(store, []).make(HELLO, HERE)
    archive = tmp_path / "image.tar"
    content = b"".join(archive_of(store, stored, "x"))
    other = "0" * 64
    archive.write_bytes(content.replace(stored.layers[0].diff_id.removeprefix("sha256:").encode(), other.encode()))
    with pytest.raises(FormatError, match=f"its configuration has sha256:{other}"):
        read_archive(archive, tmp_path)


def test_equal_content_is_an_equal_layer(tmp_path: Path) -> None:
    """A layer's digest depends on its files alone, compressed already or not."""
    tar = tar_of([Entry(path="a", content=b"1"), Entry(path="b", link="a"), Entry(path="c", mode=0o1777)])
    first = compress(io.BytesIO(tar), tmp_path / "one")
    second = compress(io.BytesIO((tmp_path / "one").read_bytes()), tmp_path / "two")
    assert (first.digest, first.diff_id, first.size) == (second.digest, second.diff_id, second.size)
    with tarfile.open(tmp_path / "two") as read:
        assert [(item.name, item.mode, item.linkname) for item in read] == [
            ("a", 0o755, ""),
            ("b", 0o777, "a"),
            ("c", 0o1777, ""),
        ]


def test_busyboxs_tools_are_read_from_its_table(tmp_path: Path, need: Callable[[str], None]) -> None:
    """The links of alpine's stand-in are the tools that the busybox itself lists."""
    need(obstacle(HERE))
    program = find_busybox(HERE, tmp_path, Host())
    file = tmp_path / "busybox"
    file.write_bytes(program)
    file.chmod(0o755)
    listed = subprocess.run([file, "--list"], capture_output=True, text=True, check=True, timeout=10).stdout.split()
    assert list(applets(program)) == listed
    links = {entry.path for entry in busybox_tree(program, Host()) if entry.link}
    assert {"bin/sh", "bin/wget", "bin/id"} <= links
    assert "bin/busybox" not in links


def test_a_program_that_is_no_busybox_is_refused() -> None:
    """Another program has no table of tools, and the error says which package has."""
    with pytest.raises(BaseImageMissing, match=r"no list of its tools\n  → apt-get install busybox-static"):
        applets(hello_program(HERE))


def test_packages_for_another_platform_need_its_emulation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where foreign programs can't run, the tree is refused, with what is missing."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr("pytest_dockerlab.bases.rootfs._emulated", lambda platform: False)
    assert obstacle(HERE) == ""
    assert f"can't run programs for {ELSEWHERE}" in obstacle(ELSEWHERE)
    assert f"dockerlab up --install --platform {ELSEWHERE}" in obstacle(ELSEWHERE)


def test_a_user_without_root_is_told_what_a_tree_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not by mmdebstrap in the middle of it: the program and its package, or whose ids are missing where."""
    there = {"mmdebstrap", "newuidmap"}
    monkeypatch.setattr("os.getuid", lambda: 4711)
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}" if name in there else None)
    assert "user 4711 has no entry in /etc/passwd" in obstacle(HERE)
    there.remove("newuidmap")
    assert obstacle(HERE) == (
        "without root, mmdebstrap needs ids of this user's own for a tree: newuidmap is not installed (package uidmap)"
    )
    there |= {"fakechroot", "fakeroot"}
    assert obstacle(HERE) == ""


def test_without_the_tools_nothing_is_promised(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A tree without mmdebstrap and debootstrap fails with the package to install."""
    monkeypatch.setattr("shutil.which", lambda name: None)
    with (
        pytest.raises(BaseImageMissing, match=r"neither mmdebstrap nor .* installed\n  → apt-get install mmdebstrap"),
        Tree(host=Host(), platform=HERE, folder=tmp_path).stream(),
    ):
        pytest.fail("a tree without tools")


def test_a_tree_that_fails_tells_the_tools_words(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """When the tool fails, its own error lines are in the message."""
    monkeypatch.setattr("shutil.which", lambda name: f"/usr/bin/{name}")
    script = ["sh", "-c", "echo noise >&2; echo 'E: no such suite' >&2; exit 3"]
    monkeypatch.setattr("pytest_dockerlab.bases.rootfs.commands", lambda tree: script)
    tree = Tree(host=Host(pretty="Debian 12"), platform=HERE, folder=tmp_path)
    with (
        pytest.raises(BaseImageMissing, match="no tree of Debian 12 could be made: E: no such suite"),
        tree.stream() as tar,
    ):
        tar.read()


def test_the_older_tool_does_as_well(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, need: Callable[[str], None]
) -> None:
    """Without mmdebstrap the command is debootstrap's, with the host's first source."""
    host = read_host()
    need(host.obstacle)
    monkeypatch.setattr("shutil.which", lambda name: None if name == "mmdebstrap" else f"/usr/bin/{name}")
    script = commands(Tree(host=host, platform=HERE, folder=tmp_path))[-1]
    assert f"debootstrap --variant=minbase --arch={HERE.architecture}" in script
    assert host.sources[0].uris[0] in script
    assert subprocess.run(["sh", "-n", "-c", script], check=False).returncode == 0
