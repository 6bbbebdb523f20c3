"""Assertions about how an image, or a container, is configured.

For a container they look at what it runs with: the image's settings and what
``docker run`` changed of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pytest_dockerlab.assertions.things import RunsCommands, Thing, config_of, demanded, image_of, name_of
from pytest_dockerlab.checks import architecture
from pytest_dockerlab.checks import metadata as check
from pytest_dockerlab.checks.words import Expected
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import demand
from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.platforms import Platform

__all__ = [
    "assert_architecture",
    "assert_cmd",
    "assert_entrypoint",
    "assert_env",
    "assert_exposes",
    "assert_healthcheck",
    "assert_label",
    "assert_native",
    "assert_platform",
    "assert_user",
    "assert_volumes",
    "assert_workdir",
]


def assert_env(
    thing: Thing,
    name: str | Mapping[str, Expected | None] | None = None,
    value: Expected | None = None,
    /,
    **variables: Expected | None,
) -> dict[str, str]:
    """Environment variables have these values. Returns those of them that are set.

    ``assert_env(image, PYTHON_VER="3.10")``, ``assert_env(image, "PYTHON_VER", "3.10")`` and
    ``assert_env(image, {"PYTHON_VER": "3.10"})`` say the same.

    Args:
        value: text (all of the value), a pattern to be found in it, or ``None`` for a variable that is not set.

    Raises:
        CheckFailed: another value, one finding for each variable.
    """
    expected = dict(variables)
    if isinstance(name, str):
        expected[name] = value
    elif name is not None:
        expected.update(name)
    return demand(check.env(config_of(thing), expected, of=name_of(thing)))


def assert_label(thing: Thing, name: str, value: Expected | None = None) -> str:
    """The label is set, to this text (or one that matches the pattern) unless that is ``None``. Returns its value.

    Raises:
        CheckFailed: no such label, or another value.
    """
    return demand(check.label(config_of(thing), name, value, of=name_of(thing)))


def assert_cmd(thing: Thing, expected: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """CMD is ``expected``. Returns it.

    Args:
        expected: a list for the form with brackets, text for the shell form
            (``"python app.py"`` is ``["/bin/sh", "-c", "python app.py"]``), ``None`` for no CMD.

    Raises:
        CheckFailed: another one.
    """
    return demand(check.cmd(config_of(thing), expected, of=name_of(thing)))


def assert_entrypoint(thing: Thing, expected: Sequence[str] | str | None) -> tuple[str, ...] | None:
    """ENTRYPOINT is ``expected``, which is written as for ``assert_cmd``. Returns it.

    Raises:
        CheckFailed: another one.
    """
    return demand(check.entrypoint(config_of(thing), expected, of=name_of(thing)))


def assert_workdir(thing: Thing, expected: str) -> str:
    """Commands start in this folder. Returns it.

    Raises:
        CheckFailed: they start in another one.
    """
    return demand(check.workdir(config_of(thing), expected, of=name_of(thing)))


def assert_user(thing: Thing, expected: str | int) -> str:
    """Commands run as this user, written as in USER (``"root"``, ``0`` and no USER are the same). Returns USER.

    Raises:
        CheckFailed: they run as another one.
    """
    return demand(check.user(config_of(thing), expected, of=name_of(thing)))


def assert_exposes(thing: Thing, *ports: int | str) -> tuple[str, ...]:
    """EXPOSE names these ports (``8888``, ``"53/udp"``), and maybe more. Returns all that it names.

    Raises:
        CheckFailed: one is missing.
        UsageError: no port was given, or what is none.
    """
    if not ports:
        raise UsageError("assert_exposes: no port was given", remedy="write assert_exposes(image, 8888)")
    return demand(check.exposes(config_of(thing), ports, of=name_of(thing)))


def assert_volumes(thing: Thing, *paths: str) -> tuple[str, ...]:
    """VOLUME names these paths, and maybe more. Returns all that it names.

    Raises:
        CheckFailed: one is missing.
        UsageError: no path was given.
    """
    if not paths:
        raise UsageError("assert_volumes: no path was given", remedy='write assert_volumes(image, "/data")')
    return demand(check.volumes(config_of(thing), paths, of=name_of(thing)))


def assert_healthcheck(thing: Thing, contains: Expected = "") -> Healthcheck:
    """A health check is set, and its command holds the text or matches the pattern. Returns it.

    Raises:
        CheckFailed: there is none, it is switched off, or it is another one.
    """
    return demanded(check.healthcheck(config_of(thing), contains, of=name_of(thing)))


def assert_platform(thing: Thing, expected: str | Platform) -> Platform:
    """The image is made for this platform: ``"linux/arm64"``, ``"arm64"``, ``"linux/arm/v7"``. Returns its platform.

    A program in it is looked at, too: an image may say what it is not.

    Raises:
        CheckFailed: it is made for another one, or its programs are.
    """
    image = image_of(thing)
    demand(check.platform(image.platform, expected, of=f"image {image.name}"))
    demand(architecture.as_it_says(image, of=f"image {image.name}"))
    return image.platform


def assert_architecture(thing: Thing, expected: str) -> str:
    """The image is made for this architecture: ``"arm64"`` (or ``"aarch64"``), of any variant. Returns it.

    As ``assert_platform`` it looks at a program in the image.

    Raises:
        CheckFailed: it is made for another one, or its programs are.
    """
    return assert_platform(
        thing, Platform(image_of(thing).platform.os, Platform.parse(expected).architecture)
    ).architecture


def assert_native(container: RunsCommands) -> Platform:
    """The container's programs run on the engine's own processor, not by an emulator. Returns their platform.

    Raises:
        CheckFailed: its image is built for another architecture.
    """
    engine = getattr(container, "engine_platform", None)
    if not isinstance(engine, Platform):
        raise UsageError(
            f"assert_native needs a container of a lab, not {type(container).__name__}",
            remedy='run the image first: assert_native(lab.run(image, ["sleep", "600"]))',
        )
    return demand(architecture.native(image_of(container), engine, of=f"image {image_of(container).name}"))
