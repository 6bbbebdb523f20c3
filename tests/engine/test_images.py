"""The verbs on images, on a real engine."""

from __future__ import annotations

import contextlib
import io
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.image_files import EngineFiles, FileContainers
from pytest_dockerlab.engine.private.registry import RegistryProcess, missing
from pytest_dockerlab.errors import BaseImageMissing, Conflict, EngineError, LabError, NotFound, UsageError
from pytest_dockerlab.image.archive import open_image
from pytest_dockerlab.image.random import MadeImage, random_image
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.run.spec import RunSpec


def test_a_loaded_image_is_what_was_made(engine: Engine, made: MadeImage) -> None:
    """Layers, configuration and files of an image that a tar brought."""
    image = engine.images.get(made.tags[0])
    assert image.layers == made.diff_ids()
    assert image.tags == made.tags
    assert image.cmd == ("/none",)
    assert [entry.empty_layer for entry in image.history] == [False, False]
    assert image.files is not None
    assert [layer.diff_id for layer in image.files.layers()] == list(made.diff_ids())
    assert [entry.empty_layer for entry in image.files.history()] == [False, False]


def test_a_saved_image_comes_back_from_the_archive(engine: Engine, made: MadeImage, tmp_path: Path) -> None:
    """Save writes an archive of the same image."""
    path = tmp_path / "saved.tar"
    with path.open("wb") as out:
        out.writelines(engine.images.save(made.tags[0]))
    assert open_image(path).layers == made.diff_ids()


def test_files_are_the_same_by_container_and_by_archive(engine: Engine, made: MadeImage) -> None:
    """Stat through a container that is never started agrees with the saved layers."""
    file = (made.steps[-1].files or ())[-1]
    image = engine.images.get(made.tags[0])
    with contextlib.closing(EngineFiles(engine, FileContainers(engine), image.id, size=10**9)) as asking:
        through_container = asking.stat(file.path)
        assert not through_container.digest, "it came from an index"
        assert asking.read(file.path) == file.content
        asking.layers()
        assert asking.stat(file.path) == through_container
        assert asking.stat(file.path).digest
    assert (through_container.mode, through_container.uid, through_container.gid) == (file.mode, file.uid, file.gid)


def test_what_an_engine_puts_into_containers_is_not_in_the_image(engine: Engine, made: MadeImage) -> None:
    """A created container has /.dockerenv and /etc/hosts; its image has not."""
    files = engine.images.get(made.tags[0]).files
    assert files is not None
    for path in ("/.dockerenv", "/etc/hosts", "/nope"):
        with pytest.raises(NotFound, match=f"no such path in .*{path}"):
            files.stat(path)


def test_an_image_that_was_looked_at_can_be_removed(engine: Engine, made: MadeImage) -> None:
    """The container for looking does not stand in the way, and goes too."""
    files = engine.images.get(made.tags[0]).files
    assert files is not None
    files.read((made.steps[0].files or ())[0].path)
    lines = engine.images.remove(made.tags[0])
    assert f"Untagged: {made.tags[0]}" in lines
    assert any(line.startswith("Deleted: sha256:") for line in lines)
    with pytest.raises(NotFound, match=made.tags[0]):
        engine.images.get(made.tags[0])


def test_looking_goes_on_when_somebody_removed_the_container(engine: Engine, made: MadeImage) -> None:
    """Who cleans up by label does no harm: another container is made."""
    first, second = (made.steps[0].files or ())[:2]
    image = engine.images.get(made.tags[0])
    assert image.files is not None
    image.files.read(first.path)
    for row in engine.containers.list({"org.dockerlab.files": image.id}):
        engine.containers.remove(row.id)
    assert image.files.read(second.path) == second.content


def test_closing_the_engine_removes_its_looking_containers(engine: Engine, made: MadeImage) -> None:
    """Nothing is left of having looked."""
    with Engine(engine.endpoint) as other:
        image = other.images.get(made.tags[0])
        assert image.files is not None
        image.files.read((made.steps[0].files or ())[0].path)
        assert len(engine.containers.list({"org.dockerlab.files": image.id})) == 1
    assert engine.containers.list({"org.dockerlab.files": image.id}) == ()


def test_an_image_in_use_is_a_conflict(engine: Engine, made: MadeImage) -> None:
    """The engine's reason and the remedy are in the message; force takes the name off all the same."""
    box = engine.containers.create(RunSpec(image=made.tags[0])).id
    try:
        with pytest.raises(Conflict, match=r"(?i)container(.|\n)*remove what uses it first"):
            engine.images.remove(made.tags[0])
        assert engine.images.remove(made.tags[0], force=True)
    finally:
        engine.containers.remove(box)
        with contextlib.suppress(NotFound):
            engine.images.remove(made.id, force=True)


def test_a_second_name_is_taken_off_alone(engine: Engine, made: MadeImage) -> None:
    """The image stays while it has another name."""
    other = made.tags[0].replace(":1", ":2")
    engine.images.tag(made.tags[0], other)
    assert set(engine.images.get(made.tags[0]).tags) == {made.tags[0], other}
    assert engine.images.remove(other) == (f"Untagged: {other}",)
    with pytest.raises(NotFound, match="no-such"):
        engine.images.tag("no-such", other)


def test_an_unknown_image_is_named(engine: Engine) -> None:
    """Get and remove say which image, and how to get it."""
    for verb in (engine.images.get, engine.images.remove):
        with pytest.raises(NotFound, match=r"image 'no/such:1'(.|\n)*lab\.image"):
            verb("no/such:1")


def test_a_tree_can_be_imported(engine: Engine) -> None:
    """One layer, with configuration from instructions and the engine's labels."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        header = tarfile.TarInfo("hello")
        header.size = 2
        tar.addfile(header, io.BytesIO(b"hi"))
    ref = f"dockerlab-{uuid.uuid4().hex}:1"
    engine.images.import_([out.getvalue()], ref, changes=('CMD ["/hello"]', "ENV A=1"))
    try:
        image = engine.images.get(ref)
        assert (image.cmd, image.env) == (("/hello",), {"A": "1"})
        assert image.labels == engine.labels
        assert len(image.layers) == 1
        assert [found.id for found in engine.images.list(engine.labels)] == [image.id]
    finally:
        engine.images.remove(ref)


def test_an_image_of_another_platform_is_known_as_such(engine: Engine) -> None:
    """The platform comes from the image, not from the engine."""
    made = random_image(uuid.uuid4().int, layers=1, tags=(f"dockerlab-{uuid.uuid4().hex}:1",))
    other = MadeImage(steps=made.steps, tags=made.tags, platform=Platform("linux", "s390x"))
    engine.images.load([other.docker_save()])
    try:
        assert engine.images.get(made.tags[0]).platform == Platform("linux", "s390x")
    finally:
        engine.images.remove(made.tags[0])


@pytest.mark.parametrize("data", [b"", b"hello" * 300], ids=["empty", "text"])
def test_what_is_no_archive_is_not_loaded(engine: Engine, data: bytes) -> None:
    """Loading nothing, or nonsense, is an error and not silence."""
    with pytest.raises((EngineError, UsageError), match="load of an image archive"):
        engine.images.load([data])


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, need: Callable[[str], None]) -> Iterator[str]:
    """A registry on this machine's loopback."""
    need(missing())
    process = RegistryProcess(tmp_path_factory.mktemp("registry"))
    yield process.start()
    process.stop()


Name = Callable[[str], str]


@pytest.fixture
def named(engine: Engine, made: MadeImage, registry: str) -> Iterator[str]:
    """The random image under a name in the registry."""
    engine.capabilities.require("loopback_ports")
    name = f"{registry}/{made.tags[0]}"
    engine.images.tag(made.tags[0], name)
    yield name
    with contextlib.suppress(NotFound):
        engine.images.remove(name)


def test_a_push_says_what_was_sent(engine: Engine, named: str) -> None:
    """Each layer's last word, and the digest; a second push finds all of it there."""
    lines: list[str] = []
    first = engine.images.push(named, lines.append)
    assert {layer.status for layer in first.layers} == {"Pushed"}
    assert len(first.layers) == 2
    assert first.digest.startswith("sha256:")
    assert any(line.endswith(": Pushed") for line in lines)
    second = engine.images.push(named)
    assert {layer.status for layer in second.layers} == {"Layer already exists"}
    assert second.digest == first.digest


def test_a_pull_brings_the_pushed_image(engine: Engine, made: MadeImage, named: str) -> None:
    """The same layers under the same digest; a second pull says that it is up to date."""
    digest = engine.images.push(named).digest
    for name in (named, made.tags[0]):
        engine.images.remove(name)
    first = engine.images.pull(named)
    assert first.digest == digest
    assert {layer.status for layer in first.layers} == {"Pull complete"}
    assert engine.images.get(named).layers == made.diff_ids()
    assert engine.images.get(named).digests == (f"{named.rpartition(':')[0]}@{digest}",)
    assert "up to date" in engine.images.pull(named).status
    by_digest = f"{named.rpartition(':')[0]}@{digest}"
    assert engine.images.pull(by_digest).image == first.image


def test_a_missing_tag_is_not_found(engine: Engine, named: str) -> None:
    """The registry answers and has no such image: that is no fault of the engine."""
    with pytest.raises(NotFound, match=r"pull of .*:none.*(not found|manifest unknown)"):
        engine.images.pull(f"{named.rpartition(':')[0]}:none")


def test_a_registry_that_does_not_answer_is_the_environments_fault(engine: Engine) -> None:
    """The message has the reason, and names mirrors and stand-ins as a way out."""
    with pytest.raises(BaseImageMissing, match=r"pull of 127.0.0.1:1/x.*(.|\n)*DOCKERLAB_MIRROR"):
        engine.images.pull("127.0.0.1:1/x")


def test_threads_share_an_engine(engine: Engine, made: MadeImage) -> None:
    """Many questions at once through one connection pool all get their own answers."""
    problems: list[LabError] = []
    wrong: list[str] = []

    def ask() -> None:
        for _ in range(10):
            try:
                if engine.images.get(made.tags[0]).layers != made.diff_ids():
                    wrong.append("layers")
            except LabError as error:
                problems.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (problems, wrong) == ([], [])
