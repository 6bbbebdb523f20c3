"""The build cache: what is reused, and from which step on it is not."""

from __future__ import annotations

import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pytest_dockerlab import Build, Lab, assert_all_reused, assert_first_rebuilt, assert_rebuilt, assert_reused
from pytest_dockerlab.build.spec import BuilderName

pytestmark = pytest.mark.proves("cache")

# In a process of its own: it is ended by killing that.
BUILD = """
import sys
from functools import partial
from pathlib import Path
from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.engine.endpoint import Endpoint
from pytest_dockerlab.engine.engine import Engine
url, folder = sys.argv[1:]
with Engine(Endpoint(url=url, name="other", source="test")) as engine:
    engine.build(BuildSpec(context=Path(folder), builder="buildkit"), partial(print, flush=True))
"""


# One lab for the whole module: in containerd's store an image that is removed takes along the steps that the classic
# builder made it of, though others are made of them, too.
@pytest.fixture
def lab(lab_module: Lab) -> Lab:
    return lab_module


@pytest.fixture(scope="module")
def first(lab_module: Lab, builder: BuilderName, tmp_path_factory: pytest.TempPathFactory) -> Build:
    """What nobody has built before: there is a mark in its first RUN. Each test builds what differs from it only."""
    folder = tmp_path_factory.mktemp("context")
    (folder / "first.txt").write_text("first\n")
    (folder / "second.txt").write_text("second\n")
    (folder / "Dockerfile").write_text(
        f"FROM alpine\nRUN echo {uuid.uuid4().hex} > /mark\nCOPY first.txt /\nRUN echo between > /between\n"
        "COPY second.txt /\n"
    )
    return lab_module.build(folder, builder=builder)


@pytest.fixture
def context(first: Build, tmp_path: Path) -> Path:
    """A copy of its folder, to be changed."""
    return Path(shutil.copytree(first.spec.context, tmp_path / "context"))


def test_built_again_nothing_runs(lab: Lab, builder: BuilderName, first: Build, context: Path) -> None:
    """Built again, every step is taken from the cache and the layers are the same."""
    assert_first_rebuilt(first, step=2)
    again = lab.build(context, builder=builder)
    assert_all_reused(again)
    assert again.image.layers == first.image.layers


def test_a_changed_file_is_copied_anew(lab: Lab, builder: BuilderName, context: Path) -> None:
    """After a changed file everything from its COPY on runs anew, and nothing before it."""
    (context / "first.txt").write_text("changed\n")
    assert [step.number for step in assert_first_rebuilt(lab.build(context, builder=builder), step=3)] == [3, 4, 5]


def test_a_changed_time_is_no_change(lab: Lab, builder: BuilderName, context: Path) -> None:
    """A file that has only another time is reused."""
    (context / "first.txt").touch()
    assert_reused(lab.build(context, builder=builder), step=3)


def test_a_changed_run_is_run(lab: Lab, builder: BuilderName, context: Path) -> None:
    """After a changed RUN it and everything after it run anew."""
    recipe = context / "Dockerfile"
    recipe.write_text(recipe.read_text().replace("echo between", "echo changed"))
    assert [step.number for step in assert_first_rebuilt(lab.build(context, builder=builder), step=4)] == [4, 5]


def test_a_changed_argument_runs_what_uses_it(lab: Lab, builder: BuilderName) -> None:
    """Another build argument runs the steps after its ARG anew."""
    text = f"FROM alpine\nRUN echo {uuid.uuid4().hex} > /mark\nARG WHO=nobody\nRUN echo $WHO > /who\n"
    lab.build(text, builder=builder)
    assert [s.number for s in assert_first_rebuilt(lab.build(text, args={"WHO": "me"}, builder=builder), step=3)] == [3]


def test_without_cache_every_step_runs(lab: Lab, builder: BuilderName, context: Path) -> None:
    """Built without cache every step runs."""
    assert_first_rebuilt(lab.build(context, no_cache=True, builder=builder), step=2)


def test_a_fresh_cache_knows_nothing_of_earlier_builds(lab: Lab, builder: BuilderName, context: Path) -> None:
    """A fresh cache has nothing of earlier builds, and keeps what is built with it."""
    fresh = lab.fresh_cache()
    assert_rebuilt(lab.build(context, fresh=fresh, builder=builder), step=2)
    assert_all_reused(lab.build(context, fresh=fresh, builder=builder))


def test_two_images_share_a_step(lab: Lab, builder: BuilderName) -> None:
    """A step that another image begins with, too, is reused."""
    text = f"FROM alpine\nRUN echo {uuid.uuid4().hex} > /mark\n"
    lab.build(f"{text}RUN echo one > /own\n", builder=builder)
    other = lab.build(f"{text}RUN echo two > /own\n", builder=builder)
    assert [step.number for step in assert_first_rebuilt(other, step=3)] == [3]


@contextmanager
def _going_on(lab: Lab, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A build that has come to its RUN, and stays there."""
    command = [sys.executable, "-c", BUILD, lab.engine.endpoint.url, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            assert process.stdout is not None
            said = []
            for line in process.stdout:
                said.append(line)
                if "RUN" in line:
                    break
            assert process.poll() is None, "".join(said)
            yield process
        finally:
            process.kill()


@pytest.mark.requires("buildkit")
def test_the_first_build_from_a_base_hides_no_steps(lab: Lab, tmp_path: Path) -> None:
    """While the first build from a base goes on, what others have built from it is reused."""
    base = lab.build(f"FROM alpine\nRUN echo {uuid.uuid4().hex} > /mark\n").name
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nRUN sleep 60\n")
    with _going_on(lab, tmp_path) as other:
        text = f"FROM {base}\nRUN echo first > /first\nRUN echo second > /second\n"
        built, again = lab.build(text), lab.build(text)
        assert other.poll() is None
    assert_rebuilt(built, step=2)
    assert_all_reused(again)


def test_triggers_run_in_the_build_itself(lab: Lab, builder: BuilderName) -> None:
    """What a base has its builds run (ONBUILD) is run by the first of them that was asked for."""
    mark = uuid.uuid4().hex
    base = lab.build(f"FROM alpine\nONBUILD RUN echo {mark} > /mark\n", builder=builder).name
    built = lab.build(f"FROM {base}\nRUN echo own > /own\n", builder=builder)
    assert_rebuilt(built, step=2)
