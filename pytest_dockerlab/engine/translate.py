"""docker-py's and the engine's errors, turned into ours: the only place that knows both."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import docker.errors
import requests.exceptions
import urllib3.exceptions

from pytest_dockerlab.engine.endpoint import Tls
from pytest_dockerlab.engine.tls import explained
from pytest_dockerlab.errors import (
    BaseImageMissing,
    Conflict,
    DiskFull,
    EngineError,
    EngineUnreachable,
    LabError,
    NotFound,
    StartFailed,
    UsageError,
    WaitTimedOut,
)

__all__ = [
    "TRANSPORT_ERRORS",
    "engines_work",
    "error_of",
    "is_timeout",
    "missing_source",
    "pull_error",
    "start_error",
    "translating",
    "unreachable",
]

#: What requests and urllib3 raise when the connection, not the engine's answer, is at fault.
TRANSPORT_ERRORS = (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError)

_NO_SPACE = "no space left on device"
_DISK_REMEDY = (
    "free some space where the engine keeps its data: `docker system df` shows what takes it, "
    "`docker builder prune` removes what builds left there"
)
# A tuned private engine has its containers' state and logs in memory, in a folder of this name.
_STATE = "/data/containers/"
_MEMORY_REMEDY = (
    "remove containers, above all those that wrote much to their logs (a private engine keeps 128 MB of each in "
    "memory), or set DOCKERLAB_TUNED=0, which puts them on the disk"
)
# As requests, urllib3 and the kernel put it when the other side goes away in the middle of an answer.
_HUNG_UP = (
    "RemoteDisconnected",
    "Connection reset",
    "Broken pipe",
    "IncompleteRead",
    "Connection broken",
    "prematurely",
)
# Podman answers 500 where Docker has 409 (podman:libpod/define/errors.go, containers/storage:errors.go).
_PODMAN_CONFLICTS = ("container state improper", "that name is already in use")
# How the engine's words end when it, or its host, is short of something or too slow. What a container was asked to
# execute may stand in them as well, but never at their end.
_SHORT = (
    "cannot allocate memory",
    "context deadline exceeded",
    "exchange full",  # no room on the bridge for one more
    "i/o timeout",
    "input/output error",
    "resource temporarily unavailable",
    "too many open files",
    "too many open files in system",
    "ttrpc: closed",
)
_COMMAND = re.compile(r'exec: "?(?P<name>[^":]+)"?: ')
_MOUNT = re.compile(r"bind source path does not exist: (?P<path>.*)")


def error_of(status: int, message: str, about: str = "") -> LabError:
    """The error that an answer of the engine means.

    Args:
        status: HTTP status, or 0 where the engine sent an error within a stream.
        message: the engine's own words.
        about: what was asked for ("container 'web'"); starts the message.
    """
    what = f"{about}: {message}" if about else message
    if _NO_SPACE in message.lower():
        return DiskFull(what, remedy=_MEMORY_REMEDY if _STATE in message else _DISK_REMEDY)
    if match := _MOUNT.search(message):
        return missing_source(match["path"], about)
    if any(text in message for text in _PODMAN_CONFLICTS):
        return Conflict(what, remedy=_conflict_remedy(message))
    # Docker takes two names off one image at once, and then removes it twice: the second time it says so with a 500.
    # Nor does it know that nothing can lie below a file.
    nothing = "unrecognized image id" in message.lower() or (message.startswith("lstat ") and "not a dir" in message)
    if status == 404 or nothing:
        return NotFound(what, remedy=_missing_remedy(message))
    if status == 409:
        return Conflict(what, remedy=_conflict_remedy(message))
    if status in (400, 403, 405, 406, 422):
        return UsageError(what, remedy="mend the value that the engine names")
    return EngineError(what, remedy="look at the engine's log for the cause")


def missing_source(path: str, about: str) -> UsageError:
    """A bind mount of what the engine's host lacks."""
    return UsageError(
        f"{about}: bind mount of a folder that is not there: {path}",
        remedy="make it before the container (an engine elsewhere needs it there, not here)",
    )


def _missing_remedy(message: str) -> str:
    if "image" in message.lower():
        return "pull or build it first: lab.image(...), lab.build(...)"
    return "check the name; what a lab made is gone when its scope has ended"


def _conflict_remedy(message: str) -> str:
    lowered = message.lower()
    if "already in use by container" in lowered or ("name" in lowered and "in use" in lowered):
        return "take another name, leave it out (the engine then makes one), or remove the object that has it"
    # "must force", "must be forced", "is using its referenced image", "has dependent child images" …
    if (
        "force" in lowered
        or "referenced" in lowered
        or "dependent child" in lowered
        or "image is being used" in lowered
    ):
        return "remove what uses it first, or remove it with force=True"
    if "volume is in use" in lowered or "active endpoints" in lowered:
        return "remove the containers that use it first"
    return "bring the object into another state first"


def start_error(message: str, about: str) -> LabError:
    """Why a container's process could not be started, with the exit code of the docker command line.

    What the engine or its host lacks is no fault of the container's: an ``EngineError``. The three codes and the texts
    that tell them apart are moby's (``daemon/errors.go``).
    """
    lowered = message.lower()
    if _NO_SPACE in lowered:
        return DiskFull(f"{about}: {message}", remedy=_DISK_REMEDY)
    match = _COMMAND.search(message)
    name = repr(match["name"]) if match else "its command"
    if "exec format error" in lowered:
        return StartFailed(
            f"{about}: {name} is a program for another architecture: {message}",
            remedy="take the image for this platform, or have the engine's host emulate it (qemu, binfmt_misc)",
            exit_code=1,
        )
    if "all ports are allocated" in lowered:
        return EngineError(
            f"{about}: no port of this machine is free for it: {message}",
            remedy="end what uses them (`docker ps` shows published ports), or widen net.ipv4.ip_local_port_range",
        )
    if lowered.removesuffix(": unknown").endswith(_SHORT):
        return EngineError(
            f"{about}: the engine could not start it for want of something: {message}",
            remedy="give its host less to do, or more memory, processes and open files, and try again",
        )
    if "port is already allocated" in lowered or "address already in use" in lowered:
        return StartFailed(
            f"{about}: a port that it publishes is taken: {message}",
            remedy="leave the host port out, so that the engine takes a free one",
        )
    if "not a directory" in lowered or "are you trying to mount a directory" in lowered:
        return StartFailed(f"{about}: {message}", remedy="mount a folder on a folder, a file on a file", exit_code=127)
    if "executable file not found" in lowered or "no such file or directory" in lowered:
        return StartFailed(
            f"{about}: no such program in the image: {name}: {message}",
            remedy="check the command's first word, and PATH in the image",
            exit_code=127,
        )
    if "permission denied" in lowered:
        return StartFailed(
            f"{about}: may not execute {name}: {message}",
            remedy="chmod +x it in the Dockerfile, or run as a user who may",
            exit_code=126,
        )
    return StartFailed(f"{about}: {message}", remedy="the engine's own words say why", exit_code=125)


def pull_error(message: str, about: str) -> LabError:
    """Why an image could not be transferred, from the engine's own words."""
    lowered = message.lower()
    what = f"{about}: {message}"
    if _NO_SPACE in lowered:
        return DiskFull(what, remedy=_DISK_REMEDY)
    if "toomanyrequests" in lowered or "too many requests" in lowered or "rate limit" in lowered:
        return BaseImageMissing(
            what, remedy="the registry limits pulls: `docker login`, wait, or name a mirror (DOCKERLAB_MIRROR)"
        )
    if "no matching manifest" in lowered or "does not match the specified platform" in lowered:
        return NotFound(what, remedy="the image does not exist for this platform: ask for another one")
    missing = ("not found", "manifest unknown", "repository does not exist", "no such image", "does not exist locally")
    if any(text in lowered for text in missing) or "denied" in lowered:
        return NotFound(what, remedy="check the name and tag; a private repository needs `docker login`")
    return BaseImageMissing(
        what, remedy="the registry can't be reached from the engine: name a mirror (DOCKERLAB_MIRROR) or use stand-ins"
    )


def is_timeout(error: BaseException) -> bool:
    """Whether a read ran out of time, however requests wrapped it."""
    if isinstance(error, (requests.exceptions.Timeout, urllib3.exceptions.TimeoutError, TimeoutError)):
        return True
    return any(isinstance(arg, urllib3.exceptions.TimeoutError) for arg in error.args)


def unreachable(error: BaseException, url: str, name: str, source: str, tls: Tls | None = None) -> EngineUnreachable:
    """The connection failed: say where to, why in plain words, and what named the place."""
    text = str(error)
    reason, remedy = explained(text, tls)
    if reason:
        pass
    elif "Permission denied" in text or isinstance(error, PermissionError):
        reason, remedy = "permission denied", "join the group that owns the socket (often `docker`), or run as root"
    elif "No such file" in text:
        reason, remedy = "no such socket", "start the engine, or correct the address"
    elif is_timeout(error):
        reason, remedy = "no answer in time", "see whether it hangs (its log may say why), and restart it"
    elif "Connection refused" in text:
        reason, remedy = "connection refused", "start the engine, or correct the address"
    elif any(word in text for word in _HUNG_UP):
        reason, remedy = "it hung up", "see whether it was stopped or restarted (its log tells)"
    else:
        reason, remedy = text, "correct the address, or start the engine"
    return EngineUnreachable(
        f"{name} at {url} (named by {source}) does not answer: {reason}",
        remedy=f"{remedy}; `dockerlab doctor` shows what else there is",
    )


@contextmanager
def translating(about: str = "") -> Iterator[None]:
    """Let docker-py's own exceptions leave the block as ours."""
    try:
        yield
    except docker.errors.APIError as error:
        raise error_of(error.status_code or 0, str(error.explanation or error), about) from error
    except docker.errors.DockerException as error:
        raise EngineError(f"{about}: {error}" if about else str(error)) from error
    except requests.exceptions.RequestException as error:
        raise EngineUnreachable(
            f"{about}: the engine stopped answering: {error}", remedy="see whether it still runs"
        ) from error


@contextmanager
def engines_work() -> Iterator[None]:
    """Within: the engine does something by itself, so what takes too long is its own fault, and no container's."""
    try:
        yield
    except WaitTimedOut as error:
        raise EngineError(
            f"{error.what}: the engine answers, and is too slow", remedy="give its host less to do, and try again"
        ) from error
