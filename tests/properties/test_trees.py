"""Layers on top of each other, held against a file system that applies them one by one; and images of random files."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pytest_dockerlab.build.compare import compare_images
from pytest_dockerlab.checks.layers import layer_count, layers_added
from pytest_dockerlab.image.archive import open_image
from pytest_dockerlab.image.model import FileKind, FileStat, LayerFiles
from pytest_dockerlab.image.random import MadeFile, MadeImage, MadeStep
from pytest_dockerlab.image.stack import Stack
from pytest_dockerlab.image.tree import find, merge
from tests.indexing import indexed, scan

Kept = Callable[..., Any]

PATH = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map(lambda parts: "/" + "/".join(parts))
ALL_PATHS = ["/" + "/".join(parts) for depth in (1, 2, 3) for parts in product("abc", repeat=depth)]
TARGET = st.one_of(PATH, st.sampled_from(["a", "../b", "..", ".", "/", "c/../../a", ""]))
ENTRY = st.builds(
    MadeFile,
    path=PATH,
    content=st.binary(max_size=3),
    mode=st.sampled_from([0o644, 0o4755, 0o1777]),
    uid=st.sampled_from([0, 1111]),
    kind=st.sampled_from([FileKind.FILE, FileKind.DIRECTORY, FileKind.SYMLINK, FileKind.FIFO]),
)
LINK = st.builds(MadeFile, path=PATH, kind=st.just(FileKind.SYMLINK), link=TARGET)
HARD = st.builds(MadeFile, path=PATH, link=PATH)
WHITEOUT = PATH.map(lambda path: MadeFile(path=f"{path.rpartition('/')[0]}/.wh.{path.rpartition('/')[2]}"))
OPAQUE = PATH.map(lambda path: MadeFile(path=f"{path}/.wh..wh..opq"))
WEIRD = st.lists(st.one_of(ENTRY, LINK, HARD, WHITEOUT, OPAQUE), max_size=6)


class Folder(dict[str, Any]):
    """A folder of the model; a file is a tuple."""


def sane(entries: list[MadeFile], deleted: list[str]) -> tuple[list[MadeFile], list[str]]:
    """A layer as an engine writes it: each path once, parents before children, only folders above them."""
    by_path = {entry.path: entry for entry in entries}
    for path in sorted(by_path):
        parent = path
        while parent := parent.rpartition("/")[0]:
            if parent in by_path and by_path[parent].kind is not FileKind.DIRECTORY:
                by_path[parent] = replace(by_path[parent], kind=FileKind.DIRECTORY, content=b"")
    taken = [path for path in deleted if not any(each == path or each.startswith(f"{path}/") for each in by_path)]
    return [by_path[path] for path in sorted(by_path)], taken


def apply(root: Folder, entries: list[MadeFile], deleted: list[str], opaque: list[str]) -> None:
    """What an engine does with a layer, in the plainest way."""
    for path in deleted:
        folder = _folder(root, path.rpartition("/")[0])
        if folder is not None:
            folder.pop(path.rpartition("/")[2], None)
    for path in opaque:
        folder = _folder(root, path)
        if folder is not None:
            folder.clear()
    for entry in entries:
        folder = root
        *parents, name = entry.path.strip("/").split("/")
        for part in parents:
            below = folder.get(part)
            if not isinstance(below, Folder):
                below = folder[part] = Folder()
            folder = below
        if entry.kind is FileKind.DIRECTORY:
            if not isinstance(folder.get(name), Folder):
                folder[name] = Folder()
        else:
            folder[name] = (entry.kind, entry.content if entry.kind is FileKind.FILE else b"", entry.uid, entry.mode)


def _folder(root: Folder, path: str) -> Folder | None:
    at: Any = root
    for part in path.strip("/").split("/") if path.strip("/") else ():
        at = at.get(part)
        if not isinstance(at, Folder):
            return None
    return at if isinstance(at, Folder) else None


def listed(root: Folder, base: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for name, each in root.items():
        path = f"{base}/{name}"
        found[path] = FileKind.DIRECTORY if isinstance(each, Folder) else each
        if isinstance(each, Folder):
            found |= listed(each, path)
    return found


PLAIN = st.builds(
    MadeFile,
    path=PATH,
    content=st.binary(max_size=3),
    mode=st.sampled_from([0o644, 0o4755]),
    uid=st.sampled_from([0, 1111]),
    kind=st.sampled_from([FileKind.FILE, FileKind.DIRECTORY, FileKind.FIFO]),
)
LAYER = st.tuples(st.lists(PLAIN, max_size=4), st.lists(PATH, max_size=2), st.lists(PATH, max_size=1))


@given(st.lists(LAYER, max_size=4))
def test_merged_layers_are_what_applying_them_one_by_one_gives(layers: list[Any]) -> None:
    """Files, folders, whiteouts, opaque folders, a file in a folder's place and the other way round."""
    root, steps = Folder(), []
    for raw, raw_deleted, raw_opaque in layers:
        entries, deleted = sane(raw, raw_deleted)
        kinds = {entry.path: entry.kind for entry in entries}
        opaque = [path for path in raw_opaque if kinds.get(path) is FileKind.DIRECTORY]
        apply(root, entries, deleted, opaque)
        marks = [MadeFile(path=f"{path.rpartition('/')[0]}/.wh.{path.rpartition('/')[2]}") for path in deleted]
        marks += [MadeFile(path=f"{path}/.wh..wh..opq") for path in opaque]
        steps.append(MadeStep(files=(*entries, *marks)))
    image = MadeImage(steps=tuple(steps))
    with tempfile.TemporaryDirectory() as folder:
        files = _files(image, folder)
        tree = {path: placed for path, placed in merge(files.layers()).items() if path != "/"}
        expected = listed(root)
        assert {path: _as_model(placed.entry) for path, placed in tree.items()} == {
            path: each if each is FileKind.DIRECTORY else (each[0], len(each[1]), each[2], each[3])  # type: ignore[index]
            for path, each in expected.items()
        }
        for path, each in expected.items():
            if isinstance(each, tuple) and each[0] is FileKind.FILE:
                assert files.read(path) == each[1]
        stack = Stack([indexed([layer]) for layer in image.layers()])
        assert {path: placed for path in ALL_PATHS if (placed := stack.get(path)) is not None} == tree


def _as_model(entry: FileStat) -> object:
    return FileKind.DIRECTORY if entry.kind is FileKind.DIRECTORY else (entry.kind, entry.size, entry.uid, entry.mode)


def _files(image: MadeImage, folder: str) -> Any:
    place = Path(folder) / "image.tar"
    place.write_bytes(image.docker_save())
    return open_image(place).files


@given(st.lists(WEIRD, min_size=1, max_size=3))
def test_whatever_layers_claim_the_tree_is_one(kept: Kept, layers: list[list[MadeFile]]) -> None:
    """Links through links, files below files, doubles: each path lies in a folder, and each question has an answer."""
    made = MadeImage(steps=tuple(MadeStep(files=(*each,)) for each in layers)).layers()
    read = [scan([layer], "layer") for layer in made]
    tree = merge(read)
    stack = Stack([indexed([layer]) for layer in made])
    assert [stack.get(path) for path in ALL_PATHS] == [tree.get(path) for path in ALL_PATHS]
    for path, placed in tree.items():
        assert tree[path.rpartition("/")[0] or "/"].entry.kind is FileKind.DIRECTORY, path
        assert placed.entry.path == path
        assert 0 <= placed.layer < len(read)
        assert find(tree, path) == placed
        followed = kept(find, tree, path, follow=True)
        assert followed is None or followed.entry.kind is not FileKind.SYMLINK


def test_an_entry_below_a_link_lands_where_the_link_leads() -> None:
    """As with an engine that unpacks it; a link that leads nowhere, or a file, gives way to a folder."""
    base = MadeImage(
        steps=(
            MadeStep(files=(MadeFile(path="/usr/bin/a"), MadeFile(path="/bin", kind=FileKind.SYMLINK, link="usr/bin"))),
            MadeStep(files=(MadeFile(path="/bin/b", content=b"b"), MadeFile(path="/bin/.wh.a"))),
            MadeStep(files=(MadeFile(path="/lost", kind=FileKind.SYMLINK, link="nowhere"), MadeFile(path="/lost/x"))),
            MadeStep(files=(MadeFile(path="/usr/bin/b/c"),)),
        )
    )
    layers = [scan([layer], "layer") for layer in base.layers()]
    assert set(merge(layers[:2])) == {"/", "/usr", "/usr/bin", "/bin", "/usr/bin/b"}
    assert merge(layers[:2])["/usr/bin/b"].source == "/bin/b"
    tree = merge(layers)
    assert tree["/lost"].entry.kind is FileKind.DIRECTORY
    assert tree["/usr/bin/b"].entry.kind is FileKind.DIRECTORY


def test_a_file_in_the_place_of_a_folder_of_its_own_layer_ends_what_is_below() -> None:
    """Found by fuzzing: a child was left below a file."""

    def entry(path: str) -> FileStat:
        return FileStat(path=path, kind=FileKind.FILE, mode=0o644)

    tree = merge([LayerFiles(diff_id="", files=(entry("/a/x"), entry("/a/y/z"), entry("/a"), entry("/b")))])
    assert set(tree) == {"/", "/a", "/b"}


FILES = st.lists(st.lists(PLAIN, max_size=3), max_size=4)


@given(FILES)
def test_every_form_of_an_image_is_the_same_image(layers: list[list[MadeFile]]) -> None:
    """docker-save, OCI plain and compressed: equal, nothing to tell apart, each built on the other."""
    made = MadeImage(steps=tuple(MadeStep(files=tuple(sane(each, [])[0])) for each in layers), tags=("a:1",))
    with tempfile.TemporaryDirectory() as folder:
        images = []
        for number, data in enumerate((made.docker_save(), made.oci_layout(), made.oci_layout(compressed=False))):
            place = Path(folder) / f"{number}.tar"
            place.write_bytes(data)
            images.append(open_image(place))
        first = images[0]
        for other in images:
            assert other == first
            difference = compare_images(first, other)
            assert difference.same
            assert difference.shared == len(made.layers())
            assert not layers_added(first, over=other).findings
            assert merge(other.files.layers()) == merge(first.files.layers())  # type: ignore[union-attr]


@given(FILES, st.integers(0, 6), st.integers(0, 5))
def test_the_layer_checks_agree_with_counting(layers: list[list[MadeFile]], claimed: int, base: int) -> None:
    """A number of layers holds if it is the number; an image is built on each of its beginnings and on no other."""
    steps = tuple(MadeStep(files=tuple(sane(each, [])[0])) for each in layers)
    with tempfile.TemporaryDirectory() as folder:
        whole = _image(MadeImage(steps=steps), folder)
        part = _image(MadeImage(steps=steps[:base]), folder)
        other = _image(
            MadeImage(steps=(*steps[:base], MadeStep(files=(MadeFile(path="/other", content=b"else"),)))), folder
        )
    assert (not layer_count(whole, claimed).findings) == (len(whole.layers) == claimed)
    assert not layers_added(whole, over=part).findings
    assert layers_added(whole, over=other).findings
    assert compare_images(whole, other).shared == min(base, len(steps))


def _image(made: MadeImage, folder: str) -> Any:
    place = Path(folder) / "image.tar"
    place.write_bytes(made.docker_save())
    return open_image(place)
