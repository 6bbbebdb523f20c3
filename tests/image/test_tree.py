"""Layers merged into the tree that a container sees."""

from __future__ import annotations

import pytest

from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.image.model import FileKind, FileStat, LayerFiles
from pytest_dockerlab.image.tree import find, merge


def entry(path: str, kind: FileKind = FileKind.FILE, link: str = "", size: int = 1) -> FileStat:
    return FileStat(path=path, kind=kind, mode=0o644, uid=0, gid=0, link=link, size=size)


def layer(*files: FileStat, deleted: tuple[str, ...] = (), opaque: tuple[str, ...] = ()) -> LayerFiles:
    return LayerFiles(diff_id="sha256:0", files=files, deleted=deleted, opaque=opaque)


def directory(path: str) -> FileStat:
    return entry(path, FileKind.DIRECTORY, size=0)


def symlink(path: str, target: str) -> FileStat:
    return entry(path, FileKind.SYMLINK, link=target, size=0)


def test_an_upper_layer_wins() -> None:
    """The entry of the highest layer counts, and tells which layer that is."""
    placed = merge([layer(entry("/a", size=1)), layer(entry("/a", size=2))])["/a"]
    assert (placed.entry.size, placed.layer) == (2, 1)


def test_a_whiteout_takes_what_is_below() -> None:
    """Deleting a folder deletes its content, and nothing whose name only begins alike."""
    tree = merge([layer(directory("/d"), entry("/d/x"), entry("/dx")), layer(deleted=("/d",))])
    assert set(tree) == {"/", "/dx"}


def test_a_whiteout_spares_its_own_layer() -> None:
    """What a layer deletes below and writes anew is there."""
    tree = merge([layer(entry("/d/old")), layer(entry("/d/new"), deleted=("/d",))])
    assert set(tree) == {"/", "/d", "/d/new"}


def test_an_opaque_folder_hides_its_lower_content() -> None:
    """The folder stays, its lower files go, those of its own layer are seen."""
    tree = merge([layer(directory("/d"), entry("/d/old")), layer(directory("/d"), entry("/d/new"), opaque=("/d",))])
    assert set(tree) == {"/", "/d", "/d/new"}


def test_a_file_in_a_folders_place_hides_the_folders_content() -> None:
    """A folder replaced by a symlink has no children any more."""
    tree = merge([layer(directory("/d"), entry("/d/x")), layer(symlink("/d", "/e"))])
    assert set(tree) == {"/", "/d"}
    assert tree["/d"].entry.kind is FileKind.SYMLINK


def test_folders_without_an_entry_are_implied() -> None:
    """Engines make missing parents as root's, 0755."""
    placed = merge([layer(entry("/a/b/c"))])["/a/b"].entry
    assert (placed.kind, placed.mode, placed.uid) == (FileKind.DIRECTORY, 0o755, 0)


def test_a_hard_link_is_the_file_that_it_links_to() -> None:
    """It has that file's size, and its content is found under that file's name."""
    placed = merge([layer(entry("/a", size=7), entry("/b", link="/a", size=0))])["/b"]
    assert (placed.entry.size, placed.entry.link, placed.source) == (7, "", "/a")


def test_symlinks_are_followed_as_a_kernel_does() -> None:
    """Parents always, the last part only when asked; relative, absolute and .. targets."""
    tree = merge(
        [
            layer(
                entry("/usr/bin/x", size=3),
                symlink("/bin", "usr/bin"),
                symlink("/opt/x", "../bin/x"),
                symlink("/y", "/opt/x"),
            )
        ]
    )
    assert find(tree, "/bin/x").entry.path == "/usr/bin/x"
    assert find(tree, "/y").entry.kind is FileKind.SYMLINK
    assert find(tree, "/y", follow=True).entry.path == "/usr/bin/x"
    assert find(tree, "/").entry.kind is FileKind.DIRECTORY


def test_a_circle_of_symlinks_ends() -> None:
    """Two links to each other are an error, not an endless walk."""
    tree = merge([layer(symlink("/a", "/b"), symlink("/b", "/a"))])
    with pytest.raises(NotFound, match="symlinks lead in a circle: /a"):
        find(tree, "/a", follow=True)
