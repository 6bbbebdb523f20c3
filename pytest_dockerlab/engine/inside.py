"""Inside of a container: what it says, what is said to it, and its files."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pytest_dockerlab.engine import execs, files
from pytest_dockerlab.engine import logs as _logs
from pytest_dockerlab.engine import terminal as _terminal
from pytest_dockerlab.engine.results import ExecResult, Output
from pytest_dockerlab.image.model import FileStat

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["Inside", "about"]


def about(container: str) -> str:
    """What to call a container in a message."""
    return f"container {container[:12]}" if len(container) == 64 else f"container {container!r}"


class Inside:
    """The half of ``Containers`` that looks into one."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._api = engine.api

    def inspect(self, container: str) -> Mapping[str, Any]:
        """The engine's own JSON of it. Fields come and go with the API's version: read them with ``get``."""
        answer: Mapping[str, Any] = self._api.json("GET", f"/containers/{container}/json", about=about(container))
        return answer

    # What it says

    def logs(
        self,
        container: str,
        since: float | None = None,
        until: float | None = None,
        tail: int | None = None,
        ends: bool = False,
        *,
        tty: bool | None = None,
    ) -> Output:
        """What its main process has printed so far.

        Args:
            since, until: seconds since the epoch.
            tail: that many last lines.
            ends: of a large one only the first and the last megabyte of each stream.
            tty: whether it has one, for who knows; ``None`` asks.

        Raises:
            ContainerFailed: it is larger than ``bounded.MOST``, and neither ``tail`` nor ``ends`` was asked for.
        """
        tty = self._tty(container) if tty is None else tty
        return _logs.logs(self._api, container, tty=tty, since=since, until=until, tail=tail, ends=ends)

    def follow(self, container: str, since: float | None = None, tail: int | None = None) -> _logs.LogStream:
        """What it has printed and goes on printing; iterate over it, ``close()`` it from any thread."""
        return _logs.follow(self._api, container, tty=self._tty(container), since=since, tail=tail)

    def attach(
        self,
        container: str,
        *,
        stdin: bool = True,
        stdout: bool = True,
        stderr: bool = True,
        logs: bool = False,
        detach_keys: str = "",
    ) -> _terminal.Terminal:
        """Talk to its main process. Open it before the start, so that nothing is missed.

        Args:
            logs: begin with what was printed before.
            detach_keys: in docker's notation (``ctrl-x,x``); Ctrl-P Ctrl-Q by default.
        """
        return _terminal.attach(
            self._api,
            container,
            tty=self._tty(container),
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            logs=logs,
            detach_keys=detach_keys,
        )

    def _tty(self, container: str) -> bool:
        return bool((self.inspect(container).get("Config") or {}).get("Tty"))

    def exec(
        self,
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
        """Run a command in it, to its end.

        Args:
            stdin: sent to it and then closed; ``None`` gives it no input.
            timeout: seconds. Engines have no way to end a command's process: it is killed where its engine runs on
                this machine and we may, and goes on elsewhere.

        Returns:
            Exit code and output. A program that is not there is exit code 126 or 127, as the engine has it.

        Raises:
            ExecFailed: the container is not running.
            WaitTimedOut: the command did not end in time.
            ContainerFailed: it printed more than ``bounded.MOST``.
        """
        return execs.run(
            self._api,
            container,
            command,
            user=user,
            env=env,
            workdir=workdir,
            tty=tty,
            stdin=stdin,
            privileged=privileged,
            timeout=timeout,
        )

    # Its files

    def stat(self, container: str, path: str, owner: bool = False) -> FileStat:
        """One entry, started or not; see ``files.stat``."""
        return files.stat(self._api, container, path, owner=owner)

    def read(self, container: str, path: str) -> bytes:
        """A regular file's content; see ``files.read``."""
        return files.read(self._api, container, path)

    def children(self, container: str, path: str, deep: bool = False) -> tuple[FileStat, ...]:
        """A folder's entries; see ``files.children``."""
        return files.children(self._api, container, path, deep=deep)

    def archive(self, container: str, path: str) -> Iterator[bytes]:
        """A path and what is below it, as chunks of a tar."""
        return files.archive(self._api, container, path)

    def put(self, container: str, path: str, tar: bytes | Iterator[bytes]) -> None:
        """Unpack a tar into a folder of it, started or not; see ``files.put``."""
        files.put(self._api, container, path, tar)
