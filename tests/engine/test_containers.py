"""The verbs on containers, on a real engine."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.errors import Conflict, ExecFailed, NotFound, StartFailed, UsageError, WaitTimedOut
from pytest_dockerlab.image.model import FileKind, Healthcheck
from pytest_dockerlab.run.spec import Limits, Mount, PublishedPort, RunSpec
from pytest_dockerlab.run.state import limits_of

Make = Callable[..., str]


def test_a_container_ends_with_its_commands_exit_code(engine: Engine, run: Make) -> None:
    """Wait gives the exit code, the log has both streams apart and together."""
    box = run("sh", "-c", "echo out; echo err >&2; exit 3")
    assert engine.containers.wait(box, 30) == 3
    output = engine.containers.logs(box)
    assert (output.stdout, output.stderr) == (b"out\n", b"err\n")
    assert sorted(output.text.splitlines()) == ["err", "out"]
    assert str(engine.containers.state(box)) == "exited (3)"


def test_wait_ends_in_time(engine: Engine, run: Make) -> None:
    """A container that goes on running is an error that says so."""
    with pytest.raises(WaitTimedOut, match=r"has not ended after 0\.2 s \(running\)"):
        engine.containers.wait(run(), 0.2)


def test_a_container_that_was_never_started_has_not_ended(engine: Engine, create: Make) -> None:
    """Wait does not take 'created' for 'ended'."""
    with pytest.raises(WaitTimedOut, match=r"\(created\)"):
        engine.containers.wait(create("true"), 0.2)


def test_settings_arrive(engine: Engine, create: Make) -> None:
    """What a RunSpec says is what inspect shows."""
    box = create(
        "cat",
        entrypoint=("env",),
        env={"A": "1=2"},
        user="1111:1111",
        workdir="/tmp",
        limits=Limits(nano_cpus=500_000_000, memory=64 * 1024**2, memory_swap=64 * 1024**2, pids=50),
        hostname="box",
        extra_hosts={"db": "10.0.0.1"},
        read_only=True,
        cap_add=("NET_ADMIN",),
        cap_drop=("CHOWN",),
        security_opt=("no-new-privileges",),
        labels={"mine": "yes"},
        healthcheck=Healthcheck(test=("CMD", "true"), interval=30, timeout=2.5, retries=4),
        restart="on-failure:3",
        stop_signal="SIGINT",
        shm_size=1024**2,
        stdin=True,
    )
    inspect = engine.containers.inspect(box)
    config, host = inspect["Config"], inspect["HostConfig"]
    assert (config["Entrypoint"], config["Cmd"]) == (["env"], ["cat"])
    assert "A=1=2" in config["Env"]
    assert (config["User"], config["WorkingDir"], config["Hostname"]) == ("1111:1111", "/tmp", "box")
    assert (config["StopSignal"], config["OpenStdin"], config["StdinOnce"]) == ("SIGINT", True, True)
    assert config["Labels"].items() >= {**engine.labels, "mine": "yes"}.items()
    assert config["Healthcheck"]["Timeout"] == 2_500_000_000
    assert limits_of(inspect) == Limits(nano_cpus=500_000_000, memory=64 * 1024**2, memory_swap=64 * 1024**2, pids=50)
    assert host["ExtraHosts"] == ["db:10.0.0.1"]
    assert (host["ReadonlyRootfs"], host["Init"], host["ShmSize"]) == (True, True, 1024**2)
    assert (host["CapAdd"], host["CapDrop"]) in [(["NET_ADMIN"], ["CHOWN"]), (["CAP_NET_ADMIN"], ["CAP_CHOWN"])]
    assert host["RestartPolicy"] == {"Name": "on-failure", "MaximumRetryCount": 3}


def test_mounts_are_made_as_asked(engine: Engine, run: Make, tmp_path: Path) -> None:
    """A bind folder, a read-only volume and a tmpfs of a size are there."""
    engine.capabilities.require("local_files")
    (tmp_path / "hello").write_text("from the host")
    volume = engine.volumes.create()
    box = run(
        mounts=(
            Mount(kind="bind", source=str(tmp_path), target="/bound"),
            Mount(kind="volume", source=volume, target="/volume", read_only=True),
            Mount(kind="tmpfs", target="/scratch", size=1024**2),
        )
    )
    try:
        assert engine.containers.exec(box, ["cat", "/bound/hello"]).output == "from the host"
        assert engine.containers.exec(box, ["touch", "/volume/x"]).exit_code == 1
        assert "size=1024k" in engine.containers.exec(box, ["grep", "/scratch", "/proc/mounts"]).output
    finally:
        engine.containers.remove(box)
        engine.volumes.remove(volume)


def test_a_bind_folder_that_is_missing_is_an_error(engine: Engine, create: Make, tmp_path: Path) -> None:
    """It is neither made nor mounted empty; the message names it."""
    missing = tmp_path / "missing"
    with pytest.raises(UsageError, match=r"bind mount of a folder that is not there: .*missing"):
        create(mounts=(Mount(kind="bind", source=str(missing), target="/x"),))
    assert not missing.exists()


def test_a_taken_name_is_a_conflict(engine: Engine, create: Make) -> None:
    """The message has the name, and what to do."""
    box = create()
    name = engine.containers.inspect(box)["Name"].lstrip("/")
    with pytest.raises(Conflict, match=f"container '{name}' of alpine: .*already in use(.|\n)*take another name"):
        create(name=name)


def test_a_missing_image_is_named(engine: Engine) -> None:
    """It is not pulled, and the message says how to get it."""
    with pytest.raises(NotFound, match=r"no-such-image(.|\n)*lab\.image"):
        engine.containers.create(RunSpec(image="dockerlab/no-such-image"))


@pytest.mark.parametrize(
    ("command", "exit_code", "message"),
    [
        (("no-such-program",), 127, "no such program in the image: 'no-such-program'"),
        (("/etc/passwd",), 126, "may not execute '/etc/passwd'"),
    ],
)
def test_a_process_that_can_not_be_started_says_why(
    engine: Engine, create: Make, command: tuple[str, ...], exit_code: int, message: str
) -> None:
    """The exit codes are those of docker run; the program is named."""
    with pytest.raises(StartFailed, match=message) as caught:
        engine.containers.start(create(*command, init=False))
    assert caught.value.exit_code == exit_code


def test_a_limit_that_the_engine_refuses_is_a_usage_error(create: Make) -> None:
    """Its own words are kept."""
    with pytest.raises(UsageError, match=r"(?i)memory"):
        create(limits=Limits(memory=1024))


def test_exec_keeps_streams_and_exit_code_apart(engine: Engine, run: Make) -> None:
    """Output, errors, user, environment and folder of a command are its own."""
    box = run()
    result = engine.containers.exec(
        box, ["sh", "-c", "id -u; echo $A; pwd; echo bad >&2; exit 7"], user="1111", env={"A": "b"}, workdir="/tmp"
    )
    assert (result.exit_code, result.output, result.stderr) == (7, "1111\nb\n/tmp\n", b"bad\n")


def test_exec_takes_more_input_than_pipes_hold(engine: Engine, run: Make) -> None:
    """A megabyte goes in and comes back while it still goes in; then the input ends."""
    data = bytes(range(256)) * 4096
    assert engine.containers.exec(run(), ["cat"], stdin=data).stdout == data


def test_exec_with_empty_input_sees_its_end(engine: Engine, run: Make) -> None:
    """No bytes and then the end, not a process that waits."""
    assert engine.containers.exec(run(), ["wc", "-c"], stdin=b"", timeout=120).output.strip() == "0"


def test_exec_does_not_mind_input_that_nobody_reads(engine: Engine, run: Make) -> None:
    """A command that ends before it has read everything gives its result all the same."""
    assert engine.containers.exec(run(), ["true"], stdin=b"x" * 500_000).exit_code == 0


def test_exec_on_a_terminal_is_one_stream(engine: Engine, run: Make) -> None:
    """Both streams come together, and lines end as terminals have them."""
    result = engine.containers.exec(run(), ["sh", "-c", "test -t 1 && echo tty; echo e >&2"], tty=True)
    assert (result.stdout, result.stderr) == (b"tty\r\ne\r\n", b"")


def test_exec_returns_though_the_command_hangs(engine: Engine, run: Make) -> None:
    """The timeout holds, and the message says what became of the process."""
    fate = r"its process (was killed|goes on until the container stops)"
    with pytest.raises(WaitTimedOut, match=rf"exec 'sleep 500'.*not done after 0\.3 s(.|\n)*{fate}"):
        engine.containers.exec(run(), ["sleep", "500"], timeout=0.3)


def test_exec_of_a_missing_program_has_the_engines_exit_code(engine: Engine, run: Make) -> None:
    """126 or 127, as the engine has it, and its words in the output."""
    result = engine.containers.exec(run(), ["no-such-program"])
    assert result.exit_code in (126, 127)
    assert b"no-such-program" in result.stdout + result.stderr


def test_exec_needs_a_running_container(engine: Engine, create: Make) -> None:
    """The message says what to do."""
    with pytest.raises(ExecFailed, match=r"is not running(.|\n)*start it"):
        engine.containers.exec(create(), ["true"])


def test_exec_refuses_a_string(engine: Engine) -> None:
    """A command is a list; nothing is given to a shell by accident."""
    with pytest.raises(UsageError, match="not a command: 'ls -l'"):
        engine.containers.exec("box", "ls -l")


def test_logs_can_be_cut_short(engine: Engine, run: Make) -> None:
    """The last lines only, or those from a time on."""
    box = run("sh", "-c", "echo 1; echo 2; echo 3")
    engine.containers.wait(box, 30)
    assert engine.containers.logs(box, tail=2).text == "2\n3\n"
    assert engine.containers.logs(box, since=4_000_000_000).text == ""


def test_the_log_of_a_terminal_is_raw(engine: Engine, run: Make) -> None:
    """Nothing is taken for frames where there are none."""
    box = run("echo", "hello", tty=True)
    engine.containers.wait(box, 30)
    assert engine.containers.logs(box).stdout == b"hello\r\n"


def test_a_followed_log_ends_with_the_container(engine: Engine, run: Make) -> None:
    """Everything comes, first what was printed before, and then the iteration ends."""
    box = run("sh", "-c", "echo 1; sleep 0.1; echo 2")
    assert b"".join(engine.containers.follow(box)) == b"1\n2\n"


def test_following_can_be_stopped_from_another_thread(engine: Engine, run: Make) -> None:
    """A reader of a silent log gets its end when the stream is closed."""
    stream = engine.containers.follow(run("sh", "-c", "echo ready; sleep 600"))
    seen: list[bytes] = []
    first = threading.Event()

    def read() -> None:
        for chunk in stream:
            seen.append(chunk)
            first.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert first.wait(120)
    stream.close()
    reader.join(120)
    assert not reader.is_alive()
    assert seen == [b"ready\n"]


def test_a_file_is_looked_at_without_starting(engine: Engine, create: Make) -> None:
    """Kind, mode with its special bits, size and link target; the owner where asked for."""
    box = create()
    engine.containers.put(box, "/srv" if has(engine, box, "/srv") else "/tmp", tar_of("tool", b"#!", 0o6755, 1111, 50))
    path = "/srv/tool" if has(engine, box, "/srv/tool") else "/tmp/tool"
    entry = engine.containers.stat(box, path)
    assert (entry.kind, entry.mode, entry.size, entry.mtime, entry.uid) == (FileKind.FILE, 0o6755, 2, 1000.0, None)
    owned = engine.containers.stat(box, path, owner=True)
    assert (owned.uid, owned.gid, owned.mode) == (1111, 50, 0o6755)
    assert engine.containers.stat(box, "/tmp").mode == 0o1777
    assert engine.containers.stat(box, "/bin/sh").kind is FileKind.SYMLINK
    assert engine.containers.stat(box, "/bin/sh").link == "busybox"
    assert engine.containers.read(box, path) == b"#!"


def has(engine: Engine, box: str, path: str) -> bool:
    try:
        engine.containers.stat(box, path)
    except NotFound:
        return False
    return True


def tar_of(name: str, content: bytes, mode: int, uid: int, gid: int) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        header = tarfile.TarInfo(name)
        header.size, header.mode, header.uid, header.gid, header.mtime = len(content), mode, uid, gid, 1000
        tar.addfile(header, io.BytesIO(content))
    return out.getvalue()


def test_a_missing_path_is_named(engine: Engine, create: Make) -> None:
    """Stat, read and put say which path of which container."""
    box = create()
    for verb in (
        lambda: engine.containers.stat(box, "/no/such"),
        lambda: engine.containers.read(box, "/no/such"),
        lambda: engine.containers.put(box, "/no/such", tar_of("x", b"", 0o644, 0, 0)),
    ):
        with pytest.raises(NotFound, match=f"/no/such in container {box[:12]}"):
            verb()
    with pytest.raises(NotFound, match=r"/etc in container .*: not a regular file"):
        engine.containers.read(box, "/etc")


def test_a_folders_entries_come_with_owners(engine: Engine, create: Make) -> None:
    """Its own entries by name, or all below it; a symlink to a folder is looked through."""
    box = create()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind in (
            ("d", tarfile.DIRTYPE),
            ("d/a", tarfile.REGTYPE),
            ("d/s", tarfile.DIRTYPE),
            ("d/s/b", tarfile.REGTYPE),
        ):
            header = tarfile.TarInfo(name)
            header.type, header.mode, header.uid = kind, 0o755, 7
            tar.addfile(header)
        link = tarfile.TarInfo("l")
        link.type, link.linkname = tarfile.SYMTYPE, "d"
        tar.addfile(link)
    engine.containers.put(box, "/tmp", out.getvalue())
    assert [(row.path, row.uid) for row in engine.containers.children(box, "/tmp/d")] == [
        ("/tmp/d/a", 7),
        ("/tmp/d/s", 7),
    ]
    assert [row.path for row in engine.containers.children(box, "/tmp/d", deep=True)] == [
        "/tmp/d/a",
        "/tmp/d/s",
        "/tmp/d/s/b",
    ]
    assert [row.path for row in engine.containers.children(box, "/tmp/l")] == ["/tmp/l/a", "/tmp/l/s"]
    assert "/bin" in [row.path for row in engine.containers.children(box, "/")]
    with pytest.raises(NotFound, match="not a folder"):
        engine.containers.children(box, "/tmp/d/a")


def test_life_goes_through_its_states(engine: Engine, run: Make) -> None:
    """Pause, unpause, kill, restart, stop and rename do what they say."""
    box = run(name="")
    engine.containers.pause(box)
    assert engine.containers.state(box).status == "paused"
    engine.containers.unpause(box)
    engine.containers.kill(box)
    assert engine.containers.wait(box, 30) == 137
    engine.containers.restart(box, timeout=0)
    assert engine.containers.state(box).running
    engine.containers.stop(box, timeout=0)
    assert engine.containers.state(box).ended
    engine.containers.rename(box, f"dockerlab-{box[:12]}")
    assert [row.name for row in engine.containers.list(engine.labels) if row.id == box] == [f"dockerlab-{box[:12]}"]
    with pytest.raises(Conflict, match="is not running"):
        engine.containers.kill(box)


def test_a_removed_container_is_gone(engine: Engine, run: Make) -> None:
    """Removing a running one works by force only; asking for it afterwards is NotFound."""
    box = run()
    with pytest.raises(Conflict, match=r"(?i)running container"):
        engine.containers.remove(box, force=False)
    engine.containers.remove(box)
    with pytest.raises(NotFound, match=f"container {box[:12]}"):
        engine.containers.state(box)


def test_several_may_remove_the_same_container(engine: Engine, run: Make) -> None:
    """Whoever comes second waits until it is gone, or finds it gone; nobody gets a conflict."""
    box = run()
    problems: list[BaseException] = []

    def remove() -> None:
        try:
            engine.containers.remove(box)
        except NotFound:
            pass
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=remove) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert problems == []
    with pytest.raises(NotFound):
        engine.containers.inspect(box)


def test_what_changed_can_be_kept(engine: Engine, run: Make) -> None:
    """Diff names the new file; commit makes an image with it and with the changed command."""
    box = run("touch", "/tmp/new")
    engine.containers.wait(box, 30)
    assert engine.containers.diff(box)["/tmp/new"] == "added"
    image = engine.containers.commit(box, changes=['CMD ["id"]'], message="kept")
    try:
        found = engine.images.get(image)
        assert found.cmd == ("id",)
        assert found.labels.items() >= engine.labels.items()
        assert found.files is not None
        assert found.files.stat("/tmp/new").kind is FileKind.FILE
    finally:
        engine.images.remove(image)


def test_its_processes_and_use_are_known(engine: Engine, run: Make) -> None:
    """Top has a row for its process, stats say how much memory it has."""
    box = run("sleep", "599")
    assert any("sleep 599" in " ".join(row.values()) for row in engine.containers.top(box))
    assert engine.containers.stats(box)["memory_stats"]["usage"] > 0


def test_a_published_port_is_known(engine: Engine, run: Make) -> None:
    """Address and port on the host; None for one that is not published."""
    box = run(ports=(PublishedPort(container=80), PublishedPort(container=53, protocol="udp")), network="")
    address, port = engine.containers.port(box, 80) or ("", 0)
    assert address == "127.0.0.1"
    assert 0 < port < 65536
    assert engine.containers.port(box, 53, "udp") is not None
    assert engine.containers.port(box, 53) is None
