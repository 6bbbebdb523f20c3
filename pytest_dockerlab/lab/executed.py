"""What a process in a container printed."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_dockerlab.errors import ContainerFailed

if TYPE_CHECKING:
    from pytest_dockerlab.engine.results import Output

__all__ = ["Executed", "Logs"]

_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Executed:
    """A command that ran to its end.

    Attributes:
        stdout: as it came (with a tty, standard error, too).
        stderr: as text.
        where: name or short id of the container.
    """

    command: tuple[str, ...]
    exit_code: int
    stdout: bytes = b""
    stderr: str = ""
    where: str = ""

    @property
    def output(self) -> str:
        """Standard output as text; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")

    @property
    def ok(self) -> bool:
        """Whether it ended with exit code 0."""
        return self.exit_code == 0

    def check(self) -> Executed:
        """Insist on exit code 0.

        Raises:
            ContainerFailed: another one; shows the end of what it printed.
        """
        if self.ok:
            return self
        rows = [f"{shlex.join(self.command)} in container {self.where} ended with exit code {self.exit_code}"]
        for title, text in (("standard error", self.stderr), ("standard output", self.output)):
            if text.strip():
                rows += [f"  {title}:", *(f"    {row}" for row in text.rstrip("\n").splitlines()[-_SHOWN:])]
        raise ContainerFailed("\n".join(rows), remedy="look at what it printed for why")


class Logs(str):
    """The text that a container printed, lines of both streams in the order in which they came.

    Attributes:
        stdout, stderr, both: as they came, in bytes.
    """

    __slots__ = ("both", "stderr", "stdout")

    def __new__(cls, output: Output) -> Logs:
        """Make the text of what the engine gave."""
        logs = super().__new__(cls, output.text)
        logs.stdout, logs.stderr, logs.both = output.stdout, output.stderr, output.both
        return logs

    stdout: bytes
    stderr: bytes
    both: bytes

    @property
    def text(self) -> str:
        """The text, as plain ``str``."""
        return str(self)
