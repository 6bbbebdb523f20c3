"""Docker intro, chapter "layer caching": rows A05–A08.

Every test has a cache of its own: an earlier build on the same engine can't have filled it.
"""

from __future__ import annotations

import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_dockerlab import Build, Lab, assert_all_reused, assert_first_rebuilt, assert_rebuilt, assert_reused


@dataclass(frozen=True, slots=True, kw_only=True)
class Chapter:
    """The chapter's three builds, one after the other."""

    ex1: Build
    ex2: Build
    again: Build


@pytest.fixture(scope="module")
def chapter(lab_module: Lab) -> Chapter:
    fresh = lab_module.fresh_cache()
    return Chapter(
        ex1=lab_module.build("ex1", fresh=fresh),
        ex2=lab_module.build("ex2", fresh=fresh),
        again=lab_module.build("ex2", fresh=fresh),
    )


@pytest.fixture(scope="module")
def filled(lab_module: Lab) -> str:
    """A cache that holds the steps of the exercise "cache" and nothing else."""
    fresh = lab_module.fresh_cache()
    lab_module.build("cache", fresh=fresh)
    return fresh


def copy_of(exercise: Path, to: Path) -> Path:
    """The exercise's folder, to be changed."""
    return Path(shutil.copytree(exercise, to / exercise.name))


def reused(build: Build) -> int:
    return sum(step.cached for step in build.trace.work)


@pytest.mark.row("A05")
def test_a05_the_curl_step_is_reused(chapter: Chapter) -> None:
    """A05: after ex1, the build of ex2 takes the curl step from the cache, as `CACHED [2/3] RUN … curl`."""
    assert_rebuilt(chapter.ex1, step=2)
    step = chapter.ex2.trace.step(2)
    assert step.label == "[2/3] RUN apt-get update && apt-get install -y --no-install-recommends curl"
    assert_reused(chapter.ex2, step=2)


@pytest.mark.row("A05")
def test_a05_only_the_vim_step_runs(chapter: Chapter) -> None:
    """A05: of ex2's steps only the third, which installs vim, runs."""
    assert_rebuilt(chapter.ex2, step=3)
    assert [step.number for step in chapter.ex2.trace.work if not step.cached] == [3]
    assert "Setting up vim" in chapter.ex2.trace.step(3).log


@pytest.mark.row("A05")
def test_a05_ex2_holds_ex1s_layers(chapter: Chapter) -> None:
    """A05: the reused step is the very layer of ex1: ex2 begins with all layers of ex1."""
    assert chapter.ex2.image.layers[:-1] == chapter.ex1.image.layers


@pytest.mark.row("A05")
def test_wrong_a05_the_curl_step_was_changed(lab: Lab) -> None:
    """A05: with another text in step 2, the step is not reused, and the message names the step."""
    fresh = lab.fresh_cache()
    lab.build("FROM alpine\nRUN echo curl > /curl\n", fresh=fresh)
    wrong = lab.build("FROM alpine\nRUN echo curl wget > /curl\nRUN echo vim > /vim\n", fresh=fresh)
    with pytest.raises(AssertionError, match=r"RUN echo curl wget"):
        assert_reused(wrong, step=2)


@pytest.mark.row("A06")
def test_a06_the_second_build_runs_nothing(chapter: Chapter) -> None:
    """A06: ex2 built again at once reuses every step and is the same image."""
    assert_all_reused(chapter.again)
    assert chapter.again.image.layers == chapter.ex2.image.layers


@pytest.mark.row("A06")
def test_a06_the_second_build_takes_a_fraction_of_the_time(chapter: Chapter) -> None:
    """A06: with nothing to install, the second build takes less than a quarter of the two first."""
    assert chapter.again.trace.seconds < (chapter.ex1.trace.seconds + chapter.ex2.trace.seconds) / 4


@pytest.mark.row("A06")
def test_wrong_a06_the_cache_was_not_used(lab: Lab) -> None:
    """A06: a build without cache fails the check, and the step that ran is named."""
    text = "FROM alpine\nRUN echo curl > /curl\nRUN echo vim > /vim\n"
    lab.build(text)
    wrong = lab.build(text, no_cache=True)
    with pytest.raises(AssertionError, match=r"RUN echo curl > /curl"):
        assert_all_reused(wrong)


@pytest.mark.row("A07")
def test_a07_everything_after_a_new_instruction_is_built_again(lab: Lab, filled: str) -> None:
    """A07: with a new instruction after the second of four, those two are reused, the rest is built again."""
    inserted = lab.build("cache", dockerfile="Dockerfile.inserted", fresh=filled)
    assert [step.number for step in assert_first_rebuilt(inserted, step=4)] == [4, 5, 6]


@pytest.mark.row("A07")
def test_a07_everything_after_a_changed_instruction_is_built_again(lab: Lab, filled: str) -> None:
    """A07: with the second of four instructions changed, only the first is reused."""
    changed = lab.build("cache", dockerfile="Dockerfile.changed", fresh=filled)
    assert [step.number for step in assert_first_rebuilt(changed, step=3)] == [3, 4, 5]


@pytest.mark.row("A07")
def test_a07_everything_after_a_changed_file_is_built_again(
    lab: Lab, filled: str, dockerfiles: Path, tmp_path: Path
) -> None:
    """A07: with another content of the file that is copied, COPY and what follows are built again."""
    context = copy_of(dockerfiles / "cache", tmp_path)
    (context / "notes.txt").write_text("changed\n", encoding="utf-8")
    changed = lab.build(context, fresh=filled)
    assert [step.number for step in assert_first_rebuilt(changed, step=4)] == [4, 5]


@pytest.mark.row("A07")
def test_a07_a_new_date_of_a_file_is_no_change(lab: Lab, filled: str, dockerfiles: Path, tmp_path: Path) -> None:
    """A07: a file with the same content and another date is the same to the cache."""
    context = copy_of(dockerfiles / "cache", tmp_path)
    (context / "notes.txt").touch()
    assert_all_reused(lab.build(context, fresh=filled))


@pytest.mark.row("A07")
def test_wrong_a07_the_new_instruction_comes_first(lab: Lab) -> None:
    """A07: a new instruction before the others leaves nothing to reuse, and the message names the step."""
    fresh = lab.fresh_cache()
    lab.build("FROM alpine\nRUN echo first > /first\n", fresh=fresh)
    wrong = lab.build("FROM alpine\nRUN echo new > /new\nRUN echo first > /first\n", fresh=fresh)
    with pytest.raises(AssertionError, match=r"RUN echo first > /first"):
        assert_reused(wrong, step=3)
    with pytest.raises(AssertionError, match=r"first rebuilt step is 2, not 3"):
        assert_first_rebuilt(wrong, step=3)


@pytest.mark.row("A07")
def test_wrong_a07_nothing_was_changed(lab: Lab, filled: str) -> None:
    """A07: who expects a step to be built again that was not changed is told that it came from the cache."""
    with pytest.raises(AssertionError, match=r"step 5 was reused: .*RUN echo fourth > /fourth"):
        assert_rebuilt(lab.build("cache", fresh=filled), step=5)


def change_and_count(lab: Lab, context: Path, dockerfile: str) -> int:
    """Build, change the file that changes often, build again: how many steps were reused."""
    fresh = lab.fresh_cache()
    # A COPY before the first RUN is not covered by a fresh cache: give it a content of its own.
    (context / "notes.txt").write_text(f"{uuid.uuid4()}\n", encoding="utf-8")
    lab.build(context, dockerfile=dockerfile, fresh=fresh)
    (context / "notes.txt").write_text(f"{uuid.uuid4()}\n", encoding="utf-8")
    return reused(lab.build(context, dockerfile=dockerfile, fresh=fresh))


@pytest.mark.row("A08")
def test_a08_what_changes_often_belongs_last(lab: Lab, dockerfiles: Path, tmp_path: Path) -> None:
    """A08: with the changing file copied last, two steps are reused; copied first, none."""
    context = copy_of(dockerfiles / "cache", tmp_path)
    last = change_and_count(lab, context, "Dockerfile.often-last")
    first = change_and_count(lab, context, "Dockerfile.often-first")
    assert (last, first) == (2, 0)


@pytest.mark.row("A08")
def test_wrong_a08_copied_first(lab: Lab, dockerfiles: Path, tmp_path: Path) -> None:
    """A08: the Dockerfile that copies first does not reuse the tools, and the message names their step."""
    context = copy_of(dockerfiles / "cache", tmp_path)
    fresh = lab.fresh_cache()
    for _ in range(2):
        (context / "notes.txt").write_text(f"{uuid.uuid4()}\n", encoding="utf-8")
        wrong = lab.build(context, dockerfile="Dockerfile.often-first", fresh=fresh)
    with pytest.raises(AssertionError, match=r"RUN echo tools > /tools"):
        assert_reused(wrong, step=3)
