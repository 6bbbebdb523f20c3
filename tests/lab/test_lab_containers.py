"""Containers of a lab, on a real engine."""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import (
    Conflict,
    ContainerFailed,
    ExecFailed,
    NotFound,
    StartFailed,
    UsageError,
    WaitTimedOut,
)
from pytest_dockerlab.image.model import FileKind
from pytest_dockerlab.lab import kernel
from pytest_dockerlab.lab.container import Container
from pytest_dockerlab.lab.lab import Lab
from pytest_dockerlab.lab.waiting import HttpWaitStrategy, PortWaitStrategy

# No httpd: not every busybox has it.
HELLO = r'while true; do printf "HTTP/1.0 200 OK\r\n\r\nhello" | nc -l -p 8080 >/dev/null; done'


@pytest.fixture(scope="module")
def box(lab_module: Lab) -> Container:
    """A container that runs."""
    return lab_module.run("alpine", ["sleep", "600"], env={"A": "1"}, name="", cpus=0.5, memory="64m", pids=50)


def test_the_output_of_a_process(lab: Lab) -> None:
    """A process's output is there once it has ended, the two streams apart and together, with its exit code."""
    box = lab.run("alpine", ["sh", "-c", "id -u; echo oops >&2; exit 3"], user="1111:1111", network="none")
    assert box.output == "1111\n"
    assert box.stderr == "oops\n"
    assert box.exit_code == 3
    assert sorted(box.logs().splitlines()) == ["1111", "oops"]
    assert box.logs(tail=1) in ("1111\n", "oops\n")
    assert str(box.state) == "exited (3)"


def test_what_is_made_carries_labels_and_goes_with_its_lab(lab: Lab, tmp_path: Path) -> None:
    """Containers, volumes and networks are labelled with run, owner and scope, and gone when the lab is closed."""
    network, volume = lab.network(), lab.volume()
    box = lab.run(
        "alpine", ["sleep", "600"], volumes={volume: "/data", lab.volume(): "/more"}, network=network, labels={"a": "b"}
    )
    labels = lab.ownership.labels
    assert box.inspect()["Config"]["Labels"].items() >= {"a": "b", **labels}.items()
    assert volume.inspect()["Labels"] == labels
    assert network.inspect()["Labels"] == labels
    containers, volumes, networks = lab.engine.containers, lab.engine.volumes, lab.engine.networks
    assert len(volumes.list(labels)) == 2
    lab.close()
    assert (containers.list(labels), volumes.list(labels), networks.list(labels)) == ((), (), ())
    with pytest.raises(UsageError, match="this lab is closed: its test has ended"):
        lab.run("alpine")


def test_an_anonymous_volume_goes_with_its_container(lab: Lab) -> None:
    """What a container made for itself is removed with it."""
    box = lab.create("alpine", volumes=["/data"])
    (mount,) = box.inspect()["Mounts"]
    assert lab.engine.volumes.inspect(mount["Name"])
    box.remove()
    with pytest.raises(NotFound):
        lab.engine.volumes.inspect(mount["Name"])


def test_check_insists_on_success(lab: Lab) -> None:
    """check=True raises with exit code and log when a process ends badly, and gives the container when it doesn't."""
    assert lab.run("alpine", ["echo", "fine"], check=True, network="none").output == "fine\n"
    with pytest.raises(ContainerFailed, match=r"(?s)alpine:latest \['sh', .*\] ended with exit code 4\n.*    no luck"):
        lab.run("alpine", ["sh", "-c", "echo no luck; exit 4"], check=True, network="none")


def test_a_program_that_is_not_there(lab: Lab) -> None:
    """A process that can't be started is an error with docker's exit code, and leaves nothing."""
    with pytest.raises(StartFailed, match="nothing-like-this") as caught:
        lab.run("alpine", ["nothing-like-this"], network="none")
    assert caught.value.exit_code == 127
    assert not lab.recorder.containers[0].ok
    lab.close()
    assert lab.engine.containers.list(lab.ownership.labels) == ()


def test_a_process_that_does_not_end(lab: Lab) -> None:
    """Waiting longer than the timeout is an error that shows the log; the timeout is run's own."""
    box = lab.run("alpine", ["sh", "-c", "echo busy; sleep 600"], timeout="200ms", wait="busy", network="none")
    with pytest.raises(WaitTimedOut, match=r"(?s)has not ended after 0.2 s\n.*    busy"):
        _ = box.output


def test_waiting_for_the_log_fails_when_the_process_ends(lab: Lab) -> None:
    """A container that ends before its log shows what is waited for is told at once."""
    with pytest.raises(ContainerFailed, match=r"(?s)ended before it was ready: exited \(5\)\n.*    starting"):
        lab.run("alpine", ["sh", "-c", "echo starting; exit 5"], wait="ready", network="none")


def test_a_published_port_answers(lab: Lab) -> None:
    """A port published on a free host port answers at the container's url, and on loopback only."""
    box = lab.run("alpine", ["sh", "-c", HELLO], ports=[8080], wait=PortWaitStrategy(8080))
    box.ready(HttpWaitStrategy(8080).for_response_predicate(lambda body: body == "hello"))
    assert re.fullmatch(r"http://[^/]+:\d+/x", box.url(8080, "/x"))
    assert box.url(8080).endswith(f":{box.port(8080)}/")
    (binding,) = box.inspect()["NetworkSettings"]["Ports"]["8080/tcp"]
    assert binding["HostIp"] == "127.0.0.1"
    with pytest.raises(NotFound, match=r"publishes no port 9999/tcp\n.*it was asked for: 8080/tcp"):
        box.port(9999)
    box.kill().wait()
    with pytest.raises(NotFound, match=r"\(exited \(137\)\) publishes no port 8080/tcp\n.*look at its log"):
        box.port(8080)


def test_two_protocols_of_one_port(lab: Lab) -> None:
    """tcp and udp of the same number have host ports of their own."""
    box = lab.run("alpine", ["sleep", "600"], ports=[8080, "8080/udp"])
    ports = box.inspect()["NetworkSettings"]["Ports"]
    assert box.port(8080) == int(ports["8080/tcp"][0]["HostPort"])
    assert box.port("8080/udp") == int(ports["8080/udp"][0]["HostPort"])


def test_commands_in_a_container(box: Container) -> None:
    """A command's output, errors and exit code come apart; user, environment, folder and input are its own."""
    done = box.exec(["sh", "-c", "pwd; id -u; echo $A $B; cat; echo oops >&2; exit 7"], user=1111, env={"B": "2"},
                    workdir="/etc", stdin="typed\n")  # fmt: skip
    assert done.output == "/etc\n1111\n1 2\ntyped\n"
    assert (done.stderr, done.exit_code, done.ok) == ("oops\n", 7, False)
    assert box.exec("echo 'a b' $A").output == "a b $A\n"
    with pytest.raises(ContainerFailed, match="id -u nobody-like-this in container"):
        box.exec(["id", "-u", "nobody-like-this"]).check()
    with pytest.raises(UsageError, match="exec: an empty command: ''"):
        box.exec("")


def test_a_command_that_does_not_end(box: Container) -> None:
    """A command has a timeout."""
    with pytest.raises(WaitTimedOut, match=r"not done after 0\.2 s"):
        box.exec(["sleep", "5"], timeout=0.2)


def test_a_command_needs_a_running_container(lab: Lab) -> None:
    """In a container that was only created nothing can be executed."""
    with pytest.raises(ExecFailed, match="not running"):
        lab.create("alpine").exec(["id"])


def test_files_without_a_shell_and_without_starting(lab: Lab, tmp_path: Path) -> None:
    """Files of a container that never ran are looked at, read, written, listed and copied."""
    box = lab.create("alpine", ["/no/shell/needed"])
    assert box.stat("/etc/passwd").kind is FileKind.FILE
    assert (box.stat("/tmp").uid, box.stat("/tmp").kind) == (0, FileKind.DIRECTORY)
    assert box.read("/etc/passwd").startswith(b"root:")
    box.write("/made/here/note", "hello", mode=0o640, uid=1111, gid=2222)
    stat = box.stat("/made/here/note")
    assert (stat.mode, stat.uid, stat.gid, stat.size) == (0o640, 1111, 2222, 5)
    assert box.read("/made/here/note") == b"hello"
    assert [entry.path for entry in box.list("/made")] == ["/made/here"]
    assert [entry.path for entry in box.list("/made", deep=True)] == ["/made/here", "/made/here/note"]
    assert box.exists("/made/here")
    assert not box.exists("/made/there")
    assert box.diff()["/made/here/note"] == "added"

    folder = tmp_path / "folder"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub" / "file").write_text("from the host")
    (folder / "link").symlink_to("sub/file")
    if os.geteuid() == 0:
        os.chown(folder / "sub" / "file", 1234, 1234)
    box.copy_to(folder, "/copied")
    assert box.read("/copied/sub/file") == b"from the host"
    assert box.stat("/copied/sub/file").uid == 0
    back = box.copy_from("/copied", tmp_path / "back")
    assert (back / "sub" / "file").read_text() == "from the host"
    assert (back / "link").readlink() == Path("sub/file")
    assert box.copy_from("/made/here/note", tmp_path) == tmp_path / "note"
    assert (tmp_path / "note").read_text() == "hello"


def test_what_is_no_file_or_no_path(lab: Lab, tmp_path: Path) -> None:
    """Missing and relative paths are told by name."""
    box = lab.create("alpine")
    with pytest.raises(NotFound, match="/missing"):
        box.stat("/missing")
    with pytest.raises(NotFound, match="/etc"):
        box.read("/etc")
    with pytest.raises(NotFound, match="/etc/passwd/below"):
        box.stat("/etc/passwd/below")
    with pytest.raises(NotFound, match="/etc/passwd/below"):
        box.list("/etc/passwd/below")
    assert not box.exists("/etc/passwd/below")
    with pytest.raises(UsageError, match="not an absolute path in a container: 'etc/x'"):
        box.write("etc/x", "")
    with pytest.raises(UsageError, match=r"copy_to: no such file or folder here: .*missing"):
        box.copy_to(tmp_path / "missing", "/x")
    box.remove()
    with pytest.raises(NotFound):
        box.exists("/etc")


def test_limits_as_asked_shown_and_enforced(box: Container) -> None:
    """Caps read the same from inspect and from the kernel in the container."""
    assert (box.limits.nano_cpus, box.limits.memory, box.limits.pids) == (500_000_000, 64 * 1024**2, 50)
    kernel = box.kernel_limits
    assert (kernel.nano_cpus, kernel.memory, kernel.pids) == (500_000_000, 64 * 1024**2, 50)
    usage = box.usage()
    assert usage.memory
    assert usage.cpu_seconds is not None


def test_limits_without_a_shell_are_read_on_the_host(box: Container, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where nothing can be executed, a local engine's host tells the same limits; a stopped container none."""
    expected = box.kernel_limits
    monkeypatch.setattr(kernel, "_from_inside", lambda *_: {})
    assert box.kernel_limits == expected
    monkeypatch.setattr(kernel, "is_local", lambda _: False)
    with pytest.raises(ContainerFailed, match=r"the cgroup files of container .* can't be read"):
        _ = box.kernel_limits
    with pytest.raises(ContainerFailed, match=r"does not run \(created\), so the kernel knows nothing of it"):
        _ = lab.create("alpine").kernel_limits


def test_life_of_a_container(lab: Lab) -> None:
    """Paused, resumed, stopped, started, restarted, killed, renamed: the state follows."""
    box = lab.create("alpine", ["sleep", "600"], network="none")
    assert box.state.status == "created"
    assert box.start().state.status == "running"
    assert box.pause().state.status == "paused"
    assert box.unpause().state.status == "running"
    assert box.stop(timeout=0).state.status == "exited"
    started = box.restart(timeout=0).state.started_at
    assert box.restart(timeout=0).state.started_at > started
    assert box.kill().wait() == 137
    name = f"dockerlab-test-{box.id[:12]}"
    box.rename(name)
    assert box.name == name
    with pytest.raises(Conflict, match=name):
        lab.create("alpine", name=name)


def test_a_running_container_is_not_removed_without_force(lab: Lab) -> None:
    """remove(force=False) refuses a running container; by default it goes, and with it the lab's duty."""
    box = lab.run("alpine", ["sleep", "600"], network="none")
    with pytest.raises(Conflict):
        box.remove(force=False)
    box.remove()
    assert len(lab.describe_failure()) == 0
    with pytest.raises(NotFound):
        box.inspect()


def test_typing_into_a_process(lab: Lab) -> None:
    """What is typed reaches a process on pipes and on a terminal, also when attached before the start."""
    pipes = lab.run("alpine", ["cat"], stdin=True, network="none")
    with pipes.terminal() as terminal:
        terminal.send("hello\n")
        assert terminal.read_until("hello\n") == b"hello\n"
        terminal.end_input()
    assert pipes.exit_code == 0
    shell = lab.create("alpine", ["sh"], stdin=True, tty=True, network="none")
    with shell.terminal() as terminal:
        shell.start()
        terminal.send("echo $((6*7))\n")
        terminal.read_until("42\r\n")
        terminal.send("exit 5\n")
    assert shell.exit_code == 5


def test_a_log_is_followed_line_by_line(lab: Lab) -> None:
    """Following a log gives its lines until the process ends."""
    box = lab.run("alpine", ["sh", "-c", "echo one; echo two; echo three"], network="none")
    assert list(box.follow()) == ["one", "two", "three"]


def test_commit_makes_an_image_of_what_is_there(new_lab: Callable[[], Lab], engine: Engine) -> None:
    """A file made in a container is in the image that a commit makes, one layer more, gone with the lab."""
    lab = new_lab()
    box = lab.run("alpine", ["touch", "/made"], network="none", check=True)
    image = box.commit(changes=['CMD ["ls", "/made"]'])
    assert len(image.layers) == len(lab.image("alpine").layers) + 1
    assert lab.run(image, network="none").output == "/made\n"
    lab.close()
    with pytest.raises(NotFound):
        engine.images.get(image.id)


def test_the_engines_own_removal(lab: Lab) -> None:
    """rm=True: the engine removes the container when it ends; the lab does not mind."""
    box = lab.run("alpine", ["sleep", "600"], rm=True, network="none")
    box.kill()
    deadline = time.monotonic() + 120
    while box.id in {found.id for found in lab.engine.containers.list(lab.ownership.labels)}:
        assert time.monotonic() < deadline
    lab.close()


def test_another_labs_container_is_only_looked_at(new_lab: Callable[[], Lab]) -> None:
    """A handle for a container that is there works like its maker's, and leaves it to its maker."""
    maker, guest = new_lab(), new_lab()
    made = maker.run("alpine", ["sleep", "600"], name=f"dockerlab-test-{maker.ownership.run}")
    taken = guest.container(made.id)
    assert taken.exec(["id", "-u"]).output == "0\n"
    assert (taken.spec.command, taken.image) == (("sleep", "600"), made.image)
    assert "dockerlab-test" in repr(taken)
    guest.close()
    assert made.state.running


def test_a_lab_that_leaves_keeps_what_a_sweep_would_find(new_lab: Callable[[], Lab]) -> None:
    """leave() lets go of what carries a label, and removes what doesn't, such as folders."""
    lab = new_lab()
    box, folder = lab.create("alpine"), lab.owned_dir(1111)
    lab.leave()
    assert not folder.exists()
    assert box.state.status == "created"
    box.remove()
    with pytest.raises(UsageError, match="this lab is closed"):
        lab.create("alpine")


def test_evidence_of_a_failure(lab: Lab) -> None:
    """Each container tells its state and the end of its log, newest first, bounded; a gone one is said to be gone."""
    lab.run("alpine", ["sh", "-c", "seq 100; exit 3"], network="none").wait()
    gone = lab.create("alpine")
    lab.engine.containers.remove(gone.id)
    (first, missing), (second, text) = lab.describe_failure()
    assert gone.id[:12] in first
    assert missing.startswith("nothing more is known: ")
    assert re.fullmatch(r"container \S+ of alpine", second)
    rows = text.splitlines()
    assert rows[0] == "exited (3); last lines of its log:"
    assert [row.strip() for row in rows[1:]] == [str(number) for number in range(71, 101)]


def test_a_slip_in_a_setting_makes_nothing(lab: Lab) -> None:
    """A setting that can't be meant is told before anything is made."""
    wrong: dict[str, Any] = {"memory": "lots"}
    with pytest.raises(UsageError, match="memory: not a size: 'lots'"):
        lab.run("alpine", **wrong)
    with pytest.raises(UsageError, match="wait: not a wait strategy: 5"):
        lab.run("alpine", wait=5)  # type: ignore[arg-type]
    assert lab.engine.containers.list(lab.ownership.labels) == ()
    with pytest.raises(UsageError, match="not an image: 5"):
        lab.run(5)  # type: ignore[arg-type]


def test_names_in_a_network(lab: Lab) -> None:
    """Containers of one network reach each other by alias."""
    network = lab.network()
    lab.run("alpine", ["sh", "-c", HELLO], network=network, aliases=["web"], wait=None)
    client = lab.run("alpine", ["sh", "-c", "until wget -qO- http://web:8080/; do :; done"], network=network)
    assert client.output == "hello"
