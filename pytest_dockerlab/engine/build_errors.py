"""What a build that did not succeed means: whose fault it is, where, and what to do."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.build.trace import BuildTrace, Step
from pytest_dockerlab.errors import (
    BaseImageMissing,
    BuildFailed,
    BuildTimedOut,
    DiskFull,
    EngineError,
    LabError,
)

if TYPE_CHECKING:
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["failure_of", "lost", "refuse_problems", "tail", "timed_out"]

_MISSING_SOURCE = (
    re.compile(r'"(?P<path>/[^"]*)":? not found'),
    re.compile(r"excluded by \.dockerignore: stat (?P<path>.{1,4096}?): file does not exist"),
    re.compile(r'(?:copier: )?stat: "(?P<path>[^"]+)": no such file or directory'),
    re.compile(r"no items matching glob \"(?P<path>[^\"]+)\""),
)
_PARSE_LINE = re.compile(r"(?:dockerfile )?parse error (?:on )?line (?P<line>\d+): ?(?P<what>[^\n]*)", re.IGNORECASE)
_FRAMES = (
    "failed to build: ",
    "failed to solve with frontend dockerfile.v0: ",
    "failed to solve: ",
    "failed to create LLB definition: ",
    "rpc error: code = Unknown desc = ",
)
# What BuildKit says when it, or what it works with, is shut down under a build.
_GONE = re.compile(r"context canceled|graceful_stop|transport is closing|error reading from server: EOF")
_LOG_ROWS = 20


def refuse_problems(dockerfile: Dockerfile) -> None:
    """Stop before anything is sent if no builder would take this Dockerfile.

    Raises:
        BuildFailed: with the first problem's line; all of them are in the message.
    """
    if not dockerfile.problems:
        return
    first, *more = dockerfile.problems
    rows = [f"the Dockerfile can't be built: {first.what}", *(f"also, at {each.where}: {each.what}" for each in more)]
    raise BuildFailed(
        "\n".join(rows), remedy=first.hint, file=dockerfile.path, line=int(first.where.rpartition(":")[2])
    )


def failure_of(dockerfile: Dockerfile, trace: BuildTrace, failed_source: str = "") -> LabError:
    """The error for a build whose builder said why it failed.

    Args:
        failed_source: image whose resolution failed, where the builder tells.
    """
    message = _brief(trace.error)
    step = trace.failed_step
    exit_code = step.exit_code if step else None
    # A RUN that ends with an exit code is the Dockerfile's doing, whatever words its command has.
    if exit_code is None and "no space left on device" in trace.error.lower():
        return DiskFull(
            f"the build stopped{_at(step)}: {message}",
            remedy="free some space where the engine keeps its data (`docker system df` shows what takes it)",
        )
    if exit_code is None and _GONE.search(trace.error):
        return EngineError(
            f"the engine gave the build up{_at(step)}: {message}",
            remedy="see whether it was stopped or restarted (its log tells), and build again",
        )
    if exit_code is None and (failed_source or (step is not None and step.instruction == "FROM")):
        name = failed_source or (step.text.split()[1] if step else "")
        return BaseImageMissing(
            f"the base image {name} can't be had: {message}",
            remedy="check its name in the Dockerfile; else bring it first (lab.image(...)), or name a mirror",
        )
    line = step.line if step else None
    remedy = ""
    what = f"the build failed{_at(step)}: {message}"
    if exit_code is not None and step is not None:
        what = f"the build failed{_at(step)} with exit code {exit_code}"
        remedy = _exit_remedy(exit_code)
    elif path := _missing_source(trace.error):
        what = f"the build failed{_at(step)}: {path!r} is not in the build context"
        remedy = "check the path (it is relative to the context) and .dockerignore"
        if step is None:
            line = _copy_line(dockerfile, path)
    elif match := _PARSE_LINE.search(trace.error):
        what, line = f"the Dockerfile can't be built: {match['what'] or message}", int(match["line"])
    return BuildFailed(
        what,
        remedy=remedy,
        trace=trace,
        step=step.number if step else None,
        exit_code=exit_code,
        log=tail(step.log if step else trace.output),
        file=dockerfile.path,
        line=line,
    )


def timed_out(spec: BuildSpec, dockerfile: Dockerfile, trace: BuildTrace, running: Step | None) -> BuildTimedOut:
    """The error for a build that was cancelled because its time was up."""
    where = f", while {running.label} was running" if running else ""
    left = ""
    if trace.builder == "podman":
        # Tried with Podman 4.3: it ends the build, but not the process of the step that is running.
        left = "; Podman may leave that step's process behind"
    return BuildTimedOut(
        f"the build did not end within {spec.timeout:g} s and was cancelled{where}{left}",
        remedy="give it a longer timeout, or see what it waits for",
        trace=trace,
        step=running.number if running else None,
        log=tail(running.log) if running else "",
        file=dockerfile.path,
        line=running.line if running else None,
    )


def lost(engine: Engine, trace: BuildTrace, running: Step | None, reason: str) -> EngineError:
    """The error for a stream that ended without a result: the engine went away."""
    where = f" while {running.label} was running" if running else ""
    return EngineError(
        f"the engine at {engine.endpoint.url} ended the build{where} without a result"
        + (f": {reason}" if reason else ""),
        remedy="see whether it still runs (`dockerlab doctor`), and its log",
    )


def _at(step: Step | None) -> str:
    return f" at {step.label}" if step else ""


def _brief(message: str) -> str:
    """The builder's message without the frames that every layer of it puts before."""
    text = message.strip()
    for prefix in _FRAMES:
        text = text.removeprefix(prefix)
    return text


def _exit_remedy(code: int) -> str:
    if code == 127:
        return "127 means that a command was not found: is it installed in the base, and spelled right?"
    if code == 126:
        return "126 means that a file could not be executed: is it executable, and for this platform?"
    if code == 137:
        return "137 means that it was killed: often by the kernel, for want of memory"
    return ""


def _missing_source(message: str) -> str:
    return next((match["path"] for pattern in _MISSING_SOURCE if (match := pattern.search(message))), "")


def _copy_line(dockerfile: Dockerfile, path: str) -> int | None:
    wanted = path.strip("/")
    for each in dockerfile.instructions:
        if each.keyword in ("COPY", "ADD") and any(wanted == word.strip("./") for word in each.arguments.split()):
            return each.line
    return None


def tail(log: str) -> str:
    """The last lines of a step's log."""
    return "\n".join(log.rstrip("\n").splitlines()[-_LOG_ROWS:])
