"""Indexes on disk: read once, whole or not at all, and never believed when damaged."""

from __future__ import annotations

import contextlib
import hashlib
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.image_files import EngineFiles, FileContainers
from pytest_dockerlab.engine.shelf import Shelf
from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.image import layer_index
from pytest_dockerlab.image.archive import ArchiveFiles
from pytest_dockerlab.image.blobs import tar_items
from pytest_dockerlab.image.model import FileKind, FileStat
from pytest_dockerlab.image.random import MadeImage, random_image
from pytest_dockerlab.image.tarstream import Blocks
from pytest_dockerlab.lab import Lab


class Source:
    """A saved image, which counts how often it is read."""

    def __init__(self, image: MadeImage) -> None:
        self.image = image
        self.data = image.docker_save()
        self.reads = 0

    def files(self, shelf: Shelf, *, data: bytes | None = None) -> ArchiveFiles:
        def items() -> Iterator[Any]:
            self.reads += 1
            return tar_items(Blocks([self.data if data is None else data]), "made")

        return ArchiveFiles(items, "made", self.image.id, layers=self.image.diff_ids(), keep=shelf)

    def expected(self) -> dict[str, tuple[int, int | None, int]]:
        entries = {file.path: file for step in self.image.steps for file in step.files or ()}
        return {path: (file.mode, file.uid, len(file.content)) for path, file in entries.items()}

    def found(self, shelf: Shelf) -> dict[str, tuple[int, int | None, int]]:
        files = self.files(shelf)
        stats: dict[str, FileStat] = {path: files.stat(path) for path in self.expected()}
        return {path: (entry.mode, entry.uid, entry.size) for path, entry in stats.items()}


@pytest.fixture
def source() -> Source:
    return Source(random_image(uuid.uuid4().int, layers=3, files=5))


def kept(folder: Path, kind: str = "layer") -> list[Path]:
    return sorted(folder.glob(f"{kind}-*"))


def test_the_next_run_reads_nothing(source: Source, tmp_path: Path) -> None:
    """Files, layers, history and digests come from disk; content is read where the archive is."""
    assert source.found(Shelf(tmp_path / "a")) == source.expected()
    assert source.reads == 1
    files = source.files(Shelf(tmp_path / "a"))
    assert files.indexed
    assert source.found(Shelf(tmp_path / "a")) == source.expected()
    assert [layer.diff_id for layer in files.layers()] == list(source.image.diff_ids())
    assert len(files.history()) == 3
    assert source.reads == 1
    assert len(list(files.contents())) == 15
    assert source.reads == 2


def test_layers_of_a_base_are_read_once_for_all_its_images(source: Source, tmp_path: Path) -> None:
    """An index belongs to the layer, whatever images have it."""
    source.found(Shelf(tmp_path / "a"))
    base = Source(MadeImage(steps=source.image.steps[:2]))
    assert base.found(Shelf(tmp_path / "a")) == base.expected()
    assert base.reads == 0


@pytest.mark.parametrize("damage", ["byte", "cut", "empty", "text", "other", "folder"])
@pytest.mark.parametrize("kind", ["layer", "image"])
def test_what_is_damaged_is_made_anew(source: Source, tmp_path: Path, kind: str, damage: str) -> None:
    """A flipped byte, a cut, another file's content: nothing wrong is ever told, and the file is mended."""
    source.found(Shelf(tmp_path))
    path = kept(tmp_path, kind)[0]
    whole = path.read_bytes()
    middle = len(whole) // 2
    match damage:
        case "byte":
            path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        case "cut":
            path.write_bytes(whole[:-9])
        case "empty":
            path.write_bytes(b"")
        case "text":
            path.write_bytes(b"hello\n" * 100)
        case "other":
            path.write_bytes(kept(tmp_path, "image" if kind == "layer" else "layer")[0].read_bytes())
        case _:
            path.unlink()
            path.mkdir()
    assert source.found(Shelf(tmp_path)) == source.expected()
    assert len(source.files(Shelf(tmp_path)).history()) == 3
    if damage != "folder":
        assert path.read_bytes() == whole
        reads = source.reads
        assert source.found(Shelf(tmp_path)) == source.expected()
        assert source.reads == reads


def test_every_single_byte_of_an_index_is_watched(source: Source, tmp_path: Path) -> None:
    """Whichever one is changed, the index is not believed."""
    source.found(Shelf(tmp_path))
    path, diff_id = kept(tmp_path)[0], source.image.diff_ids()
    (whose,) = (each for each in diff_id if each.endswith(path.name.removeprefix("layer-")))
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        assert Shelf(tmp_path).layer(whose) is None, f"byte {place}"
        assert not path.exists()


def test_an_older_format_is_made_anew(source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version of this package may have used the same cache."""
    with monkeypatch.context() as older:
        older.setattr(layer_index, "FORMAT", layer_index.FORMAT - 1)
        source.found(Shelf(tmp_path))
    assert source.found(Shelf(tmp_path)) == source.expected()
    assert source.reads == 2


def test_another_layers_index_is_not_taken(source: Source, tmp_path: Path) -> None:
    """A file under a wrong name is whole, and still not what was asked for."""
    source.found(Shelf(tmp_path))
    first, second, _ = kept(tmp_path)
    first.write_bytes(second.read_bytes())
    assert source.found(Shelf(tmp_path)) == source.expected()


def test_what_goes_while_it_is_used_stays_readable(source: Source, tmp_path: Path) -> None:
    """Another process may prune at any moment."""
    files = source.files(Shelf(tmp_path))
    layers = files.layers()
    for path in kept(tmp_path):
        path.unlink()
    assert sum(len(layer.files) for layer in layers) == sum(1 for layer in layers for _ in layer.files) == 15
    assert source.reads == 1


def test_the_shelf_has_an_end(tmp_path: Path) -> None:
    """What was used least recently goes first, and what is too old to be still being written."""
    used = Source(random_image(1))
    used.found(Shelf(tmp_path))
    shelf = Shelf(tmp_path, most_bytes=12 * 64 * 1024)
    abandoned, fresh = tmp_path / "new-killed", tmp_path / "new-writing"
    for path in (abandoned, fresh):
        path.touch()
    os.utime(abandoned, (1, 1))
    for path in (*kept(tmp_path), *kept(tmp_path, "image")):
        os.utime(path, (2, 2))
    oldest = Source(random_image(2))
    oldest.found(Shelf(tmp_path))
    for path in {*kept(tmp_path), *kept(tmp_path, "image")} - {each for each in tmp_path.iterdir() if _age(each) == 2}:
        os.utime(path, (1, 1))
    assert used.files(shelf).indexed  # which is a use
    for seed in range(3, 9):
        Source(random_image(seed)).found(shelf)
        assert len(kept(tmp_path)) + len(kept(tmp_path, "image")) <= 13
    assert not oldest.files(Shelf(tmp_path)).indexed
    assert not abandoned.exists()
    assert fresh.exists()


def _age(path: Path) -> float:
    return path.stat().st_mtime


def test_a_folder_that_others_can_write_to_is_not_used(source: Source, tmp_path: Path) -> None:
    """They could tell us anything of an image."""
    tmp_path.chmod(0o777)
    assert source.found(Shelf(tmp_path)) == source.expected()
    assert kept(tmp_path) == []


def test_a_folder_of_another_user_is_not_used(source: Source, tmp_path: Path) -> None:
    """With sudo, HOME may be somebody else's."""
    if os.getuid():
        pytest.skip("only root can give files away")
    os.chown(tmp_path, 12345, 12345)
    assert source.found(Shelf(tmp_path)) == source.expected()
    assert kept(tmp_path) == []


def test_where_nothing_can_be_written_it_is_kept_in_memory(source: Source, tmp_path: Path) -> None:
    """A full disk, a file in the folder's place: the same answers, read once a process."""
    place = tmp_path / "file"
    place.touch()
    shelf = Shelf(place)
    assert source.found(shelf) == source.found(shelf) == source.expected()
    assert len(source.files(shelf).history()) == 3
    assert source.reads == 1


_WRITER = """
import sys
from pathlib import Path
from pytest_dockerlab.engine.shelf import Shelf
from pytest_dockerlab.image.archive import ArchiveFiles
from pytest_dockerlab.image.blobs import tar_items
from pytest_dockerlab.image.tarstream import Blocks
archive, folder, image, *layers = sys.argv[1:]
reads = []
def items():
    reads.append(1)
    return tar_items(Blocks([Path(archive).read_bytes()]), archive)
shelf = Shelf(Path(folder))
files = ArchiveFiles(items, archive, image, layers=tuple(layers), keep=shelf)
print(sum(len(layer.files) for layer in files.layers()), len(reads))
"""


def test_processes_share_the_work(source: Source, tmp_path: Path) -> None:
    """Four at once: all get it right, one of them reads."""
    archive, folder = tmp_path / "image.tar", tmp_path / "shelf"
    archive.write_bytes(source.data)
    command = [sys.executable, "-c", _WRITER, str(archive), str(folder), source.image.id, *source.image.diff_ids()]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    said = [each.communicate(timeout=120)[0].split() for each in running]
    assert [count for count, _ in said] == ["15"] * 4
    assert sorted(reads for _, reads in said) == ["0", "0", "0", "1"]
    assert list(folder.glob("new-*")) == []


Counted = Callable[[], list[str]]


@pytest.fixture
def requests(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the engine, as ``GET /images/get``."""
    asked: list[str] = []
    send = engine.api.send

    def counting(method: str, path: str, **options: Any) -> Any:
        asked.append(f"{method} {path}")
        return send(method, path, **options)

    monkeypatch.setattr(engine.api, "send", counting)
    return asked


def files_of(engine: Engine, image: MadeImage, folder: Path, size: int) -> EngineFiles:
    found = engine.images.get(image.tags[0])
    return EngineFiles(engine, FileContainers(engine), found.id, layers=found.layers, size=size, keep=Shelf(folder))


def test_an_engine_saves_an_image_once_for_all_runs(
    engine: Engine, made: MadeImage, tmp_path: Path, requests: list[str]
) -> None:
    """The second run's questions about files, layers and history don't reach the engine at all."""
    path = (made.steps[0].files or ())[0].path
    first = files_of(engine, made, tmp_path, 10**9)
    first.layers()
    assert requests.count("GET /images/get") == 1
    second = files_of(engine, made, tmp_path, 10**9)
    del requests[:]
    assert second.stat(path) == first.stat(path)
    assert second.layers()[0].diff_id == made.diff_ids()[0]
    assert [entry.empty_layer for entry in second.history()] == [False, False]
    assert requests == []
    assert {entry.path for _, entry, _ in second.contents(1)} == {file.path for file in made.steps[1].files or ()}
    assert requests == ["GET /images/get"]


def test_a_small_image_is_indexed_at_once_a_large_one_when_it_pays(
    engine: Engine, made: MadeImage, tmp_path: Path, requests: list[str]
) -> None:
    """A container is asked as long as that is cheaper: at most as many questions as a save would cost."""
    paths = [file.path for step in made.steps for file in step.files or ()]
    small = files_of(engine, made, tmp_path / "small", 1000)
    del requests[:]
    small.stat(paths[0])
    assert requests == ["GET /images/get"]
    with contextlib.closing(files_of(engine, made, tmp_path / "large", 6_000_000)) as large:
        del requests[:]
        for path in paths:
            large.stat(path)
        assert requests.count("GET /images/get") == 1
        assert 1 <= sum(request.endswith("/archive") for request in requests) <= 3


def known(files: EngineFiles, path: str) -> FileStat:
    entry = files.stat(path)
    # The engine puts files into every container, which changes the times of their folders.
    return replace(entry, mtime=0.0) if entry.kind is FileKind.DIRECTORY else entry


def test_an_index_says_what_the_archive_api_says(lab_session: Lab, engine: Engine, tmp_path: Path) -> None:
    """Every entry of a real image: kind, mode, owner, size, time and link of a sample through its container."""
    lab_session.image("alpine")
    image = engine.images.get("alpine")
    with contextlib.closing(
        EngineFiles(engine, FileContainers(engine), image.id, layers=image.layers, size=10**12, keep=Shelf(tmp_path))
    ) as through_container:
        indexed = EngineFiles(engine, FileContainers(engine), image.id, layers=image.layers, keep=Shelf(tmp_path / "i"))
        entries = [entry for layer in indexed.layers() for entry in layer.files if not entry.path.startswith("/dev")]
        assert len(entries) > 50
        for entry in (*entries[:10], *entries[10 :: len(entries) // 30]):
            assert known(indexed, entry.path) == known(through_container, entry.path)


BUILT = """
FROM alpine
RUN mkdir -p /d/gone /d/emptied && echo 1 > /d/gone/a && echo 22 > /d/emptied/old
RUN echo 333 > /d/linked && ln /d/linked /d/hard
RUN ln -s d /link && mkfifo -m 600 /d/pipe && chown 1111:2222 /d/linked && chmod 4755 /d/linked
RUN rm -r /d/gone && rm -r /d/emptied && mkdir -m 1777 /d/emptied && echo 4444 > /d/emptied/new
RUN mv /d/linked /d/$(printf 'n%.0s' $(seq 200)) && mkdir /d/$(printf 'm%.0s' $(seq 200)) && rm /link && mkdir /link
"""


def test_what_builds_write_and_delete_is_seen_as_a_container_sees_it(lab: Lab, engine: Engine, tmp_path: Path) -> None:
    """Deletions, opaque folders, hard links, replaced links, long names: the index and the archive API agree."""
    (tmp_path / "Dockerfile").write_text(BUILT)
    image = engine.images.get(lab.build(tmp_path).name)
    indexed = EngineFiles(engine, FileContainers(engine), image.id, layers=image.layers, keep=Shelf(tmp_path / "i"))
    through_container = EngineFiles(engine, FileContainers(engine), image.id, layers=image.layers, size=10**12)
    indexed.layers()
    long, folder = "/d/" + "n" * 200, "/d/" + "m" * 200
    with contextlib.closing(through_container):
        for path in ("/d", "/d/hard", "/d/emptied", "/d/emptied/new", "/d/pipe", "/link", long, folder):
            assert known(indexed, path) == known(through_container, path)
        for path in ("/d/gone", "/d/gone/a", "/d/emptied/old", "/d/linked", "/link/hard"):
            for files in (indexed, through_container):
                with pytest.raises(NotFound, match=f"no such path in .*: {path}"):
                    files.stat(path)
    assert (indexed.stat(long).uid, indexed.stat(long).gid, indexed.stat(long).mode) == (1111, 2222, 0o4755)
    assert indexed.read("/d/hard") == b"333\n"
    assert indexed.stat(long).digest == "sha256:" + hashlib.sha256(b"333\n").hexdigest()
