"""Files: of images and of containers, running or not, without a shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab import Build, Lab, LabError, NotFound, assert_file, assert_no_file, image_fixture
from pytest_dockerlab.image.model import FileKind

pytestmark = pytest.mark.proves("files")

tree = image_fixture(
    "FROM alpine\nRUN mkdir -p /tree/deep && echo one > /tree/one && printf 'a\\0b' > /tree/deep/two"
    " && ln -s deep/two /tree/link && chown -R 1111:2222 /tree/deep && touch -d '2001-02-03 04:05:06' /tree/one\n"
    'CMD ["sleep", "600"]\n',
    scope="module",
)


def test_an_images_files_are_seen_without_running_it(tree: Build) -> None:
    """An image's files, folders, links and owners are seen without running it."""
    assert_file(tree, "/tree/one", "one\n")
    assert_file(tree, "/tree/deep", kind="directory")
    assert_no_file(tree, "/tree/three")
    files = tree.image.files
    assert files is not None
    assert files.stat("/tree/link").link == "deep/two"
    assert (files.stat("/tree/deep/two").uid, files.stat("/tree/deep/two").gid) == (1111, 2222)


@pytest.mark.parametrize("started", [True, False], ids=["running", "created"])
def test_a_containers_files(lab: Lab, tree: Build, started: bool) -> None:
    """A container's files are seen, whether it runs or was only created."""
    box = lab.run(tree) if started else lab.create(tree)
    one = box.stat("/tree/one")
    assert (one.kind, one.size, one.mode, one.uid, int(one.mtime)) == (FileKind.FILE, 4, 0o644, 0, 981173106)
    assert box.read("/tree/link") == b"a\0b"
    assert [entry.path for entry in box.list("/tree")] == ["/tree/deep", "/tree/link", "/tree/one"]
    assert [entry.path for entry in box.list("/tree", deep=True)][:2] == ["/tree/deep", "/tree/deep/two"]
    assert box.stat("/tree/link").kind is FileKind.SYMLINK


def test_what_is_not_there_is_not_found(lab: Lab, tree: Build) -> None:
    """A path that is not there is told, and so is a folder that is read as a file."""
    box = lab.create(tree)
    assert not box.exists("/tree/three")
    with pytest.raises(NotFound, match="/tree/three"):
        box.read("/tree/three")
    with pytest.raises(NotFound, match="not a regular file"):
        box.read("/tree/deep")


def test_files_are_written_with_owner_and_mode(lab: Lab, tree: Build) -> None:
    """A file is written with its folders, owner and mode, before the start and after it."""
    box = lab.create(tree)
    box.write("/new/folder/early", "early\n", uid=1111, gid=2222, mode=0o640)
    box.start()
    box.write("/late", b"late\n")
    done = box.exec(["sh", "-c", "stat -c '%u %g %a' /new/folder/early && cat /new/folder/early /late"]).check()
    assert done.output == "1111 2222 640\nearly\nlate\n"


def test_folders_are_copied_both_ways(lab: Lab, tree: Build, tmp_path: Path) -> None:
    """A folder is copied into a container, and out of it again."""
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "in" / "sub" / "file").write_text("carried\n")
    box = lab.run(tree)
    box.copy_to(tmp_path / "in", "/srv/in")
    assert box.read("/srv/in/sub/file") == b"carried\n"
    box.copy_from("/srv/in", tmp_path / "out")
    assert (tmp_path / "out" / "sub" / "file").read_text() == "carried\n"


def test_what_a_container_changed(lab: Lab, tree: Build) -> None:
    """What a container added, changed and deleted is told."""
    box = lab.run(tree, ["sh", "-c", "echo x > /tree/new; echo y >> /tree/one; rm /tree/link"]).check()
    found = {path: how for path, how in box.diff().items() if path.startswith("/tree/")}
    assert found == {"/tree/new": "added", "/tree/one": "changed", "/tree/link": "deleted"}


def test_volumes_keep_what_is_written(lab: Lab, tree: Build) -> None:
    """A named volume is filled, written to by one container and read by another."""
    volume = lab.volume(content={"sub/first": "filled\n"})
    lab.run(tree, ["sh", "-c", "echo second > /data/second"], volumes={volume: "/data"}).check()
    box = lab.run(tree, ["sh", "-c", "cat /data/sub/first /data/second; touch /data/x"], volumes={volume: "/data:ro"})
    assert box.output == "filled\nsecond\n"
    assert box.exit_code != 0


@pytest.mark.requires("local_files", "host_ownership")
def test_a_folder_of_the_host_is_mounted(lab: Lab, tree: Build, tmp_path: Path) -> None:
    """A folder of the host is seen in a container, and what the container writes is seen here."""
    (tmp_path / "here").write_text("from here\n")
    box = lab.run(tree, ["sh", "-c", "cat /mnt/here; echo from there > /mnt/there"], volumes={tmp_path: "/mnt"})
    assert box.output == "from here\n"
    assert (tmp_path / "there").read_text() == "from there\n"


@pytest.mark.requires("local_files")
def test_a_folder_that_is_missing_is_not_made(lab: Lab, tree: Build, tmp_path: Path) -> None:
    """A bind mount of a folder that does not exist is an error that names it."""
    with pytest.raises(LabError, match="not-there"):
        lab.run(tree, ["true"], volumes={tmp_path / "not-there": "/mnt"})
    assert not (tmp_path / "not-there").exists()
