"""The user's choices, read once: command line over environment over ini."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Literal, get_args

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_seconds

__all__ = ["NAMES", "Bases", "Keep", "Lookahead", "Settings", "read_settings"]

Bases = Literal["auto", "pull", "stand-in"]
Keep = Literal["never", "failed", "always"]
Lookahead = Literal["off", "declared", "learned"]

# Setting → its environment variable; option and ini follow from the name.
NAMES: Mapping[str, str] = {
    "engine": "DOCKERLAB_ENGINE",
    "mirror": "DOCKERLAB_MIRROR",
    "bases": "DOCKERLAB_BASES",
    "install": "DOCKERLAB_INSTALL",
    "platform": "DOCKERLAB_PLATFORM",
    "dockerfiles": "DOCKERLAB_DOCKERFILES",
    "strict": "DOCKERLAB_STRICT",
    "tuned": "DOCKERLAB_TUNED",
    "timeout": "DOCKERLAB_TIMEOUT",
    "keep": "DOCKERLAB_KEEP",
    "lookahead": "DOCKERLAB_LOOKAHEAD",
    "submission": "DOCKERLAB_SUBMISSION",
    "policy": "DOCKERLAB_POLICY",
    "trusted": "DOCKERLAB_TRUSTED",
    "result": "DOCKERLAB_RESULT",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the user chose, and where each choice came from.

    Attributes:
        engine: ``""`` (find one), ``"private"``, or an address (``unix://``, ``tcp://``, ``ssh://``)
            or ``context:NAME``; several, for workers to spread over, with commas between them.
        mirror: registry host that serves Docker Hub's images, ``""`` for none.
        bases: ``auto`` pulls and falls back to stand-ins; ``pull`` and ``stand-in`` insist.
        install: packages that are missing may be installed.
        platform: that tests run on, ``""`` for the engine's own; several with commas between them.
        dockerfiles: folder whose sub-folders ``lab.build("name")`` finds.
        strict: a missing capability fails instead of skipping; on where ``CI`` is set.
        tuned: a private engine is made faster than an ordinary one.
        keep: whose containers stay on the engine: a failed test's, every test's, nobody's.
        timeout: seconds of silence after which the engine is taken to hang.
        lookahead: what is made while an earlier test runs: ``declared`` containers; ``learned`` ones, too; nothing
            (``off``), and then nothing is removed in the background, either.
        submission: folder of what a student handed in, ``None`` for the reference in ``dockerfiles``.
        policy: file that says what a submission may do, ``None`` for the defaults.
        trusted: the submission is the instructor's own, as the reference is: its builds share the engine's cache, and
            have no limits.
        result: file for the points, ``None`` for none.
        fence: hosts that builds and containers of a private engine reach, and nothing else; ``None`` for all. It is no
            choice of the user's, but follows from the policy.
        sources: setting → what set it, for messages.
    """

    engine: str = ""
    mirror: str = ""
    bases: Bases = "auto"
    install: bool = False
    platform: str = ""
    dockerfiles: Path = Path("dockerfiles")
    strict: bool = False
    tuned: bool = True
    timeout: float = 60.0
    keep: Keep = "never"
    lookahead: Lookahead = "learned"
    submission: Path | None = None
    policy: Path | None = None
    trusted: bool = False
    result: Path | None = None
    fence: tuple[str, ...] | None = None
    sources: tuple[tuple[str, str], ...] = ()

    @property
    def engines(self) -> tuple[str, ...]:
        """Each engine that was named; ``("",)`` where none was."""
        return tuple(name.strip() for name in self.engine.split(","))

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """Each platform that was named, once; none where none was."""
        return tuple(dict.fromkeys(Platform.parse(each) for each in self.platform.split(",") if self.platform))

    def source(self, name: str) -> str:
        """What set ``name``: ``--dockerlab-engine``, ``DOCKERLAB_ENGINE``, ``ini dockerlab_engine`` or ``default``."""
        return dict(self.sources).get(name, "default")


def _flag(text: str, source: str) -> bool:
    lowered = text.strip().lower()
    if lowered in ("1", "true", "yes", "on"):
        return True
    if lowered in ("0", "false", "no", "off", ""):
        return False
    raise UsageError(f"{source}: not a yes or no: {text!r}", remedy="write 1 or 0")


def read_settings(
    options: Mapping[str, object] | None = None,
    ini: Mapping[str, str] | None = None,
    environ: Mapping[str, str] = os.environ,
    root: Path | None = None,
) -> Settings:
    """Merge the three places where a setting can stand.

    Args:
        options: setting → value from the command line; ``None`` where not given.
        ini: setting → text from the ini file; ``""`` where not given.
        environ: the environment.
        root: folder that a relative ``dockerfiles`` starts from.

    Raises:
        UsageError: a bad value; the message names its source.
    """
    assert set(NAMES) < {field.name for field in fields(Settings)}
    values: dict[str, object] = {}
    sources: list[tuple[str, str]] = []
    for name, variable in NAMES.items():
        if options and options.get(name) is not None:
            value, source = options[name], "--dockerlab-" + name
        elif variable in environ:
            value, source = environ[variable], variable
        elif ini and ini.get(name):
            value, source = ini[name], f"ini dockerlab_{name}"
        else:
            continue
        sources.append((name, source))
        values[name] = _checked(name, value, source)
    if "strict" not in values and environ.get("CI", "").lower() not in ("", "0", "false"):
        values["strict"] = True
        sources.append(("strict", "CI"))
    dockerfiles = Path(str(values.get("dockerfiles", "dockerfiles")))
    values["dockerfiles"] = (root or Path.cwd()) / dockerfiles
    for name in ("submission", "policy", "result"):
        if name in values:
            # As dockerfiles where it stands in the ini file; what is typed starts where it is typed.
            start = root if dict(sources)[name].startswith("ini ") and root else Path.cwd()
            values[name] = start / str(values[name]) if values[name] else None
    return Settings(**values, sources=tuple(sources))  # type: ignore[arg-type]  # each value was checked above


def _checked(name: str, value: object, source: str) -> object:
    if name in ("install", "strict", "tuned", "trusted"):
        return value if isinstance(value, bool) else _flag(str(value), source)
    text = str(value).strip()
    if name == "timeout":
        return _seconds(text, source)
    if name == "bases" and text not in get_args(Bases):
        ways = ", ".join(get_args(Bases))
        raise UsageError(f"{source}: not a way to get base images: {text!r}", remedy=f"one of {ways}")
    if name == "lookahead" and text not in get_args(Lookahead):
        raise UsageError(f"{source}: not a way to look ahead: {text!r}", remedy="one of off, declared, learned")
    if name == "keep" and text not in get_args(Keep):
        raise UsageError(
            f"{source}: not a choice of what to keep: {text!r}", remedy=f"one of {', '.join(get_args(Keep))}"
        )
    for platform in text.split(",") if name == "platform" and text else ():
        try:
            Platform.parse(platform)
        except UsageError as error:
            raise UsageError(f"{source}: {error.what}", remedy=f"{error.remedy}; several with commas") from error
    for engine in text.split(",") if name == "engine" and text else ():
        if not _is_engine(engine.strip()):
            raise UsageError(
                f"{source}: not an engine: {engine.strip()!r}" + (f" (in {text!r})" if "," in text else ""),
                remedy="write private, context:NAME, or an address such as unix:///var/run/docker.sock or "
                "tcp://host:2375; several with commas between them",
            )
    return text


def _seconds(text: str, source: str) -> float:
    try:
        seconds = to_seconds(text)
    except UsageError as error:
        raise UsageError(f"{source}: {error.what}", remedy=error.remedy) from error
    if seconds < 1:
        raise UsageError(f"{source}: too short for an engine to answer: {text!r}", remedy="write a second or more: 60")
    return seconds


def _is_engine(text: str) -> bool:
    scheme, separator, rest = text.partition("://")
    if separator:
        return scheme in ("unix", "tcp", "ssh", "http", "https") and bool(rest)
    return text == "private" or (text.startswith("context:") and len(text) > len("context:"))
