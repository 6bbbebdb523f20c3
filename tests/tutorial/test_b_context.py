"""From zero to AWS, what a build is given: rows B18–B21 and B23."""

from __future__ import annotations

import re
import shutil
import tarfile
from pathlib import Path

import pytest

from pytest_dockerlab import (
    Build,
    BuildFailed,
    Lab,
    assert_all_reused,
    assert_cmd,
    assert_env,
    assert_file,
    assert_first_rebuilt,
    assert_no_file,
    assert_rebuilt,
    assert_reused,
    image_fixture,
)

context_image = image_fixture("context", scope="run")
add_copy = image_fixture("add-copy", scope="run")
env_image = image_fixture("env", scope="run")

MIB = 1024**2

# What the tutorial's `env` prints.
VALUES = {"key1": "value", "key2": "value", "key3": "v a l u e", "key4": "v a u e", "key5": "v a l u e"}


def context_copy(dockerfiles: Path, tmp_path: Path) -> Path:
    """The exercise's folder, to be changed."""
    return Path(shutil.copytree(dockerfiles / "context", tmp_path / "context"))


# --- B18: a new package and the cache --------------------------------------------------------


@pytest.mark.row("B18")
def test_b18_a_new_package_in_its_own_run_reuses_the_old_one(lab: Lab) -> None:
    """B18: with the new package split off into its own RUN, the old RUN is reused and only the new one runs."""
    fresh = lab.fresh_cache()
    lab.build("cache", dockerfile="Dockerfile.packages", fresh=fresh)
    split = lab.build("cache", dockerfile="Dockerfile.packages-split", fresh=fresh)
    assert_reused(split, step=2)
    assert_rebuilt(split, step=3)


@pytest.mark.row("B18")
def test_b18_a_new_package_in_the_old_run_builds_all_of_it_again(lab: Lab) -> None:
    """B18: with the new package added to the old RUN, that RUN is carried out again, old packages and all."""
    fresh = lab.fresh_cache()
    lab.build("cache", dockerfile="Dockerfile.packages", fresh=fresh)
    added = lab.build("cache", dockerfile="Dockerfile.packages-added", fresh=fresh)
    assert_first_rebuilt(added, step=2)


@pytest.mark.row("B18")
def test_wrong_b18_added_instead_of_split_off(lab: Lab) -> None:
    """B18: who added the package to the old RUN and expects it reused is told that the step was rebuilt."""
    fresh = lab.fresh_cache()
    lab.build("cache", dockerfile="Dockerfile.packages", fresh=fresh)
    added = lab.build("cache", dockerfile="Dockerfile.packages-added", fresh=fresh)
    with pytest.raises(AssertionError, match=r"step 2 was rebuilt: .*RUN mkdir /installed"):
        assert_reused(added, step=2)


# --- B19: the build context ------------------------------------------------------------------


@pytest.mark.row("B19")
def test_b19_what_is_sent_is_what_copy_can_copy(lab: Lab, context_image: Build) -> None:
    """B19: `COPY .` brings the context's files into the image, those that .dockerignore names apart."""
    listed = lab.run(context_image, ["find", "/context", "-type", "f"]).output.split()
    assert "/context/app.txt" in listed
    assert "/context/notes/keep.txt" in listed
    for ignored in ("/context/debug.log", "/context/notes/draft.txt"):
        assert_no_file(context_image, ignored)


@pytest.mark.row("B19")
def test_b19_the_size_of_the_context_is_measured(lab: Lab, dockerfiles: Path, tmp_path: Path) -> None:
    """B19: number and size of the files that are sent are known, ignored ones not counted."""
    folder = context_copy(dockerfiles, tmp_path)
    before = lab.build(folder)
    (folder / "more.txt").write_bytes(b"x" * 1000)
    (folder / "more.log").write_bytes(b"x" * 100_000)
    after = lab.build(folder)
    assert after.context_files == before.context_files + 1
    assert after.context_bytes == before.context_bytes + 1000


@pytest.mark.row("B19")
def test_b19_an_unused_file_is_sent_all_the_same(lab: Lab, dockerfiles: Path, tmp_path: Path) -> None:
    """B19: a large file that no instruction uses is sent, and is not in the image."""
    folder = context_copy(dockerfiles, tmp_path)
    (folder / "large.bin").write_bytes(bytes(8 * MIB))
    build = lab.build(folder, dockerfile="Dockerfile.unused")
    assert build.context_bytes > 8 * MIB
    assert_file(build, "/app.txt", "the application\n")
    assert_no_file(build, "/large.bin")


@pytest.mark.row("B19")
def test_b19_an_unused_file_does_not_touch_the_cache(lab: Lab, dockerfiles: Path, tmp_path: Path) -> None:
    """B19: what no instruction uses may change without a step being built again."""
    folder = context_copy(dockerfiles, tmp_path)
    lab.build(folder, dockerfile="Dockerfile.unused")
    (folder / "unused.txt").write_text("new\n", encoding="utf-8")
    assert_all_reused(lab.build(folder, dockerfile="Dockerfile.unused"))


@pytest.mark.row("B19")
def test_b19_a_file_outside_is_refused(lab: Lab) -> None:
    """B19: COPY of a file outside of the context fails, and the message names the file and the line."""
    with pytest.raises(BuildFailed, match=r"ex1/Dockerfile") as caught:
        lab.build("context", dockerfile="Dockerfile.outside")
    assert caught.value.line == 3


@pytest.mark.row("B19")
def test_wrong_b19_without_dockerignore(lab: Lab, dockerfiles: Path, tmp_path: Path) -> None:
    """B19: without the .dockerignore the log is in the image, and the check names it."""
    folder = context_copy(dockerfiles, tmp_path)
    (folder / ".dockerignore").unlink()
    with pytest.raises(AssertionError, match=r"/context/debug.log"):
        assert_no_file(lab.build(folder), "/context/debug.log")


# --- B20: COPY and ADD -----------------------------------------------------------------------


@pytest.mark.row("B20")
def test_b20_copy_puts_a_file_at_its_path(add_copy: Build, dockerfiles: Path) -> None:
    """B20: sample.txt is in /new_dir, with its content."""
    assert_file(add_copy, "/new_dir/sample.txt", (dockerfiles / "add-copy" / "sample.txt").read_text(encoding="utf-8"))


@pytest.mark.row("B20")
def test_b20_add_unpacks_a_tar_and_copy_does_not(add_copy: Build, dockerfiles: Path) -> None:
    """B20: ADD leaves the archive's file, COPY the archive itself, byte by byte."""
    archive = dockerfiles / "add-copy" / "sample.tar.gz"
    with tarfile.open(archive) as tar:
        assert tar.getnames() == ["sample.txt"]
    assert_file(add_copy, "/added/sample.txt", "a sample\n")
    assert_no_file(add_copy, "/added/sample.tar.gz")
    assert_file(add_copy, "/copied/sample.tar.gz", archive.read_bytes())
    assert_no_file(add_copy, "/copied/sample.txt")


@pytest.mark.row("B20")
def test_wrong_b20_copied_instead_of_added(lab: Lab, dockerfiles: Path) -> None:
    """B20: with COPY in place of ADD the file is missing, and the check names it."""
    wrong = lab.build("FROM alpine\nCOPY sample.tar.gz /added/\n", context=dockerfiles / "add-copy")
    with pytest.raises(AssertionError, match=r"/added/sample.txt"):
        assert_file(wrong, "/added/sample.txt")


# --- B21: two Dockerfiles --------------------------------------------------------------------


@pytest.mark.row("B21")
def test_b21_one_context_two_images(lab: Lab, dockerfiles: Path) -> None:
    """B21: `-f ../Dockerfile` and `-f ../Dockerfile.dev` make two images of the same context."""
    context = dockerfiles / "two-dockerfiles" / "context"
    app = lab.build(context, dockerfile="../Dockerfile")
    dev = lab.build(context, dockerfile="../Dockerfile.dev")
    assert app.id != dev.id
    for build in (app, dev):
        assert_file(build, "/app.sh", (context / "app.sh").read_text(encoding="utf-8"))
    assert_no_file(app, "/tools")
    assert_file(dev, "/tools")


@pytest.mark.row("B21")
@pytest.mark.parametrize(
    ("dockerfile", "stage"), [("../Dockerfile", "production"), ("../Dockerfile.dev", "development")]
)
def test_b21_each_does_what_its_dockerfile_says(lab: Lab, dockerfiles: Path, dockerfile: str, stage: str) -> None:
    """B21: the one runs in production, the other in development."""
    build = lab.build(dockerfiles / "two-dockerfiles" / "context", dockerfile=dockerfile)
    assert lab.run(build).output == f"running in {stage}\n"


@pytest.mark.row("B21")
def test_wrong_b21_the_other_dockerfile(lab: Lab, dockerfiles: Path) -> None:
    """B21: the image of the other Dockerfile fails the checks, with both values."""
    wrong = lab.build(dockerfiles / "two-dockerfiles" / "context", dockerfile="../Dockerfile")
    with pytest.raises(AssertionError, match=r"(?s)development.*production"):
        assert_env(wrong, STAGE="development")
    with pytest.raises(AssertionError, match=r"(?s)-x"):
        assert_cmd(wrong, ["sh", "-x", "/app.sh"])


# --- B23: ENV --------------------------------------------------------------------------------


@pytest.mark.row("B23")
def test_b23_every_form_gives_the_tutorials_value(lab: Lab, env_image: Build) -> None:
    """B23: `env` in a container prints the five variables as the tutorial lists them."""
    printed = lab.run(env_image, ["env"]).output.splitlines()
    assert sorted(line for line in printed if line.startswith("key")) == [
        f"{key}={text}" for key, text in VALUES.items()
    ]


@pytest.mark.row("B23")
@pytest.mark.parametrize("name", VALUES)
def test_b23_the_image_has_them(env_image: Build, name: str) -> None:
    """B23: each variable is in the image's configuration."""
    assert_env(env_image, {name: VALUES[name]})


@pytest.mark.row("B23")
def test_wrong_b23_not_quoted(lab: Lab) -> None:
    """B23: blanks without quotes are not part of the value, and the check shows the value that is there."""
    wrong = lab.build('FROM alpine\nENV key3="v" a="l"\n')
    with pytest.raises(AssertionError, match=re.escape("v a l u e")):
        assert_env(wrong, {"key3": "v a l u e"})
