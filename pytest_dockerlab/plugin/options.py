"""The command line and ini settings, and how they become one ``Settings``."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_dockerlab.settings import Settings

__all__ = ["given", "pytest_addoption", "settings_of"]

# Setting → (what stands for its value, what it does). A flag has no value.
_PREFIX = "DOCKERLAB_"
_HELP: dict[str, tuple[str, str]] = {
    "engine": ("ENGINE", "private, context:NAME, unix://…, tcp://… or ssh://…; several: A,B (default: find one)"),
    "mirror": ("HOST", "registry that serves Docker Hub's images"),
    "bases": ("WAY", "how base images come: auto (pull, else make stand-ins), pull, stand-in"),
    "install": ("", "packages that a private engine or a stand-in needs may be installed"),
    "platform": ("PLATFORM", "that tests run on: linux/amd64, linux/arm64; several: A,B (default: the engine's own)"),
    "dockerfiles": ("DIR", 'folder in which lab.build("name") looks (default: dockerfiles)'),
    "keep": ("WHAT", "whose containers stay when the run ends: failed, always or never (default)"),
    "timeout": ("SECONDS", "silence after which the engine is taken to hang: 60, 2m (default: 60)"),
    "strict": ("", "a capability that the engine lacks fails a test instead of skipping it (default where CI is set)"),
    "submission": ("DIR", "what a student handed in, for the fixture submission (default: the reference)"),
    "policy": ("FILE", "what a submission may do, as TOML (default: docs/submissions.md)"),
    "trusted": ("", "the submission is your own: its builds share the engine's cache, and have no limits"),
    "result": ("FILE", "write the points of the tests with @pytest.mark.exercise, as JSON"),
    "tuned": ("YES", "a private engine is made faster than an ordinary one: 1 (default) or 0"),
    "lookahead": ("WHAT", "what is made ahead: learned (all that can be foreseen), declared (fixtures only), off"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--dockerlab-NAME`` and ini ``dockerlab_NAME`` for each setting."""
    group = parser.getgroup("dockerlab", "containers under test (pytest-dockerlab)")
    for name, (value, text) in _HELP.items():
        option, dest = f"--dockerlab-{name}", f"dockerlab_{name}"
        if value:
            group.addoption(option, dest=dest, metavar=value, default=None, help=text)
        else:
            group.addoption(option, dest=dest, action="store_const", const=True, default=None, help=text)
        parser.addini(dest, f"{text}; {_PREFIX}{name.upper()} and {option} override it", default="")


def given(config: pytest.Config) -> bool:
    """Whether the user set anything: only then is there something to complain of where no lab is used."""
    return any(
        config.getoption(f"dockerlab_{name}") is not None
        or config.getini(f"dockerlab_{name}")
        or _PREFIX + name.upper() in os.environ
        for name in _HELP
    )


def settings_of(config: pytest.Config) -> Settings:
    """The settings of this run: command line over environment over ini.

    Raises:
        pytest.UsageError: a bad value; the message names its source.
    """
    from pytest_dockerlab.errors import UsageError
    from pytest_dockerlab.settings import read_settings

    options = {name: config.getoption(f"dockerlab_{name}") for name in _HELP}
    ini = {name: str(config.getini(f"dockerlab_{name}") or "") for name in _HELP}
    try:
        return read_settings(options, ini, root=config.rootpath)
    except UsageError as error:
        raise pytest.UsageError(str(error)) from error
