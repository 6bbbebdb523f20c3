"""What lab.build is given, and where that is."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.lab.sources import Source, find_source


@pytest.fixture
def dockerfiles(tmp_path: Path) -> Path:
    for name in ("ex1/Dockerfile", "ex2/Dockerfile", "ex2/Dockerfile.dev"):
        path = tmp_path / "dockerfiles" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("FROM alpine\n")
    return tmp_path / "dockerfiles"


def test_a_name_is_a_folder_of_the_project(dockerfiles: Path) -> None:
    """A name finds its folder, which is the context."""
    folder = dockerfiles / "ex1"
    assert find_source("ex1", dockerfiles=dockerfiles) == Source(
        name="ex1", context=folder, dockerfile=folder / "Dockerfile"
    )


def test_another_dockerfile_in_the_folder(dockerfiles: Path) -> None:
    """dockerfile= names another one, which is part of the name."""
    found = find_source("ex2", dockerfiles=dockerfiles, dockerfile="Dockerfile.dev")
    assert (found.name, found.dockerfile) == ("ex2-Dockerfile.dev", dockerfiles / "ex2" / "Dockerfile.dev")


def test_a_dockerfile_outside_of_its_folder(dockerfiles: Path) -> None:
    """A path may lead out of the folder, as docker build -f ../Dockerfile.dev."""
    found = find_source("ex1", dockerfiles=dockerfiles, dockerfile="../ex2/Dockerfile.dev")
    assert found.dockerfile == dockerfiles / "ex2" / "Dockerfile.dev"
    assert found.context == dockerfiles / "ex1"


def test_paths_of_folders_and_files(dockerfiles: Path) -> None:
    """A path may be a folder's or a Dockerfile's."""
    folder = dockerfiles / "ex2"
    assert find_source(folder, dockerfiles=Path("/nowhere")).dockerfile == folder / "Dockerfile"
    found = find_source(str(folder / "Dockerfile.dev"), dockerfiles=Path("/nowhere"))
    assert (found.dockerfile, found.context) == (folder / "Dockerfile.dev", folder)


def test_another_context(dockerfiles: Path) -> None:
    """context= sends another folder, such as the root of the repository."""
    found = find_source("ex1", dockerfiles=dockerfiles, context=dockerfiles)
    assert (found.context, found.dockerfile) == (dockerfiles, dockerfiles / "ex1" / "Dockerfile")


def test_a_text_has_an_empty_context(dockerfiles: Path) -> None:
    """A text with a line break is a Dockerfile, without a context unless one is given."""
    text = "FROM alpine\n"
    assert find_source(text, dockerfiles=dockerfiles) == Source(name="text", context=None, text=text)
    assert find_source(text, dockerfiles=dockerfiles, context=dockerfiles).context == dockerfiles


def test_a_typing_error_is_guessed(dockerfiles: Path) -> None:
    """A name that is nearly one of the folders is asked back."""
    with pytest.raises(UsageError, match=r"(?s)no folder 'ex-1' in .*did you mean 'ex1'\?"):
        find_source("ex-1", dockerfiles=dockerfiles)


def test_a_name_that_is_nothing(dockerfiles: Path) -> None:
    """A name like none of the folders is told what there is."""
    with pytest.raises(UsageError, match=r"(?s)no folder 'something' .*there is ex1, ex2"):
        find_source("something", dockerfiles=dockerfiles)


def test_no_folder_of_exercises(tmp_path: Path) -> None:
    """Without the folder itself, the setting that names it is told."""
    with pytest.raises(UsageError, match=r"(?s)nothing to build: no .*ex1.*dockerlab_dockerfiles"):
        find_source("ex1", dockerfiles=tmp_path / "missing")


def test_a_dockerfile_that_is_missing(dockerfiles: Path) -> None:
    """A missing Dockerfile is told with its path, and with those that are there."""
    with pytest.raises(UsageError, match=r"(?s)no Dockerfile at .*ex2/Dockerfile.prod.*there is Dockerfile, Dockerf"):
        find_source("ex2", dockerfiles=dockerfiles, dockerfile="Dockerfile.prod")


def test_two_dockerfiles_are_one_too_many(dockerfiles: Path) -> None:
    """A text, or a Dockerfile's path, and dockerfile= together can't be meant."""
    with pytest.raises(UsageError, match=r"a Dockerfile's text and a path, too: Dockerfile\.dev"):
        find_source("FROM x\n", dockerfiles=dockerfiles, dockerfile="Dockerfile.dev")
    with pytest.raises(UsageError, match=r"two Dockerfiles: .*Dockerfile and Dockerfile.dev"):
        find_source(dockerfiles / "ex2" / "Dockerfile", dockerfiles=dockerfiles, dockerfile="Dockerfile.dev")


def test_a_context_that_is_missing(dockerfiles: Path) -> None:
    """A context that is no folder is named."""
    with pytest.raises(UsageError, match=r"context: no such folder: .*/nothing"):
        find_source("ex1", dockerfiles=dockerfiles, context=dockerfiles / "nothing")
