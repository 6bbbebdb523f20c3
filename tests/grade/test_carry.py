"""All commands of a run.txt, one after the other: what came of each, and where it went wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pytest_dockerlab import Build, CheckFailed, Container, Image, Lab
from pytest_dockerlab.engine.results import Transfer
from pytest_dockerlab.grade.carry import carry_out
from pytest_dockerlab.image.archive import open_image
from pytest_dockerlab.lab.executed import Executed
from tests.grade.conftest import POLICY, Hand

SHARES = replace(POLICY, registries=("localhost:5000",))


def test_an_image_is_shared_by_a_registry(hand: Hand, lab_module: Lab) -> None:
    """The host that the policy names is an empty registry of the grader's own; what was pushed is pulled again."""
    done = hand(
        "docker build -t mine .",
        "docker tag mine localhost:5000/me/mine:1.0",
        "docker push localhost:5000/me/mine:1.0",
        "docker rmi localhost:5000/me/mine:1.0 mine",
        "docker pull localhost:5000/me/mine:1.0",
        "docker run --rm localhost:5000/me/mine:1.0 ls /mine",
        dockerfile="FROM alpine\nRUN echo registry > /mine\n",
        policy=SHARES,
    ).carry_out()
    assert [(each.verb, each.failure) for each in done.done] == [
        (verb, ()) for verb in ("build", "tag", "push", "rmi", "pull", "run")
    ]
    assert done.registry is not None
    assert done.registry.tags("me/mine") == ("1.0",)
    pushed, pulled = done.get("push", Transfer), done.get("pull", Transfer)
    assert pushed.digest == pulled.digest == done.registry.digest("me/mine", "1.0")
    assert done.get("tag", Image).id == done.get("build", Build).id
    assert done.get("run", Container).output == "/mine\n"
    # No name of the student's is on the engine, where it could be another student's, too.
    names = {tag for image in lab_module.engine.images.list() for tag in image.tags}
    assert not any(name.startswith(("mine", "localhost:5000")) for name in names)


def test_an_image_goes_through_an_archive(hand: Hand) -> None:
    """Saved, removed and loaded it is the same; the archive is not where a container could have put a link."""
    submission = hand(
        "docker build -t mine .",
        "docker image save mine -o mine.tar",
        "docker rmi mine",
        "docker run mine ls",
        "docker load --input=./mine.tar",
        "docker run mine ls /mine",
        dockerfile="FROM alpine\nRUN echo archive > /mine\n",
    )
    done = submission.carry_out()
    assert done is submission.carry_out()
    assert open_image(done.get("save", Path)).id == done.get("load", Image).id == done.get("build", Build).id
    assert not (submission.folder / "mine.tar").exists()
    with pytest.raises(CheckFailed, match=r"there is no image mine at this point\n +where: +run\.txt:4"):
        done.get("run", Container)
    assert done.get("run", Container, 1).output == "/mine\n"


def test_a_container_is_worked_with(hand: Hand) -> None:
    """Started, looked into, stopped, started again, and removed; by its name, which is free then."""
    done = hand(
        "docker run -d --name box ex sleep 1000",
        "docker exec -e WHO=me -w /tmp box sh -c 'echo $WHO; pwd'",
        "docker rm box",
        "docker run --name box ex true",
        "docker stop box",
        "docker start box",
        "docker commit -c 'CMD [\"true\"]' box changed",
        "docker rm --force box",
        "docker exec box true",
        "docker exec -d box true",
        "docker create --name box changed",
        "docker start --attach box",
        dockerfile="FROM alpine\nSTOPSIGNAL SIGKILL\n",
    ).carry_out()
    told = {each.where.partition(":")[2]: [str(finding) for finding in each.failure] for each in done.done}
    assert {line: text[0].splitlines()[0] for line, text in told.items() if text} == {
        "3": "the container box runs",
        "4": "there is a container box already",
        "9": "there is no container box at this point",
        "10": "docker exec -d is not carried out here",
    }
    assert done.get("exec", Executed).output == "me\n/tmp\n"
    assert done.get("commit", Image).config.cmd == ("true",)
    assert done.get("start", Container, 1).exit_code == 0


def test_what_fails_is_told_with_its_command(hand: Hand) -> None:
    """The others are carried out all the same; a check gets the reason when it asks for the result."""
    done = hand(
        "docker build -t mine .",
        "docker load -i none.tar",
        "docker save mine",
        "docker pull localhost:5000/nothing",
        "docker run mine true",
        dockerfile="FROM alpine\nRUN false\n",
        policy=SHARES,
    ).carry_out()
    for verb, said in {
        "build": r"docker build \. failed",
        "load": r"no docker save before has written none\.tar\n +where: +run\.txt:2",
        "save": "no file to write to",
        "pull": r"docker pull localhost:5000/nothing failed",
        "run": "there is no image mine at this point",
        "push": "there is no docker push command number 1 in run.txt",
    }.items():
        with pytest.raises(CheckFailed, match=said):
            done.get(verb, object)


def test_commands_have_a_time_together(hand: Hand, lab: Lab) -> None:
    """What comes after it is not carried out, and says so; the limit is the policy's, whatever the clock says."""
    submission = hand("docker load -i a.tar", "docker load -i b.tar", "docker build -t mine .", policy=SHARES)
    ticks = iter(range(0, 10_000, int(SHARES.build_seconds + SHARES.run_seconds)))
    done = carry_out(
        submission.commands,
        submission.policy,
        submission,
        lab,
        exercise="ex",
        cwd=submission.folder,
        clock=lambda: float(next(ticks)),
    )
    assert [each.failure[0].what for each in done.done] == [
        "no docker save before has written a.tar",
        "docker load was not carried out: those before it took more than 1200 s",
        "docker build was not carried out: those before it took more than 1200 s",
    ]


def test_a_build_that_fails_is_not_the_next_ones(hand: Hand) -> None:
    """Each build command has its own image."""
    done = hand(
        "docker build -t wrong -f Dockerfile.wrong .",
        "docker build -t right .",
        "docker run right true",
        files={"Dockerfile.wrong": "FROM alpine\nRUN false\n"},
    ).carry_out()
    assert [bool(each.failure) for each in done.done] == [True, False, False]
    assert done.get("run", Container).exit_code == 0


def test_files_of_the_copy_are_read_without_following_a_link(hand: Hand) -> None:
    """A container may have put one there that leads to the grader's own files."""
    submission = hand('docker run -v "$PWD:/own" ex ln -s /etc /own/etc', files={"note": "mine"})
    submission.run().check()
    assert submission.read("note") == "mine"
    for path in ("etc/passwd", "../ex/etc/passwd", "none", "etc"):
        with pytest.raises(CheckFailed, match="is missing"):
            submission.read(path)
    submission.write("etc", "a file now")
    submission.write("more/note", "made")
    assert (submission.read("etc"), submission.read("more/note")) == ("a file now", "made")
    with pytest.raises(CheckFailed, match="can't be written"):
        submission.write("note/none", "")
