"""From zero to AWS, the life of a container: rows B03, B05, B09, B10 and B12–B15."""

from __future__ import annotations

import json
import time
import uuid

import pytest

from pytest_dockerlab import (
    Conflict,
    Container,
    ExecFailed,
    Lab,
    NotFound,
    StartFailed,
    assert_exit_code,
    assert_file,
    assert_layers_added,
    assert_no_file,
    assert_not_running,
    assert_output,
    assert_running,
)


def is_gone(lab: Lab, box: Container, seconds: float = 120) -> bool:
    """Whether the engine does not know the container any more; `--rm` takes it away a moment after its end."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            lab.engine.containers.inspect(box.id)
        except NotFound:
            return True
        time.sleep(0.05)
    return False


# --- B03: restart, exec ----------------------------------------------------------------------


@pytest.mark.row("B03")
def test_b03_a_stopped_container_is_restarted_and_entered(lab: Lab) -> None:
    """B03: after `docker restart`, `docker exec` runs a command in a container that had been stopped."""
    box = lab.run("ubuntu", ["bash"], tty=True, stdin=True)
    box.exec(["touch", "/test"])
    box.stop(timeout=0)
    assert_not_running(box)
    box.restart()
    assert_running(box)
    assert box.exec(["ls", "/test"]).output == "/test\n"


@pytest.mark.row("B03")
def test_b03_leaving_an_exec_leaves_the_container_running(lab: Lab) -> None:
    """B03: when the shell of an exec has ended, the container's own process still runs."""
    box = lab.run("ubuntu", ["bash"], tty=True, stdin=True)
    assert box.exec(["bash", "-c", "exit 3"]).exit_code == 3
    assert_running(box)


@pytest.mark.row("B03")
def test_wrong_b03_exec_without_restart(lab: Lab) -> None:
    """B03: exec in a container that does not run is an error that says so."""
    box = lab.run("ubuntu", ["true"])
    assert_exit_code(box, 0)
    with pytest.raises(ExecFailed, match="not running"):
        box.exec(["ls"])
    with pytest.raises(AssertionError, match="not running"):
        assert_running(box)


# --- B05: commit -----------------------------------------------------------------------------


@pytest.mark.row("B05")
def test_b05_commit_makes_an_image_of_the_containers_files(lab: Lab) -> None:
    """B05: the file made in the container is in the new image, as one layer over ubuntu."""
    box = lab.run("ubuntu", ["touch", "/test"])
    assert_exit_code(box, 0)
    updated = box.commit()
    assert_file(updated, "/test")
    assert_layers_added(updated, over=lab.image("ubuntu"), count=1)
    assert lab.run(updated, ["ls", "/test"]).output == "/test\n"


@pytest.mark.row("B05")
def test_b05_the_old_image_stays_as_it_was(lab: Lab) -> None:
    """B05: the image that the container came from does not get the file."""
    box = lab.run("ubuntu", ["touch", "/test"])
    assert_exit_code(box, 0)
    box.commit()
    assert_no_file(lab.image("ubuntu"), "/test")


@pytest.mark.row("B05")
def test_wrong_b05_the_file_was_made_in_another_container(lab: Lab) -> None:
    """B05: committing a container without the file fails the check, with the file's name."""
    assert_exit_code(lab.run("ubuntu", ["touch", "/test"]), 0)
    other = lab.run("ubuntu", ["true"])
    assert_exit_code(other, 0)
    with pytest.raises(AssertionError, match="/test"):
        assert_file(other.commit(), "/test")


# --- B09: create, start, start -a ------------------------------------------------------------


@pytest.mark.row("B09")
def test_b09_create_then_start(lab: Lab) -> None:
    """B09: `docker create` leaves the container Created, `docker start` runs it to its end."""
    box = lab.create("hello-world")
    assert box.state.status == "created"
    assert box.logs() == ""
    box.start()
    assert_exit_code(box, 0)
    assert str(box.state) == "exited (0)"


@pytest.mark.row("B09")
def test_b09_start_with_attach_shows_the_output(lab: Lab) -> None:
    """B09: who is attached when the container is started sees its greeting; the log has it in any case."""
    box = lab.create("hello-world")
    with box.terminal() as attached:
        box.start()
        shown = attached.read_all()
    assert b"Hello from Docker!" in shown
    assert_output(box, contains="Hello from Docker!")


@pytest.mark.row("B09")
def test_wrong_b09_created_and_never_started(lab: Lab) -> None:
    """B09: a container that was only created fails the checks for its end and its output."""
    box = lab.create("hello-world")
    with pytest.raises(AssertionError, match="created"):
        assert_exit_code(box, 0)
    with pytest.raises(AssertionError, match="created"):
        assert_running(box)


# --- B10: another command --------------------------------------------------------------------


@pytest.mark.row("B10")
def test_b10_a_command_after_the_image_replaces_cmd(lab: Lab) -> None:
    """B10: `docker run ubuntu echo hello` runs echo instead of the image's bash."""
    assert lab.image("ubuntu").cmd is not None
    box = lab.run("ubuntu", ["echo", "hello"])
    assert box.output == "hello\n"
    assert box.inspect()["Config"]["Cmd"] == ["echo", "hello"]


@pytest.mark.row("B10")
def test_b10_ubuntu_alone_ends_at_once(lab: Lab) -> None:
    """B10: `docker run ubuntu` starts bash, which has nothing to read, ends at once and prints nothing."""
    box = lab.run("ubuntu")
    assert_exit_code(box, 0)
    assert box.output == ""


@pytest.mark.row("B10")
def test_wrong_b10_hello_world_has_no_bash(lab: Lab) -> None:
    """B10: `docker run hello-world bash` fails: "bash" is an executable that is not found, exit code 127."""
    with pytest.raises(StartFailed, match=r"(?s)bash.*not found") as caught:
        lab.run("hello-world", ["bash"])
    assert caught.value.exit_code == 127


# --- B12: rm, stop, prune --------------------------------------------------------------------


@pytest.mark.row("B12")
def test_b12_stop_then_rm(lab: Lab) -> None:
    """B12: a running container is not removed; stopped, it is."""
    box = lab.run("ubuntu", ["bash"], tty=True, stdin=True)
    with pytest.raises(Conflict, match="running"):
        lab.engine.containers.remove(box.id, force=False)
    assert_running(box)
    box.stop(timeout=0)
    lab.engine.containers.remove(box.id, force=False)
    assert is_gone(lab, box)


@pytest.mark.row("B12")
def test_b12_prune_removes_the_stopped_ones_only(lab: Lab) -> None:
    """B12: of this test's two containers, prune removes the one that has ended and leaves the one that runs."""
    mine = {"tutorial.prune": uuid.uuid4().hex}
    ended = lab.run("alpine", ["true"], labels=mine)
    assert_exit_code(ended, 0)
    running = lab.run("alpine", ["sleep", "600"], labels=mine)
    [(name, value)] = mine.items()
    filters = json.dumps({"label": [f"{name}={value}"]})
    pruned = lab.engine.api.json("POST", "/containers/prune", params={"filters": filters}, about="prune")
    assert pruned["ContainersDeleted"] == [ended.id]
    assert_running(running)


@pytest.mark.row("B12")
def test_wrong_b12_removed_while_running(lab: Lab) -> None:
    """B12: rm without stop is a conflict, and the message says that the container runs."""
    box = lab.run("alpine", ["sleep", "600"])
    with pytest.raises(Conflict, match="running"):
        lab.engine.containers.remove(box.id, force=False)
    with pytest.raises(AssertionError, match="is running"):
        assert_not_running(box)


# --- B13: a file system each -----------------------------------------------------------------


@pytest.mark.row("B13")
def test_b13_two_containers_of_one_image_do_not_see_each_others_files(lab: Lab) -> None:
    """B13: test1 made in the one container is not in the other, and test2 not in the first."""
    one = lab.run("ubuntu", ["bash"], tty=True, stdin=True)
    two = lab.run("ubuntu", ["bash"], tty=True, stdin=True)
    one.exec(["touch", "/test1"])
    two.exec(["touch", "/test2"])
    assert_file(one, "/test1")
    assert_no_file(one, "/test2")
    assert_file(two, "/test2")
    assert_no_file(two, "/test1")


@pytest.mark.row("B13")
def test_wrong_b13_they_share_a_volume(lab: Lab) -> None:
    """B13: with a volume in both, the file of the one is in the other, and the check names it."""
    volume = lab.volume()
    assert_exit_code(lab.run("alpine", ["touch", "/data/test1"], volumes={volume: "/data"}), 0)
    two = lab.run("alpine", ["sleep", "600"], volumes={volume: "/data"})
    with pytest.raises(AssertionError, match="/data/test1"):
        assert_no_file(two, "/data/test1")


# --- B14: names ------------------------------------------------------------------------------


@pytest.mark.row("B14")
def test_b14_a_container_is_found_by_its_name(lab: Lab) -> None:
    """B14: with --name the container is found under that name."""
    name = f"sample_container-{uuid.uuid4().hex[:8]}"
    box = lab.run("ubuntu", ["bash"], name=name, tty=True, stdin=True)
    assert box.name == name
    assert lab.engine.containers.inspect(name)["Id"] == box.id


@pytest.mark.row("B14")
def test_wrong_b14_a_name_is_taken_once(lab: Lab) -> None:
    """B14: a second container of the same name is a conflict, and the message has the name."""
    name = f"sample_container-{uuid.uuid4().hex[:8]}"
    lab.create("alpine", name=name)
    with pytest.raises(Conflict, match=name):
        lab.create("alpine", name=name)


# --- B15: -d, --rm ---------------------------------------------------------------------------


@pytest.mark.row("B15")
def test_b15_detached_it_stays(lab: Lab) -> None:
    """B15: `docker run -it -d ubuntu bash` returns, and the container runs on."""
    box = lab.run("ubuntu", ["bash"], tty=True, stdin=True)
    assert_running(box)


@pytest.mark.row("B15")
def test_b15_with_rm_it_is_gone_after_its_end(lab: Lab) -> None:
    """B15: `docker run --rm` leaves no container when its process has ended."""
    box = lab.create("alpine", ["true"], rm=True)
    box.start()
    assert is_gone(lab, box)


@pytest.mark.row("B15")
def test_wrong_b15_without_rm_it_stays(lab: Lab) -> None:
    """B15: without --rm the ended container is still there, and the check for a running one says how it ended."""
    box = lab.run("alpine", ["true"])
    assert_exit_code(box, 0)
    assert not is_gone(lab, box, seconds=0.2)
    with pytest.raises(AssertionError, match=r"exited"):
        assert_running(box)
