"""A container of a lab: its process, its commands, its files, its ports, its limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import ContainerFailed, UsageError, WaitTimedOut
from pytest_dockerlab.image.model import Image
from pytest_dockerlab.lab.executed import Executed, Logs
from pytest_dockerlab.lab.handle import Handle
from pytest_dockerlab.lab.waiting import Wait, log_tail, wait_until_ready
from pytest_dockerlab.run.parse import argv

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_dockerlab.engine.terminal import Terminal
    from pytest_dockerlab.lab.tc import LabContainer

__all__ = ["Container"]


class Container(Handle):
    """A container that a lab made and will remove.

    Attributes:
        timeout: seconds that ``output``, ``exit_code`` and ``exec`` wait unless told otherwise.
    """

    def __init__(
        self,
        testcontainer: LabContainer,
        image: Image,
        *,
        timeout: float,
        on_remove: Callable[[], None] = lambda: None,
        own_image: Callable[[str, str], Image] | None = None,
        started: bool = False,
    ) -> None:
        super().__init__(testcontainer, image)
        self.timeout = timeout
        self._on_remove = on_remove
        self._own_image = own_image
        # By us; by others is found out where it matters.
        self._started = started

    # Its main process

    def wait(self, timeout: float | None = None) -> int:
        """Wait until its main process ends: the exit code.

        Raises:
            WaitTimedOut: it did not; shows the end of the log.
        """
        limit = self.timeout if timeout is None else timeout
        try:
            return self._engine.containers.wait(self.id, limit, started=self._started)
        except WaitTimedOut as error:
            raise WaitTimedOut(
                f"container {self.spec.image} has not ended after {limit:g} s\n{log_tail(self.testcontainer)}",
                remedy="look at the log above; give it longer by timeout=, or stop() it",
            ) from error

    @property
    def exit_code(self) -> int:
        """Exit code of the main process; waits for its end.

        Raises:
            WaitTimedOut: it did not end.
        """
        return self.wait()

    @property
    def output(self) -> str:
        """Standard output of the main process, whole; waits for its end. With a tty it has the errors, too.

        Raises:
            WaitTimedOut: it did not end.
        """
        self.wait()
        return self.logs().stdout.decode(errors="replace")

    @property
    def stderr(self) -> str:
        """Standard error of the main process, whole; waits for its end.

        Raises:
            WaitTimedOut: it did not end.
        """
        self.wait()
        return self.logs().stderr.decode(errors="replace")

    def check(self, timeout: float | None = None) -> Container:
        """Wait for its end, and insist on exit code 0.

        Raises:
            ContainerFailed: another exit code; shows the end of the log.
            WaitTimedOut: it did not end.
        """
        code = self.wait(timeout)
        if code:
            state = self.state
            killed = " (killed for want of memory)" if state.oom_killed else ""
            command = f" {list(self.spec.command)}" if self.spec.command else ""
            raise ContainerFailed(
                f"container {self.spec.image}{command} ended with exit code {code}{killed}\n"
                f"{log_tail(self.testcontainer)}",
                remedy="look at the log above for why",
            )
        return self

    def logs(self, *, since: float | None = None, until: float | None = None, tail: int | None = None) -> Logs:
        """What the main process has printed so far, as text; the two streams apart are its attributes.

        Args:
            since, until: seconds since the epoch.
            tail: only so many lines from the end.
        """
        return Logs(self._engine.containers.logs(self.id, since=since, until=until, tail=tail, tty=self.spec.tty))

    def follow(self) -> Iterator[str]:
        """The lines of its log, as they come, until it ends."""
        rest = b""
        for chunk in self._engine.containers.follow(self.id):
            *lines, rest = (rest + chunk).split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        if rest:
            yield rest.decode(errors="replace")

    def terminal(self, *, logs: bool = False, detach_keys: str = "") -> Terminal:
        """A connection to the main process: ``send``, ``read_until``, ``end_input``, ``detach``, ``close``.

        Open it before ``start()`` to miss nothing of what it prints. It wants ``stdin=True``, and for a
        terminal ``tty=True``, when the container is made.

        Args:
            logs: begin with what was printed before.
            detach_keys: in docker's notation (``ctrl-x,x``); Ctrl-P Ctrl-Q by default.
        """
        return self._engine.containers.attach(self.id, stdin=self.spec.stdin, logs=logs, detach_keys=detach_keys)

    def start(self, *, wait: Wait | None = None, timeout: float | None = None) -> Container:
        """Start it (again), and wait for a strategy.

        Raises:
            StartFailed: its process could not be started.
            WaitTimedOut: it is not ready in time.
        """
        self._engine.containers.start(self.id)
        self._started = True
        return self._ready(wait, timeout)

    def stop(self, timeout: float = 10) -> Container:
        """Ask its process to end; kill it after ``timeout`` seconds."""
        self._engine.containers.stop(self.id, timeout=timeout)
        return self

    def restart(self, timeout: float = 10, *, wait: Wait | None = None) -> Container:
        """Stop and start it."""
        self._engine.containers.restart(self.id, timeout=timeout)
        return self._ready(wait, None)

    def kill(self, signal: str = "SIGKILL") -> Container:
        """Send its process a signal."""
        self._engine.containers.kill(self.id, signal)
        return self

    def pause(self) -> Container:
        """Freeze its processes."""
        self._engine.containers.pause(self.id)
        return self

    def unpause(self) -> Container:
        """Let its processes go on."""
        self._engine.containers.unpause(self.id)
        return self

    def ready(self, wait: Wait, timeout: float | None = None) -> Container:
        """Wait for a strategy.

        Raises:
            WaitTimedOut: not ready in time.
            ContainerFailed: it ended before it was ready.
        """
        return self._ready(wait, timeout)

    def _ready(self, wait: Wait | None, timeout: float | None) -> Container:
        if wait is not None:
            wait_until_ready(self.testcontainer, wait, self.timeout if timeout is None else timeout)
        return self

    # Commands in it

    def exec(
        self,
        command: str | Sequence[str | int | Path],
        *,
        user: str | int = "",
        env: Mapping[str, str] | None = None,
        workdir: str = "",
        stdin: str | bytes | None = None,
        tty: bool = False,
        privileged: bool = False,
        timeout: float | None = None,
    ) -> Executed:
        """Run a command in it, to its end.

        Args:
            command: a list is taken as it is; text is split as a shell would split it, and given to no shell. For a
                shell write ``["sh", "-c", "…"]``.
            user: who runs it: ``1111``, ``"1111:1111"``, ``"name"``; by default the container's user.
            stdin: its standard input, then the end of it.
            timeout: seconds.

        Raises:
            ExecFailed: it could not be run: the container does not run, or has no such program.
            WaitTimedOut: it did not end.
        """
        arguments = argv("exec", command)
        if not arguments:
            raise UsageError(f"exec: an empty command: {command!r}", remedy='write ["id", "-u"]')
        result = self._engine.containers.exec(
            self.id,
            arguments,
            user=str(user),
            env=dict(env or {}),
            workdir=workdir,
            tty=tty,
            stdin=stdin.encode() if isinstance(stdin, str) else stdin,
            privileged=privileged,
            timeout=self.timeout if timeout is None else timeout,
        )
        return Executed(
            command=arguments,
            exit_code=result.exit_code,
            stdout=result.stdout,
            stderr=result.stderr.decode(errors="replace"),
            where=self.spec.name or self.id[:12],
        )

    # Its end, and what becomes of it

    def commit(self, ref: str = "", *, changes: Sequence[str] = (), message: str = "") -> Image:
        """Make an image of what it is now; the lab removes it.

        Args:
            ref: a name for it; none leaves it dangling.
            changes: Dockerfile instructions, such as ``CMD ["bash"]``.
        """
        found = self._engine.containers.commit(self.id, ref=ref, changes=tuple(changes), message=message)
        return self._own_image(found, ref) if self._own_image else self._engine.images.get(ref or found)

    def rename(self, name: str) -> None:
        """Give it another name.

        Raises:
            Conflict: the name is taken.
        """
        self._engine.containers.rename(self.id, name)

    def remove(self, *, force: bool = True) -> None:
        """Remove it now, with its anonymous volumes, instead of at the end of its lab.

        Raises:
            Conflict: it runs, and ``force`` is off.
        """
        self._engine.containers.remove(self.id, force=force, volumes=True)
        self._on_remove()
