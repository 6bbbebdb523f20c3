"""How an image (or a container) is configured: environment, labels, command, user, ports, health."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pytest_dockerlab.checks.words import Expected, clip, listing, wanted
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.image.model import Healthcheck, ImageConfig
from pytest_dockerlab.platforms import Platform

__all__ = [
    "cmd",
    "entrypoint",
    "env",
    "exposes",
    "healthcheck",
    "label",
    "platform",
    "port_name",
    "user",
    "volumes",
    "workdir",
]


def _same(expected: Expected, value: str) -> bool:
    return bool(expected.search(value)) if isinstance(expected, re.Pattern) else expected == value


def env(config: ImageConfig, expected: Mapping[str, Expected | None], *, of: str) -> Checked[dict[str, str]]:
    """Each variable has this value (``None``: it is not set). Evidence: the ones asked for that are set."""
    if not expected:
        raise UsageError("no variable was named", remedy='give names and values: NAME="value", or NAME=None for unset')
    found = {name: config.env[name] for name in expected if name in config.env}
    findings = []
    for name, value in expected.items():
        there = config.env.get(name)
        if there is None if value is None else there is not None and _same(value, there):
            continue
        near = next((other for other in config.env if other.lower() == name.lower()), "")
        findings.append(
            Finding(
                what=f"{of} {'does not set' if there is None else 'sets'} {name}"
                + ("" if there is None else f" to {clip(repr(there), 60)}"),
                where=f"environment variable {name}",
                expected="not set" if value is None else wanted(value),
                found="not set" if there is None else repr(there),
                why="ARG is there during the build only; ENV stays, and ENV of a later stage starts anew"
                if there is None
                else "",
                hint=f"it is written {near} there: names of variables are case-sensitive"
                if near and there is None
                else "look at the ENV lines; a later one (or docker run -e) takes precedence",
            )
        )
    return Checked(evidence=found, findings=tuple(findings))


def label(config: ImageConfig, name: str, value: Expected | None = None, *, of: str) -> Checked[str]:
    """The label is there, with this value unless that is ``None``. Evidence: its value."""
    there = config.labels.get(name)
    if there is not None and (value is None or _same(value, there)):
        return Checked(evidence=there)
    finding = Finding(
        what=f"{of} has {'no label' if there is None else 'another value for label'} {name}",
        expected="this label" if value is None else wanted(value),
        found=listing(sorted(config.labels), none="no labels") if there is None else repr(there),
        hint=f'LABEL {name}="…" in the Dockerfile, or docker build --label {name}=…',
    )
    return Checked(evidence=there or "", findings=(finding,))


def _form(value: Sequence[str] | None) -> str:
    return "none" if value is None else str(list(value))


def _command(
    word: str, there: tuple[str, ...] | None, expected: Sequence[str] | str | None, config: ImageConfig, of: str
) -> Checked[tuple[str, ...] | None]:
    shell = config.shell or ("/bin/sh", "-c")
    wanted_form = (*shell, expected) if isinstance(expected, str) else None if expected is None else tuple(expected)
    if (there or None) == (wanted_form or None):
        return Checked(evidence=there)
    why, hint = "", f"look at the last {word} of the Dockerfile: earlier ones have no effect"
    if there and not isinstance(expected, str) and expected and there == (*shell, " ".join(expected)):
        why = (
            f"{word} without brackets is run by {shell[0]}, which then gets the signals and takes no further arguments"
        )
        hint = f"write it as a JSON list: {word} [{', '.join(_json(part) for part in expected)}]"
    elif there and there[:2] == tuple(shell) and there[-1].lstrip().startswith("["):
        why = f"{word} with brackets is a list only if it is valid JSON; this is not, so a shell gets it as text"
        hint = 'use double quotes, "…", in the list'
    elif word == "CMD" and there is None:
        why = "a new ENTRYPOINT takes the base's CMD away"
        hint = "write CMD after ENTRYPOINT"
    finding = Finding(
        what=f"{of} has another {word}" if there else f"{of} has no {word}",
        expected=_form(wanted_form),
        found=_form(there),
        why=why,
        hint=hint,
    )
    return Checked(evidence=there, findings=(finding,))


def _json(part: str) -> str:
    return '"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"'


def cmd(config: ImageConfig, expected: Sequence[str] | str | None, *, of: str) -> Checked[tuple[str, ...] | None]:
    """CMD is this list; a text means the shell form, ``None`` none at all. Evidence: the CMD."""
    return _command("CMD", config.cmd, expected, config, of)


def entrypoint(
    config: ImageConfig, expected: Sequence[str] | str | None, *, of: str
) -> Checked[tuple[str, ...] | None]:
    """ENTRYPOINT is this list; a text means the shell form, ``None`` none at all. Evidence: the ENTRYPOINT."""
    return _command("ENTRYPOINT", config.entrypoint, expected, config, of)


def workdir(config: ImageConfig, expected: str, *, of: str) -> Checked[str]:
    """Commands start in this folder. Evidence: the folder."""
    there = config.workdir or "/"
    if there.rstrip("/") == expected.rstrip("/"):
        return Checked(evidence=there)
    finding = Finding(
        what=f"{of} starts in {there}",
        expected=expected,
        found=there,
        why="relative paths in RUN, COPY, CMD and docker run are meant from here; RUN cd lasts for that RUN only",
        hint=f"WORKDIR {expected}",
    )
    return Checked(evidence=there, findings=(finding,))


def _as_root(user: str) -> str:
    return {"": "0", "root": "0", "0:0": "0", "root:root": "0"}.get(user, user)


def user(config: ImageConfig, expected: str | int, *, of: str) -> Checked[str]:
    """Commands run as this user, as USER has it (no USER is root). Evidence: the USER."""
    if _as_root(config.user) == _as_root(str(expected)):
        return Checked(evidence=config.user)
    finding = Finding(
        what=f"{of} runs as {config.user or 'root'}",
        expected=str(expected),
        found=config.user or "root (no USER)",
        why="a program that runs as root in a container is root towards its volumes" if not config.user else "",
        hint=f"USER {expected}, after the last step that needs root",
    )
    return Checked(evidence=config.user, findings=(finding,))


def port_name(port: int | str) -> str:
    """``8888`` → ``8888/tcp``, as images and engines write ports.

    Raises:
        UsageError: not a port.
    """
    number, _, protocol = str(port).partition("/")
    protocol = protocol or "tcp"
    if (
        isinstance(port, bool)
        or not number.isdecimal()
        or not 0 < int(number) < 65536
        or protocol not in ("tcp", "udp", "sctp")
    ):
        raise UsageError(f"not a port: {port!r}", remedy='write 8888, "8888/tcp" or "53/udp"')
    return f"{int(number)}/{protocol}"


def exposes(config: ImageConfig, ports: Sequence[int | str], *, of: str) -> Checked[tuple[str, ...]]:
    """EXPOSE names each of these ports (and maybe more). Evidence: all exposed ports."""
    missing = [name for name in map(port_name, ports) if name not in config.exposed_ports]
    if not missing:
        return Checked(evidence=config.exposed_ports)
    finding = Finding(
        what=f"{of} does not expose {', '.join(missing)}",
        expected=", ".join(map(port_name, ports)),
        found=", ".join(config.exposed_ports) or "no exposed ports",
        why="EXPOSE documents a port and lets docker run -P publish it; it opens nothing by itself",
        hint=f"EXPOSE {' '.join(name.removesuffix('/tcp') for name in missing)}",
    )
    return Checked(evidence=config.exposed_ports, findings=(finding,))


def volumes(config: ImageConfig, paths: Sequence[str], *, of: str) -> Checked[tuple[str, ...]]:
    """VOLUME names each of these paths (and maybe more). Evidence: all volumes."""
    there = tuple(path.rstrip("/") or "/" for path in config.volumes)
    missing = [path for path in paths if (path.rstrip("/") or "/") not in there]
    if not missing:
        return Checked(evidence=config.volumes)
    finding = Finding(
        what=f"{of} declares no volume at {', '.join(missing)}",
        expected=", ".join(paths),
        found=", ".join(config.volumes) or "no volumes",
        why="VOLUME gives each container an anonymous volume there; later steps' changes below it may be lost",
        hint=f"VOLUME {' '.join(missing)}",
    )
    return Checked(evidence=config.volumes, findings=(finding,))


def healthcheck(config: ImageConfig, contains: Expected = "", *, of: str) -> Checked[Healthcheck | None]:
    """A health check is set, and its command holds the text or pattern. Evidence: it."""
    there = config.healthcheck
    text = "" if there is None else " ".join(there.test)
    on = there is not None and bool(there.test) and there.test[0] != "NONE"
    if on and (bool(contains.search(text)) if isinstance(contains, re.Pattern) else contains in text):
        return Checked(evidence=there)
    finding = Finding(
        what=f"{of} has another health check" if on else f"{of} has no health check",
        expected=f"one whose command has {wanted(contains)}" if contains else "a health check",
        found=text or "none",
        why="without one an engine only knows that the process lives, not that it answers",
        hint="HEALTHCHECK CMD … ; the command has to be in the image (slim images have no curl)",
    )
    return Checked(evidence=there, findings=(finding,))


def platform(there: Platform, expected: str | Platform, *, of: str) -> Checked[Platform]:
    """Made for this platform; ``"arm64"`` means ``linux/arm64`` of any variant. Evidence: the platform."""
    asked = expected if isinstance(expected, Platform) else Platform.parse(expected)
    same = (there.os, there.architecture) == (asked.os, asked.architecture)
    if same and asked.variant in ("", there.variant):
        return Checked(evidence=there)
    finding = Finding(
        what=f"{of} is made for {there}",
        expected=str(asked),
        found=str(there),
        why="on another architecture its programs fail with 'exec format error', or run slowly under emulation",
        hint=f"docker build --platform {asked}, and a base image that exists for it",
    )
    return Checked(evidence=there, findings=(finding,))
