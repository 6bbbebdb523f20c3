"""From a folder to what may be built and run."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab.exercises.handed import Handed, read_handed
from pytest_dockerlab.exercises.policy import Policy
from pytest_dockerlab.exercises.shell import Shell
from pytest_dockerlab.exercises.submission import copy, survey

POLICY = Policy(bases=("alpine",))


def handed(tmp_path: Path, **files: str) -> Handed:
    """``Dockerfile`` and ``run`` of ex1, and other files, handed in, copied and read."""
    folder = tmp_path / "ann" / "ex1"
    folder.mkdir(parents=True)
    for name, text in files.items():
        path = folder / {"run": "run.txt"}.get(name, name.replace("__", "/"))
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
    target = tmp_path / "copy"
    target.mkdir()
    found = survey(tmp_path / "ann", ["ex1"], POLICY)
    assert not copy(found, target)
    return read_handed(target, "ex1", POLICY, shell=Shell(uid=1111, gid=1111))


def test_a_good_submission_is_ready_to_be_built_and_run(tmp_path: Path) -> None:
    """Dockerfile and commands, with paths of the copy."""
    run = 'docker build -t mine .\ndocker run -u $(id -u) -v "$PWD/data:/data" mine\n'
    found = handed(tmp_path, Dockerfile="FROM alpine\n", run=run, data__x="1")
    assert found.refusals == found.commands.refusals == ()
    assert found.dockerfiles == (("Dockerfile", "FROM alpine\n"),)
    assert found.build is not None
    assert found.build.spec.context == tmp_path / "copy" / "ex1"
    (asked,) = found.commands.runs
    assert asked.spec.user == "1111"
    assert asked.spec.mounts[0].source == str(tmp_path / "copy" / "ex1" / "data")


def test_the_exercises_own_name_is_an_image_of_the_student(tmp_path: Path) -> None:
    """The grader builds it by that name, with or without a command that does."""
    found = handed(tmp_path, Dockerfile="FROM alpine\n", run="docker run ex1\ndocker run ex2\n")
    assert [run.spec.image for run in found.commands.runs] == ["ex1"]
    assert [each.code for each in found.commands.refusals] == ["image"]


def test_without_commands_the_dockerfile_is_read_all_the_same(tmp_path: Path) -> None:
    """Not every exercise asks for run.txt."""
    found = handed(tmp_path, Dockerfile="FROM alpine\n")
    assert (found.build, found.refusals) == (None, ())
    assert found.dockerfiles == (("Dockerfile", "FROM alpine\n"),)


def test_nothing_to_build_is_said(tmp_path: Path) -> None:
    """No Dockerfile at all, or not the one that a command names."""
    found = handed(tmp_path, run="docker run alpine ls\n")
    assert [(each.code, each.value) for each in found.refusals] == [("missing", "ex1/Dockerfile")]


def test_a_dockerfile_that_a_command_names_is_judged(tmp_path: Path) -> None:
    """-f and a context below, each with the arguments of each of its builds."""
    run = (
        "docker build --build-arg B=evil -f Dockerfile.dev .\n"
        "docker build --build-arg B=alpine -f Dockerfile.dev .\n"
        "docker build sub\n"
        "docker build -f gone .\n"
    )
    found = handed(
        tmp_path,
        **{
            "Dockerfile": "FROM alpine\n",
            "Dockerfile.dev": "ARG B\nFROM $B\n",
            "sub__Dockerfile": "FROM bad\n",
            "run": run,
        },
    )
    assert [(each.code, each.where, each.value) for each in found.refusals] == [
        ("base", "Dockerfile.dev:2", "evil"),
        ("base", "sub/Dockerfile:1", "bad"),
        ("missing", "", "ex1/gone"),
    ]
    assert [name for name, _ in found.dockerfiles] == ["Dockerfile.dev", "sub/Dockerfile", "Dockerfile"]


@pytest.mark.parametrize(("text", "code"), [("\x00", "not_text"), ("", "")])
def test_a_run_txt_that_is_no_text_is_said(tmp_path: Path, text: str, code: str) -> None:
    """An empty one is fine."""
    found = handed(tmp_path, Dockerfile="FROM alpine\n", run=text)
    assert [each.code for each in found.refusals] == ([code] if code else [])
