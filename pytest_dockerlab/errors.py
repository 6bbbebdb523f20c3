"""Every error that this package raises on purpose, each with a remedy.

    LabError
    ├── UsageError            the caller said something that can't be meant
    ├── FormatError           bytes from outside don't have the form they claim
    ├── EngineError           the engine, not the thing under test, is at fault
    │   ├── EngineNotFound        nothing answers, nothing can be started
    │   ├── EngineUnreachable     an engine was named and does not answer
    │   ├── CapabilityMissing     the engine can't do what was asked
    │   ├── InstallFailed         the package manager refused
    │   ├── EngineStartFailed     a private engine did not come up
    │   ├── DiskFull              the engine has no space left
    │   └── BaseImageMissing      neither pulled, mirrored nor made
    ├── NotFound              no such image, container, path, volume, network
    ├── Conflict              a name is taken, or the object is in use
    ├── BuildFailed           a step of the Dockerfile failed
    │   ├── BuildTimedOut         ... to end in time, and was cancelled
    │   └── BuildOverLimit        ... to keep to its limits, and was ended
    └── ContainerFailed       the container's own doing
        ├── StartFailed           the engine could not start its process
        ├── ExecFailed            a command could not be executed in it
        └── WaitTimedOut          it did not become ready, or end, in time

``EngineError`` is never the fault of what is tested: a grader reports it as
"not gradable", a test run as an error.
"""

from __future__ import annotations

__all__ = [
    "BaseImageMissing",
    "BuildFailed",
    "BuildOverLimit",
    "BuildTimedOut",
    "CapabilityMissing",
    "Conflict",
    "ContainerFailed",
    "DiskFull",
    "EngineError",
    "EngineNotFound",
    "EngineStartFailed",
    "EngineUnreachable",
    "ExecFailed",
    "FormatError",
    "InstallFailed",
    "LabError",
    "NotFound",
    "StartFailed",
    "UsageError",
    "WaitTimedOut",
]


class LabError(Exception):
    """What happened (with the value it happened to), and what to do about it.

    Args:
        what: one sentence, with the offending value.
        remedy: one sentence that names the next action; may be empty where
            only the reader can know.
    """

    def __init__(self, what: str, *, remedy: str = "") -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n  → {self.remedy}" if self.remedy else self.what

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments need help to survive the trip between xdist processes.
        return (_rebuild, (type(self), self.args, self.__dict__))


def _rebuild(kind: type[LabError], args: tuple[object, ...], state: dict[str, object]) -> LabError:
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error


class UsageError(LabError):
    """The caller said something that can't be meant."""


class FormatError(LabError):
    """Bytes from outside (a stream, an archive, a file) are not what they claim to be."""


class EngineError(LabError):
    """The engine, the network or the host is at fault, not the thing under test."""


class EngineNotFound(EngineError):
    """No engine answers and none can be started."""


class EngineUnreachable(EngineError):
    """An engine was named and does not answer."""


class CapabilityMissing(EngineError):
    """The engine lacks a capability that was asked for."""


class InstallFailed(EngineError):
    """The distribution's package manager could not install what is needed."""


class EngineStartFailed(EngineError):
    """A private engine was started and did not become ready."""


class DiskFull(EngineError):
    """The engine has no space left for an image, a layer or a container."""


class BaseImageMissing(EngineError):
    """A base image could be neither pulled, nor mirrored, nor made."""


class NotFound(LabError):
    """The engine knows no image, container, volume, network or path of this name."""


class Conflict(LabError):
    """A name is taken, or an object can't be removed because it is in use."""


class BuildFailed(LabError):
    """A step of a Dockerfile failed.

    Attributes:
        trace: the ``BuildTrace`` as far as it got, or ``None``.
        step: the number of the failing step, as BuildKit numbers it, or ``None``.
        exit_code: of the step's command, or ``None`` when it did not get that far.
        log: the last lines that the step printed.
        file: the Dockerfile's path, ``""`` when unknown.
        line: 1-based line in the Dockerfile, or ``None``.
    """

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        trace: object = None,
        step: int | None = None,
        exit_code: int | None = None,
        log: str = "",
        file: str = "",
        line: int | None = None,
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.trace = trace
        self.step = step
        self.exit_code = exit_code
        self.log = log
        self.file = file
        self.line = line

    def __str__(self) -> str:
        parts = [self.what]
        if self.file:
            parts.append(f"  at {self.file}" + (f":{self.line}" if self.line else ""))
        if self.log:
            parts.append("  last lines of the step's log:")
            parts.extend(f"    {row}" for row in self.log.rstrip("\n").splitlines()[-20:])
        if self.remedy:
            parts.append(f"  → {self.remedy}")
        return "\n".join(parts)


class BuildTimedOut(BuildFailed):
    """A build did not end within its timeout and was cancelled, on the engine too."""


class BuildOverLimit(BuildFailed):
    """A build used more than it may and was ended, on the engine too.

    Attributes:
        resource: ``memory``, ``pids`` or ``disk``.
        limit: bytes or processes.
    """

    resource = ""
    limit = 0


class ContainerFailed(LabError):
    """A container did something other than what was asked of it."""


class StartFailed(ContainerFailed):
    """The engine could not start the container's process.

    Attributes:
        exit_code: what the ``docker`` command line would exit with (125, 126, 127).
    """

    def __init__(self, what: str, *, remedy: str = "", exit_code: int = 125) -> None:
        super().__init__(what, remedy=remedy)
        self.exit_code = exit_code


class ExecFailed(ContainerFailed):
    """A command could not be executed in a container (not running, no such program)."""


class WaitTimedOut(ContainerFailed):
    """A container did not become ready, or did not end, within the timeout."""
