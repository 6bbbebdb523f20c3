"""Commands that run in a container, with both streams, standard input and a timeout that holds."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.engine.bounded import MOST, too_much
from pytest_dockerlab.engine.hijack import STDERR, UPGRADE, Duplex, Frames
from pytest_dockerlab.engine.processes import descendants, end
from pytest_dockerlab.engine.pulse import BEAT_SECONDS
from pytest_dockerlab.engine.results import ExecResult
from pytest_dockerlab.engine.translate import start_error
from pytest_dockerlab.errors import Conflict, ExecFailed, LabError, StartFailed, UsageError, WaitTimedOut

if TYPE_CHECKING:
    from pytest_dockerlab.engine.api import Api

__all__ = ["run"]


def run(
    api: Api,
    container: str,
    command: Sequence[str],
    *,
    user: str = "",
    env: Mapping[str, str] = {},
    workdir: str = "",
    tty: bool = False,
    stdin: bytes | None = None,
    privileged: bool = False,
    timeout: float = 60.0,
) -> ExecResult:
    """Run ``command`` to its end; see ``Containers.exec``."""
    if isinstance(command, str) or not command:
        raise UsageError(f"not a command: {command!r}", remedy='give a list: ["ls", "-l"], or ["sh", "-c", "…"]')
    about = f"exec {' '.join(command)!r} in container {container[:12]}"
    body: dict[str, Any] = {
        "Cmd": list(command),
        "AttachStdout": True,
        "AttachStderr": True,
        "AttachStdin": stdin is not None,
        "Tty": tty,
        "Privileged": privileged,
    }
    if env:
        body["Env"] = [f"{key}={value}" for key, value in env.items()]
    if user:
        body["User"] = user
    if workdir:
        body["WorkingDir"] = workdir
    deadline = time.monotonic() + timeout
    try:
        exec_id = str(api.json("POST", f"/containers/{container}/exec", json=body, about=about)["Id"])
        response = api.send(
            "POST",
            f"/exec/{exec_id}/start",
            json={"Detach": False, "Tty": tty},
            headers=UPGRADE,
            stream=True,
            timeout=timeout,
            about=about,
        )
    except Conflict as error:
        remedy = "a command needs a running container: start it, or look at its log"
        raise ExecFailed(error.what, remedy=remedy) from error
    except LabError as error:
        if (refused := _refused(error, about)) is not None:
            return refused
        raise
    with Duplex(response, about) as pipe:
        try:
            out, err = _converse(api, pipe, stdin, tty, deadline, about)
        except TimeoutError as error:
            late = api.late(about, timeout)
            if isinstance(late, WaitTimedOut):
                fate = "was killed" if _end_process(api, exec_id) else "goes on until the container stops"
                late.remedy += f"; its process {fate}"
            raise late from error
    return ExecResult(exit_code=_exit_code(api, exec_id, about, deadline), stdout=out, stderr=err)


def _converse(
    api: Api, pipe: Duplex, stdin: bytes | None, tty: bool, deadline: float, about: str
) -> tuple[bytes, bytes]:
    """Send and receive at once: a process that prints while it is still being fed must not block either side.

    Raises:
        TimeoutError: at the deadline, though there be still something to receive.
    """
    frames, out, err = Frames(), bytearray(), bytearray()
    waiting = memoryview(stdin or b"")
    if stdin is not None and not waiting:
        pipe.end_input()
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError(about)
        try:
            readable, writable = pipe.ready(write=bool(waiting), timeout=min(left, BEAT_SECONDS))
        except TimeoutError:
            if left > BEAT_SECONDS:
                api.pulse.check()
            continue
        if writable and waiting:
            waiting = _feed(pipe, waiting)
        if not readable:
            continue
        data = pipe.receive(left)
        if not data:
            return bytes(out), bytes(err)
        for stream, content in [(1, data)] if tty else frames.feed(data):
            (err if stream == STDERR else out).extend(content)
        if len(out) + len(err) > MOST:
            raise too_much(about)


def _feed(pipe: Duplex, waiting: memoryview) -> memoryview:
    try:
        waiting = waiting[pipe.send_some(waiting) :]
    except ConnectionError:
        return memoryview(b"")  # the process ended without reading all of it, as `yes | head` does
    if not waiting:
        pipe.end_input()
    return waiting


def _exit_code(api: Api, exec_id: str, about: str, deadline: float) -> int:
    while True:
        answer: Mapping[str, Any] = api.json("GET", f"/exec/{exec_id}/json", about=about)
        # The streams may end a moment before the engine has noted the exit.
        if answer.get("ExitCode") is not None and not answer.get("Running"):
            return int(answer["ExitCode"])
        if time.monotonic() > deadline:
            raise WaitTimedOut(f"{about}: its streams ended, the process did not", remedy="give it a longer timeout")
        time.sleep(0.01)


def _end_process(api: Api, exec_id: str) -> bool:
    """Kill the command and what it has started, if they are processes of this machine; whether that was done."""
    row: Mapping[str, Any] = api.json("GET", f"/exec/{exec_id}/json")
    pid, container = int(row.get("Pid") or 0), str(row.get("ContainerID") or "")
    try:
        # An engine elsewhere, or in another pid namespace, means another process by this number.
        ours = bool(pid and container) and container in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False
    return ours and not end({pid} | descendants({pid}))


def _refused(error: LabError, about: str) -> ExecResult | None:
    """Engines differ: a program that is not there is a line in the output and an exit code, or an HTTP error."""
    reason = start_error(error.what, about)
    if isinstance(reason, StartFailed) and reason.exit_code in (126, 127) and "OCI runtime" in error.what:
        return ExecResult(exit_code=reason.exit_code, stderr=error.what.encode())
    return None
