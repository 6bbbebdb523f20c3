"""Builds that need a session (secrets, ssh), through the buildx command line: its rawjson is BuildKit's own report."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_dockerlab.build.buildkit import BuildkitReader
from pytest_dockerlab.build.dockerfile import Dockerfile
from pytest_dockerlab.build.rewrite import rewrite
from pytest_dockerlab.build.solve import RawjsonLines, SolveStatus
from pytest_dockerlab.build.spec import BuildSpec
from pytest_dockerlab.build.trace import BuildTrace
from pytest_dockerlab.engine.build_errors import failure_of, lost, timed_out
from pytest_dockerlab.engine.pulse import Heartbeat
from pytest_dockerlab.errors import CapabilityMissing

if TYPE_CHECKING:
    from pytest_dockerlab.engine.endpoint import Endpoint
    from pytest_dockerlab.engine.engine import Engine

__all__ = ["build_with_buildx", "buildx_arguments", "find_buildx"]

_RAWJSON_SINCE = (0, 13)
_GRACE_SECONDS = 10.0
# Where distributions and docker itself put the plugin; it also runs on its own, without a docker CLI.
_PLUGIN_FOLDERS = (
    "~/.docker/cli-plugins",
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)


def find_buildx(
    environment: Mapping[str, str] | None = None, *, folders: tuple[str, ...] = _PLUGIN_FOLDERS
) -> tuple[str, ...]:
    """The command that runs buildx, of a version with ``--progress=rawjson``.

    Args:
        environment: whose PATH is searched; our own by default.
        folders: where the plugin may lie besides.

    Raises:
        CapabilityMissing: there is none, or it is too old.
    """
    path = (environment or os.environ).get("PATH", os.defpath)
    candidates = [
        *((program, "buildx") for program in [shutil.which("docker", path=path)] if program),
        *((program,) for name in ("docker-buildx", "buildx") if (program := shutil.which(name, path=path))),
        *((str(Path(folder).expanduser() / "docker-buildx"),) for folder in folders),
    ]
    found = ""
    for command in candidates:
        version = _version_of(command)
        if version >= _RAWJSON_SINCE:
            return command
        if version:
            found = ".".join(map(str, version))
    have = f"the buildx here is {found}" if found else "there is no docker buildx here"
    raise CapabilityMissing(
        f"build secrets and ssh need docker buildx 0.13 or newer, and {have}",
        remedy="install docker-buildx-plugin (Docker's repository) or docker-buildx (Debian 13, Ubuntu 24.04)",
    )


def _version_of(command: tuple[str, ...]) -> tuple[int, ...]:
    try:
        answer = subprocess.run([*command, "version"], capture_output=True, text=True, timeout=20, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ()  # no plugin, or one that doesn't run here: the next candidate
    for word in answer.split():
        parts = word.removeprefix("v").split(".")
        if len(parts) >= 2 and parts[0].isdigit() and parts[1].isdigit():
            return int(parts[0]), int(parts[1])
    return ()


def buildx_arguments(spec: BuildSpec, *, dockerfile: str, id_file: str, fresh_host: str = "") -> tuple[str, ...]:
    """The arguments after ``buildx`` for this build.

    Args:
        dockerfile: its path, or ``-`` for standard input.
        id_file: where it shall write the image's id.
        fresh_host: name of the extra host that makes a fresh cache, ``""`` for none.
    """
    hosts = {**spec.extra_hosts, **({fresh_host: "127.0.0.1"} if fresh_host else {})}
    arguments = ["build", "--builder", "default", "--progress", "rawjson", "--provenance=false", "--sbom=false"]
    arguments += ["--iidfile", id_file, "--file", dockerfile]
    for option, values in (
        ("--tag", spec.tags),
        ("--build-arg", [f"{key}={value}" for key, value in spec.args.items()]),
        ("--label", [f"{key}={value}" for key, value in spec.labels.items()]),
        ("--add-host", [f"{name}:{address}" for name, address in sorted(hosts.items())]),
        ("--secret", [_source("id", key, value) for key, value in spec.secrets.items()]),
        ("--ssh", [f"{key}={value}" if value else key for key, value in spec.ssh.items()]),
        ("--target", [spec.target] if spec.target else []),
        ("--platform", [str(spec.platform)] if spec.platform else []),
        ("--network", [spec.network]),
    ):
        for value in values:
            arguments += [option, value]
    arguments += ["--no-cache"] * spec.no_cache + ["--pull"] * spec.pull
    return (*arguments, str(spec.context))


def _source(kind: str, key: str, value: str) -> str:
    """A secret's source: ``env=NAME`` and the like as they are, otherwise the path of a file."""
    named = value.startswith(("env=", "src=", "source=", "type="))
    return f"{kind}={key},{value}" if named else f"{kind}={key},src={value}"


def build_with_buildx(
    engine: Engine,
    spec: BuildSpec,
    dockerfile: Dockerfile,
    on_progress: Callable[[str], None] | None,
    fresh_host: str = "",
) -> BuildTrace:
    """Build through buildx; raises as ``builds.build`` does."""
    command = find_buildx()
    sent = rewrite(dockerfile, bases=spec.replace_bases)
    changed = sent.text != dockerfile.text
    reader = BuildkitReader(dockerfile, spec.target, builder="buildx")
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="dockerlab-buildx-", dir=engine.scratch) as folder:
        id_file = Path(folder) / "id"
        arguments = buildx_arguments(
            spec, dockerfile="-" if changed else str(spec.dockerfile_path), id_file=str(id_file), fresh_host=fresh_host
        )
        process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env={**os.environ, **_environment(engine.endpoint)},
            start_new_session=True,
        )
        engine.api.pulse.refuse()
        try:
            with Heartbeat(engine.api.pulse, lambda: _interrupt(process)) as beat:
                expired = _follow(process, reader, sent.text if changed else "", spec.timeout, on_progress)
        finally:
            _stop(process)
        if beat.silent is not None:
            raise beat.silent
        if expired:
            engine.api.pulse.check()
        reader.image_id = id_file.read_text().strip() if id_file.is_file() else ""
    running = reader.running
    trace = reader.trace(round(time.monotonic() - started, 3))
    if expired:
        raise timed_out(spec, dockerfile, trace, running)
    if trace.error:
        raise failure_of(dockerfile, trace, reader.failed_source)
    if process.returncode != 0 or not trace.image_id:
        raise lost(engine, trace, running, f"buildx ended with exit code {process.returncode}: {trace.output[-500:]}")
    if spec.tags:
        # Under the containerd store the id in the file has been wrong (docker/buildx#3952); the tag is right.
        return replace(trace, image_id=engine.images.get(spec.tags[0]).id)
    return trace


def _follow(
    process: subprocess.Popen[bytes],
    reader: BuildkitReader,
    text: str,
    timeout: float,
    on_progress: Callable[[str], None] | None,
) -> bool:
    """Read the report to its end; returns whether the time ran out."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        _interrupt(process)

    timer = threading.Timer(timeout, expire)
    timer.daemon = True
    timer.start()
    try:
        assert process.stdin is not None
        assert process.stderr is not None
        with contextlib.suppress(BrokenPipeError):  # it ended early; its last words say why
            process.stdin.write(text.encode())
            process.stdin.close()
        lines = RawjsonLines()
        for line in process.stderr:
            for row in _take(reader, lines.feed(line.decode(errors="replace"))):
                if on_progress is not None:
                    on_progress(row)
        process.wait()
    finally:
        timer.cancel()
    return expired.is_set()


def _take(reader: BuildkitReader, read: SolveStatus | str | None) -> tuple[str, ...]:
    if isinstance(read, SolveStatus):
        return reader.update(read)
    if read and read.startswith("ERROR: "):
        return reader.feed({"error": read.removeprefix("ERROR: ").strip()})
    return reader.feed({"stream": read}) if read else ()


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)  # buildx then cancels the build on the engine


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        _interrupt(process)
        try:
            process.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    if process.stderr is not None:
        process.stderr.close()


def _environment(endpoint: Endpoint) -> dict[str, str]:
    found = {"DOCKER_HOST": endpoint.url, "DOCKER_CONTEXT": "", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
    if endpoint.tls is not None and endpoint.tls.ca:
        found |= {"DOCKER_TLS_VERIFY": "1", "DOCKER_CERT_PATH": str(Path(endpoint.tls.ca).parent)}
    return found
