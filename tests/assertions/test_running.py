"""Assertions on containers that run, on a real engine: what holds, and how it looks when it does not."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from pytest_dockerlab.assertions import (
    assert_cpu_limit,
    assert_executable,
    assert_exit_code,
    assert_file,
    assert_memory_limit,
    assert_mode,
    assert_no_file,
    assert_not_executable,
    assert_not_oom_killed,
    assert_not_readable,
    assert_not_running,
    assert_not_writable,
    assert_oom_killed,
    assert_output,
    assert_owner,
    assert_pids_limit,
    assert_port_not_published,
    assert_port_published,
    assert_readable,
    assert_running,
    assert_throttled,
    assert_writable,
)
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import CheckFailed
from pytest_dockerlab.lab import Container, Lab

FOREVER = ["sleep", "600"]

# What the tests on permissions look at: name, mode and owner of files and folders, and programs that are none.
PREPARE = r"""
mkdir -m 755 /of_root && mkdir -m 700 /private && mkdir -m 711 /enter && mkdir /mine && chown 1111:1111 /mine
echo hidden > /private/file
echo text > /file && chmod 640 /file && ln -s file /link
printf '#!/bin/sh\nexit 126\n' > /says_126 && printf '#!/bin/sh\nno_such_program\n' > /says_127
printf '#!/nowhere\n' > /no_interpreter && printf '#!/bin/sh\nsleep 600\n' > /stays
chmod 755 /says_126 /says_127 /no_interpreter /stays && cp /says_126 /not_x && chmod 644 /not_x
"""


@pytest.fixture(scope="module", params=["alpine", "ubuntu"])
def box(lab_module: Lab, request: pytest.FixtureRequest) -> Container:
    """A container with busybox' shell, and one with dash."""
    box = lab_module.run(request.param, FOREVER, tmpfs=["/memory"])
    assert box.exec(["sh", "-c", PREPARE]).exit_code == 0
    return box


Claim = Callable[..., object]


@pytest.mark.parametrize(
    ("claim", "path", "user"),
    [
        pytest.param(assert_readable, "/file", None, id="root reads a file"),
        pytest.param(assert_readable, "/file", "1111:0", id="its group reads a file"),
        pytest.param(assert_not_readable, "/file", "1111:1111", id="others don't"),
        pytest.param(assert_not_readable, "/link", "1111:1111", id="nor by a link"),
        pytest.param(assert_readable, "/of_root", "1111:1111", id="others list a folder"),
        pytest.param(assert_not_readable, "/enter", "1111:1111", id="x alone does not list a folder"),
        pytest.param(assert_writable, "/of_root", None, id="root writes everywhere"),
        pytest.param(assert_writable, "/mine", "1111:1111", id="the owner writes its folder"),
        pytest.param(assert_not_writable, "/mine", "2222:2222", id="others don't write it"),
        pytest.param(assert_not_writable, "/of_root", 1111, id="nor root's"),
        pytest.param(assert_writable, "/file", None, id="root writes a file"),
        pytest.param(assert_not_writable, "/file", "1111:0", id="r is not w"),
        pytest.param(assert_writable, "/memory", "1111:1111", id="a mount in memory"),
        pytest.param(assert_writable, "/dev/null", "1111:1111", id="a device"),
        pytest.param(assert_not_writable, "/sys", None, id="a read-only mount refuses root"),
        pytest.param(assert_executable, "/bin/sh", "1111:1111", id="a program"),
        pytest.param(assert_not_executable, "/not_x", None, id="without x not even root starts it"),
        pytest.param(assert_executable, "/says_126", "1111:1111", id="a program's own 126 is no refusal"),
        pytest.param(assert_executable, "/says_127", "1111:1111", id="nor is its 127"),
        pytest.param(assert_executable, "/enter", "1111:1111", id="a folder is entered"),
        pytest.param(assert_not_executable, "/private", "1111:1111", id="a private one is not"),
    ],
)
def test_permissions_that_hold(box: Container, claim: Claim, path: str, user: str | int | None) -> None:
    """By really trying, as that user."""
    claim(box, path, user)


@pytest.mark.parametrize(
    ("claim", "path", "user", "message"),
    [
        (assert_readable, "/file", "1111:1111", r"not readable for user 1111:1111(?s:.*)EACCES(?s:.*)its owner may;"),
        (assert_not_readable, "/file", None, r"is readable for the container's user \(0:0\)(?s:.*)CAP_DAC_OVERRIDE"),
        (assert_writable, "/of_root", "1111:1111", r"create a file in it: EACCES \(.*Permission denied\)"),
        (assert_writable, "/sys", None, r"/sys is not writable(?s:.*)EROFS(?s:.*)mount a volume or tmpfs there"),
        (assert_not_writable, "/mine", "1111:1111", r"is writable for user 1111:1111(?s:.*)delete that file: worked"),
        (assert_executable, "/not_x", "1111:1111", r"start it: EACCES(?s:.*)chmod \+x /not_x"),
        (assert_executable, "/no_interpreter", None, r"start it: ENOENT(?s:.*)#! line"),
        (assert_not_executable, "/no_interpreter", None, r"not executable .*, but not for want of permission"),
        (assert_not_executable, "/says_126", None, r"is executable(?s:.*)start it: worked"),
    ],
)
def test_permissions_that_do_not(box: Container, claim: Claim, path: str, user: str | int | None, message: str) -> None:
    """Each try is shown with its errno, and the likely cause."""
    with pytest.raises(CheckFailed, match=message):
        claim(box, path, user)


def test_a_read_only_root_refuses_root(lab: Lab) -> None:
    """With another errno, and another hint."""
    box = lab.run("alpine", FOREVER, read_only=True)
    assert {attempt.errno for attempt in assert_not_writable(box, "/etc").attempts} <= {"EROFS", ""}
    with pytest.raises(CheckFailed, match=r"(?s)EROFS.*read-only mount.*mount a volume or tmpfs there"):
        assert_writable(box, "/etc")


@pytest.fixture
def requests(lab_module: Lab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is asked of the engine."""
    asked: list[str] = []
    send = lab_module.engine.api.send

    def counting(method: str, path: str, **options: Any) -> Any:
        asked.append(f"{method} {path.rpartition('/')[2]}")
        return send(method, path, **options)

    monkeypatch.setattr(lab_module.engine.api, "send", counting)
    return asked


@pytest.mark.parametrize(
    ("claim", "path", "user", "execs"),
    [
        pytest.param(assert_writable, "/mine", "1111:1111", 1, id="what works takes one"),
        pytest.param(assert_readable, "/file", None, 1, id="reading, too"),
        pytest.param(assert_not_writable, "/mine", "2222:2222", 2, id="a refusal is compared with the owner"),
        pytest.param(assert_not_readable, "/private/file", "1111:1111", 4, id="root looks where the user can't"),
    ],
)
def test_permissions_take_few_execs(
    box: Container, requests: list[str], claim: Claim, path: str, user: str | None, execs: int
) -> None:
    """An exec is the dearest question there is."""
    claim(box, path, user)
    assert requests.count("POST exec") == execs


def test_files_of_a_container_take_two_requests(box: Container, requests: list[str]) -> None:
    """One for its name and mounts, one for the file; none of them an exec."""
    for check in (lambda: assert_file(box, "/file"), lambda: assert_mode(box, "/file", 0o640)):
        del requests[:]
        check()
        assert requests == ["GET json", "HEAD archive"]
    del requests[:]
    assert_owner(box, "/file", uid=0)
    assert requests == ["GET json", "GET archive"]
    del requests[:]
    assert_no_file(box, "/nope")
    assert requests == ["GET json", "HEAD archive"]


def test_trying_changes_nothing(box: Container) -> None:
    """The probe is gone, and a file that was opened to append to has its content and its times."""
    before = box.diff(), box.stat("/file"), box.stat("/mine").mode
    assert_writable(box, "/file")
    assert_writable(box, "/mine", "1111:1111")
    assert_not_writable(box, "/of_root", "1111:1111")
    assert (box.diff(), box.stat("/file"), box.stat("/mine").mode) == before
    assert box.list("/mine") == ()


def test_a_program_that_stays_is_killed(box: Container) -> None:
    """It did start."""
    assert_executable(box, "/stays")
    running = "for each in /proc/[0-9]*/cmdline; do tr '\\0' ' ' < $each; echo; done 2> /dev/null"
    assert "/stays" not in box.exec(["sh", "-c", running]).output.replace(running, "")


def test_what_can_not_be_tried_is_refused(lab: Lab, box: Container) -> None:
    """A missing path, a container that does not run, an image: none of them is a refusal by permission."""
    with pytest.raises(CheckFailed, match=r"has no /nope: whether it is writable can't be tried"):
        assert_not_writable(box, "/nope")
    with pytest.raises(UsageError, match=r"is created: what a user may do is tried in a running container"):
        assert_not_writable(lab.create("alpine"), "/etc")
    with pytest.raises(UsageError, match=r"needs a container, not Image"):
        assert_writable(lab.image("alpine"), "/etc")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"nothing can be tried in .* as user nobody-knows"):
        assert_not_writable(box, "/etc", user="nobody-knows")


def test_exit_codes(lab: Lab) -> None:
    """The log tells why."""
    good, bad = lab.run("alpine", ["true"]), lab.run("alpine", ["sh", "-c", "echo oh no; exit 3"])
    assert assert_exit_code(good, 0) == 0
    assert assert_exit_code(bad, 3) == 3
    with pytest.raises(CheckFailed, match=r"(?s)ended with exit code 3\n  expected: exit code 0.*oh no"):
        assert_exit_code(bad, 0)
    with pytest.raises(CheckFailed, match=r"has not ended"):
        assert_exit_code(lab.create("alpine"), 0)
    with pytest.raises(CheckFailed, match=r"has not ended\n.*\n  found:    running"):
        assert_exit_code(lab.run("alpine", FOREVER), 0, timeout=0.2)


def test_output(lab: Lab) -> None:
    """On either stream, whether the process has ended or not."""
    done = lab.run("alpine", ["sh", "-c", "echo to out; echo to err >&2"])
    assert assert_output(done, "to out", stream="stdout") == "to out\n"
    assert assert_output(done, re.compile("^to err$"), stream="stderr") == "to err\n"
    assert_output(lab.run("alpine", ["sh", "-c", "sleep 0.3; echo late; sleep 600"]), "late")
    with pytest.raises(CheckFailed, match=r"did not print it on stdout\n  expected: 'to err'\n  found:    to out"):
        assert_output(done, "to err", stream="stdout")


def test_running(lab: Lab, box: Container) -> None:
    """Now; the state is the evidence."""
    ended = lab.run("alpine", ["sh", "-c", "echo bye"])
    ended.wait()
    assert assert_running(box).status == "running"
    assert assert_not_running(ended).status == "exited"
    with pytest.raises(CheckFailed, match=r"(?s)is not running.*exited \(0\).*bye.*a container lives as long as"):
        assert_running(ended)
    with pytest.raises(CheckFailed, match=r"is running\n  expected: not running"):
        assert_not_running(box)


@pytest.fixture(scope="module")
def capped(lab_module: Lab) -> Container:
    return lab_module.run("alpine", FOREVER, cpus=0.2, memory="64m", pids=50)


@pytest.mark.requires("memory_limit", "cpu_limit")
def test_limits_from_three_sides(capped: Container) -> None:
    """As asked for, as inspect shows them, as the kernel has them."""
    kernel = assert_memory_limit(capped, "64m").kernel
    assert kernel is not None
    assert kernel.memory == 64 << 20
    assert_cpu_limit(capped, 0.2)
    assert_pids_limit(capped, 50)
    with pytest.raises(CheckFailed, match=r"(?s)expected: 32 MiB.*asked:   64 MiB.*kernel:  64 MiB.*← differs"):
        assert_memory_limit(capped, "32m")
    with pytest.raises(CheckFailed, match=r"(?s)expected: 1 CPUs.*inspect: 0.2 CPUs   ← differs"):
        assert_cpu_limit(capped, 1)
    with pytest.raises(CheckFailed, match=r"(?s)expected: 10 processes.*kernel:  50 processes and threads   ← differs"):
        assert_pids_limit(capped, 10)


@pytest.mark.requires("memory_limit")
def test_a_container_that_never_ran_has_no_kernel_limits(lab: Lab) -> None:
    """What was asked for is right, and nothing is proven."""
    with pytest.raises(CheckFailed, match=r"kernel differs\n(?s:.*)kernel:  not read \(.*does not run"):
        assert_memory_limit(lab.create("alpine", FOREVER, memory="64m"), "64m")


@pytest.mark.requires("cpu_limit")
def test_throttling(lab: Lab, capped: Container) -> None:
    """The container is made busy, and held back at its limit."""
    seen = assert_throttled(capped)
    assert seen.after is not None
    assert seen.after > (seen.before or 0)
    with pytest.raises(CheckFailed, match=r"(?s)was not held back while busy.*with no CPU limit"):
        assert_throttled(lab.run("alpine", FOREVER))
    with pytest.raises(UsageError, match=r"only a running container is held back"):
        assert_throttled(lab.create("alpine"))


# Fills memory with a shell's own variable: no program of the image is needed.
EAT = "a=0123456789abcdef; while :; do a=$a$a; done"


@pytest.mark.requires("memory_limit")
def test_oom_kills(lab: Lab) -> None:
    """The kernel's kill is told from somebody else's."""
    starved = lab.run("alpine", ["sh", "-c", EAT], memory="16m")
    assert assert_oom_killed(starved).exit_code == 137
    with pytest.raises(CheckFailed, match=r"a process of .* was killed for want of memory\n"):
        assert_not_oom_killed(starved)
    killed = lab.run("alpine", FOREVER).kill()
    killed.wait()
    assert assert_not_oom_killed(killed).exit_code == 137
    with pytest.raises(CheckFailed, match=r"was not killed for want of memory\n(?s:.*)exited \(137\), no memory limit"):
        assert_oom_killed(killed)
    with pytest.raises(CheckFailed, match=r"is alive: nothing was killed"):
        assert_oom_killed(lab.run("alpine", FOREVER), timeout=0.1)


@pytest.mark.parametrize(
    "ask",
    [assert_throttled, lambda box: assert_port_not_published(box, 80), lambda box: assert_writable(box, "/tmp")],
    ids=["throttled", "port", "writable"],
)
def test_a_container_that_has_ended_is_to_blame(lab: Lab, ask: Callable[[Container], object]) -> None:
    """What only a running one can show fails with its exit code and last words: asking was no slip."""
    ended = lab.run("alpine", ["sh", "-c", "echo last words; exit 4"])
    ended.wait()
    with pytest.raises(CheckFailed, match=r"(?s)is not running\n.*exited \(4\).*last words"):
        ask(ended)


def test_ports(lab: Lab, box: Container) -> None:
    """Exposed is not published."""
    published = lab.run("alpine", FOREVER, ports=[8888])
    assert assert_port_published(published, 8888).host_port == published.port(8888)
    assert [port.port for port in assert_port_not_published(published, 80)] == ["8888/tcp"]
    with pytest.raises(CheckFailed, match=r"does not publish 80/tcp\n(?s:.*)8888/tcp on"):
        assert_port_published(published, 80)
    with pytest.raises(CheckFailed, match=r"publishes 8888/tcp\n"):
        assert_port_not_published(published, 8888)
    with pytest.raises(UsageError, match="no port is published while a container does not run"):
        assert_port_not_published(lab.create("alpine"), 80)
