"""A class graded over a real Redis by workers with an engine each: the same results, whoever is lost."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_dockerlab import Lab
from pytest_dockerlab.cli import main
from pytest_dockerlab.engine import install, private
from pytest_dockerlab.errors import InstallFailed
from pytest_dockerlab.grade.broker import TASK, application, queue
from pytest_dockerlab.grade.course import Course
from pytest_dockerlab.grade.new_course import write_course
from pytest_dockerlab.grade.origin import course_digest, our_version
from pytest_dockerlab.settings import read_settings
from tests.classroom import brokered
from tests.classroom.made import checks_of, differences, make

PLAIN = """
import pathlib
import pytest

@pytest.mark.exercise("ex", "right")
def test_right(request):
    assert (pathlib.Path(request.config.getoption("dockerlab_submission")) / "ex" / "answer").read_text() == "42"
"""


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    """The address of a Redis."""
    reason = brokered.missing()
    if reason and read_settings().install:
        try:
            install.ensure((brokered.PACKAGE,))
        except InstallFailed as error:
            reason = str(error)
        else:
            reason = brokered.missing()
    if reason:
        (pytest.fail if read_settings().strict else pytest.skip)(reason)
    with brokered.redis() as url:
        yield url


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course that needs no engine."""
    return plain(tmp_path_factory.mktemp("plain") / "course")


def plain(folder: Path, text: str = PLAIN) -> Path:
    """A course of one check, that any engine may have."""
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "test_it.py").write_text(text)
    (folder / "policy.toml").write_text('build_network = "none"\n')
    return folder


@pytest.fixture(scope="module")
def worker(redis: str, course: Path, lab_session: Lab) -> Iterator[brokered.Worker]:
    """A worker for first runs of that course."""
    engine = {"DOCKERLAB_ENGINE": lab_session.engine.endpoint.url}
    with brokered.Worker(redis, course, course.parent / "log", engine, "--queue", "first") as started:
        brokered.until(lambda: started.said("ready for"))
        yield started


def hand_in(place: Path, **answers: str) -> None:
    """Answers, by student."""
    for student, answer in answers.items():
        (place / "class" / student / "ex").mkdir(parents=True)
        (place / "class" / student / "ex" / "answer").write_text(answer)


def command(place: Path, course: Path, *more: str) -> list[str]:
    """Grades that class."""
    return ["grade", str(place / "class"), "--course", str(course), "--out", str(place / "out"), *more]


@pytest.mark.usefixtures("private_engines")
def test_a_worker_that_is_killed_costs_nobody_a_point(redis: str, tmp_path: Path) -> None:
    """Two workers with an engine each; one is killed while it grades: what it had is graded by the other."""
    write_course(tmp_path / "course")
    course = Course.at(tmp_path / "course")
    expected = make(course, checks_of(course, tmp_path), tmp_path / "class", size=6, seed=3)
    said = brokered.one_killed(
        redis, course.folder, tmp_path, command(tmp_path, course.folder), *[{"DOCKERLAB_ENGINE": "private"}] * 2
    )
    assert differences(tmp_path / "out", expected) == []
    assert "is gone: sent again" in said
    assert "6 of 6 done in" in said
    assert brokered.PASSWORD not in said
    logs = [(tmp_path / f"worker{number}.log").read_text("utf-8") for number in (0, 1)]
    assert all(" of 9 (" in log for log in logs)
    assert not any(brokered.PASSWORD in log for log in logs)


def test_what_workers_did_for_a_batch_that_was_killed_is_found(
    redis: str, worker: brokered.Worker, course: Path, tmp_path: Path
) -> None:
    """The next batch takes what is there, and what is done meanwhile; nothing is graded twice."""
    hand_in(tmp_path, ann="42", bob="41", cay="42", dee="41")
    with brokered.start(command(tmp_path, course), redis) as batch:
        brokered.until(lambda: worker.said("ann: ") or batch.poll() is not None)
        batch.kill()
    with brokered.start(command(tmp_path, course, "--resume", "--format", "csv"), redis) as batch:
        out, said = batch.communicate()
    assert batch.returncode == 0, said
    assert "ann      1/1" in out
    table = (tmp_path / "out" / "class.csv").read_text("utf-8-sig").splitlines()
    assert table[1:] == ["ann,graded,1,1,1", "bob,graded,0,1,0", "cay,graded,1,1,1", "dee,graded,0,1,0"]
    log = worker.log.read_text("utf-8")
    assert [log.count(f"{name}: ") for name in ("ann", "bob", "cay", "dee")] == [1] * 4


def test_what_was_sent_twice_is_graded_once(redis: str, worker: brokered.Worker, course: Path, tmp_path: Path) -> None:
    """A batch that is gone on with may send what waits already; a rerun is meant."""
    digest = course_digest(Course.at(course))
    parts = {"student": "gus", "parcel": [], "course": digest, "version": our_version(), "timeout": 60}
    name = queue(digest, our_version(), "first")
    app = application(redis)
    for again in (False, False, True):
        app.send_task(TASK, kwargs={**parts, "again": again}, task_id="gus-1", queue=name)
    hand_in(tmp_path, hal="42")
    with brokered.start(command(tmp_path, course), redis) as batch:
        assert batch.wait() == 0
    assert worker.log.read_text("utf-8").count("gus: ") == 2


def test_reruns_have_a_queue_of_their_own_and_are_graded_anew(
    redis: str, worker: brokered.Worker, course: Path, lab_session: Lab, tmp_path: Path
) -> None:
    """A worker for first runs alone does none of them; one for reruns does."""
    hand_in(tmp_path, cat="42")
    with brokered.start(command(tmp_path, course), redis) as batch:
        assert batch.wait() == 0
    with brokered.start(command(tmp_path, course, "--only", "cat", "--wait", "1s"), redis) as batch:
        assert "-rerun answers at redis://:**@" in batch.communicate()[1]
    engine = {"DOCKERLAB_ENGINE": lab_session.engine.endpoint.url}
    with (
        brokered.Worker(redis, course, tmp_path / "log", engine, "--queue", "rerun") as second,
        brokered.start(command(tmp_path, course, "--only", "cat"), redis) as batch,
    ):
        assert batch.wait() == 0
        assert "cat: 1 of 1 (" in second.log.read_text("utf-8")
    assert worker.log.read_text("utf-8").count("cat: ") == 1


@pytest.mark.usefixtures("private_engines")
def test_a_worker_without_its_engine_leaves_what_it_has_to_others(redis: str, lab_session: Lab, tmp_path: Path) -> None:
    """It does not declare a whole class not gradable, but ends, with 1; the one that comes grades it."""
    hand_in(tmp_path, ivy="42")
    text = PLAIN.replace("def test_right(request):", "def test_right(request, lab):\n    lab.engine.images.list()")
    plain(tmp_path / "course", text)
    own = {"DOCKERLAB_ENGINE": "private", "DOCKERLAB_TIMEOUT": "1"}
    with brokered.Worker(redis, tmp_path / "course", tmp_path / "log", own) as first:
        brokered.until(lambda: first.said("ready for"))
        (slot,) = (slot for slot, state in private.states() if state.owner == first.process.pid)
        private.stop(slot.number)
        with brokered.start(command(tmp_path, tmp_path / "course"), redis) as batch:
            brokered.until(lambda: first.process.poll() is not None)
            assert first.process.returncode == 1, first.log.read_text("utf-8")
            assert "what this worker had is left for others" in first.log.read_text("utf-8")
            engine = {"DOCKERLAB_ENGINE": lab_session.engine.endpoint.url}
            with brokered.Worker(redis, tmp_path / "course", tmp_path / "more", engine):
                said = batch.communicate()[1]
    assert batch.returncode == 0, said
    assert "1/1 ivy: 1 of 1" in said


@pytest.mark.usefixtures("worker")
def test_a_worker_with_another_course_gets_nothing(redis: str, course: Path, tmp_path: Path) -> None:
    """Who grades is told for which courses those work that answer."""
    hand_in(tmp_path, dan="42")
    plain(tmp_path / "course", PLAIN.replace("42", "43"))
    with brokered.start(command(tmp_path, tmp_path / "course", "--wait", "6s"), redis) as batch:
        said = batch.communicate()[1]
    assert batch.returncode == 1
    assert "no worker for dockerlab-" in said
    assert f"those that do answer work for {queue(course_digest(Course.at(course)), our_version(), 'first')}" in said


def test_what_must_not_reach_a_worker_does_not_stop_it(
    redis: str, worker: brokered.Worker, course: Path, tmp_path: Path
) -> None:
    """A message with code in it is thrown away; a submission too large for a message stays, and loses no points."""

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return (os.mkdir, (str(tmp_path / "owned"),))

    hand_in(tmp_path, eve="42", fay="42")
    with (tmp_path / "class" / "eve" / "ex" / "data").open("wb") as file:
        file.truncate(20 * 1024**2)
    name = queue(course_digest(Course.at(course)), our_version(), "first")
    application(redis).send_task(TASK, kwargs={"student": Evil()}, serializer="pickle", queue=name, compression=None)
    with brokered.start(command(tmp_path, course), redis) as batch:
        said = batch.communicate()[1]
    assert batch.returncode == 3, said
    assert "eve: not gradable: it has more than 16 MiB" in said
    assert "fay: 1 of 1" in said
    assert worker.said("Refusing to deserialize"), worker.log.read_text("utf-8")
    assert not (tmp_path / "owned").exists()


@pytest.mark.parametrize("words", [["grade", "class", "--out", "out"], ["worker"]])
def test_a_broker_that_is_not_there_is_told(
    course: Path,
    tmp_path: Path,
    words: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With its address and without its password; what is no broker, and Celery that is not installed, too."""
    hand_in(tmp_path, gil="42")
    monkeypatch.chdir(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    words = [*words, "--course", str(course), "--broker"]
    assert main([*words, f"redis://somebody:{brokered.PASSWORD}@127.0.0.1:{port}/0"]) == 1
    said = capsys.readouterr().err
    assert f"the broker at redis://somebody:**@127.0.0.1:{port}/0 does not answer" in said
    assert brokered.PASSWORD not in said
    assert main([*words, f"http://me:{brokered.PASSWORD}@example.org"]) == 2
    said = capsys.readouterr().err
    assert "not a broker: 'http://me:**@example.org'" in said
    monkeypatch.setitem(sys.modules, "celery", None)
    assert main([*words, "redis://127.0.0.1"]) == 2
    assert "pip install 'pytest-dockerlab[broker]'" in capsys.readouterr().err
