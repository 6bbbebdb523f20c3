"""Running: a container's process, its streams, its exit code, commands in it, and how it ends."""

from __future__ import annotations

import re

import pytest

from pytest_dockerlab import (
    Conflict,
    ContainerFailed,
    ExecFailed,
    Image,
    Lab,
    StartFailed,
    WaitTimedOut,
    assert_exit_code,
    assert_not_running,
    assert_output,
    assert_running,
)

pytestmark = [pytest.mark.proves("run"), pytest.mark.usefixtures("alpine")]

SLEEP = ["sleep", "600"]


def test_output_errors_and_exit_code(lab: Lab) -> None:
    """Standard output, standard error and the exit code of a process are told apart."""
    box = lab.run("alpine", ["sh", "-c", "echo out; echo err >&2; exit 7"])
    assert (box.output, box.stderr, box.exit_code) == ("out\n", "err\n", 7)


def test_settings_reach_the_process(lab: Lab) -> None:
    """Environment, working directory, user and host name are the process's own."""
    box = lab.run(
        "alpine",
        ["sh", "-c", 'echo "$COLOUR $(pwd) $(id -u):$(id -g) $(hostname)"'],
        env={"COLOUR": "a blue"},
        workdir="/srv",
        user="1111:2222",
        hostname="box",
    )
    assert_output(box, "a blue /srv 1111:2222 box\n")


def test_an_entrypoint_can_be_replaced(lab: Lab) -> None:
    """A command is appended to the entrypoint, and an entrypoint that is given replaces the image's."""
    image = lab.build('FROM alpine\nENTRYPOINT ["echo", "image"]\nCMD ["default"]\n')
    assert lab.run(image).output == "image default\n"
    assert lab.run(image, ["given"]).output == "image given\n"
    assert lab.run(image, ["given"], entrypoint=["echo", "own"]).output == "own given\n"
    assert lab.run(image, ["echo", "bare"], entrypoint="").output == "bare\n"


def test_a_program_that_is_not_there_is_127(lab: Lab) -> None:
    """A program that is not in the image can't be started: exit code 127, and it is named."""
    with pytest.raises(StartFailed, match="no-such-program") as caught:
        lab.run("alpine", ["no-such-program"])
    assert caught.value.exit_code == 127


def test_a_file_that_may_not_be_executed_is_126(lab: Lab) -> None:
    """A file that may not be executed can't be started: exit code 126."""
    with pytest.raises(StartFailed, match="/etc/passwd") as caught:
        lab.run("alpine", ["/etc/passwd"])
    assert caught.value.exit_code == 126


def test_commands_run_in_a_container(lab: Lab) -> None:
    """exec runs a command with its own streams, input, user, environment and exit code."""
    box = lab.run("alpine", SLEEP)
    done = box.exec(
        ["sh", "-c", 'cat; echo "$WHO $(id -u) $(pwd)" >&2; exit 5'],
        stdin="typed\n", env={"WHO": "me"}, user="1111", workdir="/srv",
    )  # fmt: skip
    assert (done.output, done.stderr, done.exit_code) == ("typed\n", "me 1111 /srv\n", 5)


def test_a_command_that_is_not_there_ends_with_127(lab: Lab) -> None:
    """exec of a program that is not there ends with exit code 126 or 127, and names it."""
    done = lab.run("alpine", SLEEP).exec(["no-such-program"])
    assert done.exit_code in (126, 127)
    assert "no-such-program" in done.output + done.stderr


def test_a_command_in_a_container_that_has_ended_is_refused(lab: Lab) -> None:
    """exec in a container that has ended is refused."""
    box = lab.run("alpine", ["true"]).check()
    with pytest.raises(ExecFailed, match=r"running|not started|state"):
        box.exec(["true"])


def test_a_command_that_does_not_end_is_given_up(lab: Lab) -> None:
    """exec of a command that does not end in time is given up."""
    box = lab.run("alpine", SLEEP)
    with pytest.raises(WaitTimedOut, match=r"sleep 600.*not done after 1 s"):
        box.exec(SLEEP, timeout=1)
    assert_running(box)


def test_ready_when_the_log_says_so(lab: Lab) -> None:
    """A container is ready when its log shows a pattern; one that ends before is told with its log."""
    box = lab.run("alpine", ["sh", "-c", "sleep 0.3; echo ready 42; sleep 600"], wait=r"ready \d+")
    assert "ready 42" in box.logs()
    with pytest.raises(ContainerFailed, match="gave up"):
        lab.run("alpine", ["sh", "-c", "echo gave up; exit 1"], wait="ready")


def test_ready_when_it_is_healthy(lab: Lab) -> None:
    """A health check's state is known."""
    image = lab.build("FROM alpine\nRUN touch /well\n")
    box = lab.run(image, SLEEP, healthcheck=["CMD", "test", "-e", "/well"])
    assert box.state.health in ("starting", "healthy")


def test_who_waits_is_told_that_it_takes_too_long(lab: Lab) -> None:
    """Waiting for a process that does not end is given up, with what it printed."""
    box = lab.run("alpine", ["sh", "-c", "echo still here; sleep 600"], wait="still here")
    with pytest.raises(WaitTimedOut, match=r"(?s)not ended after 1 s.*still here"):
        box.wait(timeout=1)


def test_killed_stopped_started_again(lab: Lab) -> None:
    """kill ends a process with 137, stop with its own code, and a container can be started again."""
    box = lab.run("alpine", ["sh", "-c", "trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done"], wait="up")
    box.stop()
    assert_exit_code(box, 9)
    box.start()
    assert_running(box)
    box.kill()
    assert_exit_code(box, 137)
    assert_not_running(box)


@pytest.mark.requires("pause")
def test_paused_and_let_go(lab: Lab) -> None:
    """A paused container is shown as such, and runs on."""
    box = lab.run("alpine", SLEEP)
    box.pause()
    assert box.state.status == "paused"
    box.unpause()
    assert box.state.status == "running"


def test_a_conversation_on_a_terminal(lab: Lab) -> None:
    """A terminal echoes what is typed and shows what the process answers."""
    box = lab.create("alpine", ["sh"], tty=True, stdin=True)
    with box.terminal() as shell:
        box.start()
        shell.read_until(re.compile(rb"[#$] "), timeout=30)
        shell.send("echo $((6 * 7))\n")
        shell.read_until(b"\r\n42\r\n", timeout=30)
        shell.send("exit 4\n")
        shell.read_all(timeout=30)
    assert_exit_code(box, 4)


def test_input_without_a_terminal(lab: Lab) -> None:
    """A process without a terminal reads what is sent until its end."""
    box = lab.create("alpine", ["cat"], stdin=True)
    with box.terminal() as pipe:
        box.start()
        pipe.send("one\ntwo\n")
        pipe.end_input()
        assert pipe.read_all(timeout=30) == b"one\ntwo\n"
    assert_exit_code(box, 0)


def test_logs_can_be_followed_and_cut(lab: Lab) -> None:
    """A log can be followed to its end, and its last lines be asked for."""
    box = lab.run("alpine", ["sh", "-c", "for i in 1 2 3; do echo line $i; sleep 0.1; done"])
    assert list(box.follow()) == ["line 1", "line 2", "line 3"]
    assert box.logs(tail=1) == "line 3\n"


def test_containers_of_one_network_know_each_other(lab: Lab) -> None:
    """Containers of one network reach each other by their aliases, and others do not."""
    network = lab.network()
    serves = "echo it is me > /index.html; httpd -p 7000 -h /; echo up; sleep 600"
    lab.run("alpine", ["sh", "-c", serves], network=network, aliases=["db"], wait="up")
    # A static busybox asks the engine's own name server in nslookup only.
    finds = "address=$(nslookup db | sed -n '/Name:/,$s/Address[^:]*: *//p' | head -n 1)"
    asks = ["sh", "-c", f'{finds}; test -n "$address" && wget -q -O - "http://$address:7000/"']
    assert lab.run("alpine", asks, network=network).output == "it is me\n"
    assert lab.run("alpine", asks).exit_code != 0


def test_a_name_that_is_taken_is_a_conflict(lab: Lab) -> None:
    """A name is given to one container only."""
    name = f"contract-{lab.ownership.run}"
    lab.create("alpine", SLEEP, name=name)
    with pytest.raises(Conflict, match=name):
        lab.create("alpine", SLEEP, name=name)


def test_an_init_process_reaps(lab: Lab) -> None:
    """With init the main process is not process 1."""
    assert lab.run("alpine", ["sh", "-c", "echo $$"], init=True).output != "1\n"
    assert lab.run("alpine", ["sh", "-c", "echo $$"]).output == "1\n"


def test_a_commit_is_an_image_of_what_was_changed(lab: Lab, alpine: Image) -> None:
    """A commit makes an image of a container's changes, one layer over its own."""
    box = lab.run("alpine", ["sh", "-c", "echo kept > /kept"]).check()
    image = box.commit(changes=['CMD ["cat", "/kept"]'])
    assert image.layers[:-1] == alpine.layers
    assert lab.run(image).output == "kept\n"
