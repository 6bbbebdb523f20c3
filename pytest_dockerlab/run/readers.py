"""One reader per setting of a container that is a value of its own: what people write → what ``RunSpec`` holds."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.foreign import shown
from pytest_dockerlab.image.model import Healthcheck
from pytest_dockerlab.platforms import Platform
from pytest_dockerlab.quantity import to_bytes

__all__ = ["READERS", "RESERVED_LABELS", "argv", "named"]

T = TypeVar("T")

RESERVED_LABELS = "org.dockerlab."
# The kernel's limit for one argument (execve(2), MAX_ARG_STRLEN); shlex takes longer and longer for more.
_LONGEST_COMMAND = 128 * 1024
_RESTART = ("no", "always", "unless-stopped", "on-failure")


def argv(setting: str, value: object) -> tuple[str, ...]:
    """The arguments of a command: text split by a shell's rules for quotes, a list as it is.

    Raises:
        UsageError: quotes that don't close, or an item that is neither text, number nor path.
    """
    if isinstance(value, str):
        if len(value) > _LONGEST_COMMAND:
            raise UsageError(
                f"{setting}: a text of {len(value)} characters: {shown(value)}",
                remedy="give a list of arguments, or put a script into a file",
            )
        try:
            return tuple(shlex.split(value))
        except ValueError as error:
            raise UsageError(
                f"{setting}: can't be split into arguments: {shown(value)} ({error})",
                remedy="close the quotes, or give a list",
            ) from None
    if not isinstance(value, Sequence) or isinstance(value, (bytes, bytearray)):
        raise UsageError(f"{setting}: neither text nor a list: {shown(value)}", remedy='write ["id", "-u"] or "id -u"')
    for item in value:
        if not isinstance(item, (str, int, Path)) or isinstance(item, bool):
            raise UsageError(
                f"{setting}: not an argument: {shown(item)} in {shown(value)}", remedy="give each argument as text"
            )
    return tuple(str(item) for item in value)


def named(setting: str, read: Callable[[Any], T], value: object) -> T | None:
    """Read a quantity; an error of its own module gets the setting's name."""
    if value is None:
        return None
    try:
        return read(value)
    except UsageError as error:
        raise UsageError(f"{setting}: {error.what}", remedy=error.remedy) from None


def _text(setting: str, value: object) -> str:
    if not isinstance(value, (str, Path)):
        raise UsageError(f"{setting}: not text: {shown(value)}", remedy=f'write {setting}="…"')
    return str(value)


def _flag(setting: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise UsageError(f"{setting}: not True or False: {shown(value)}", remedy=f"write {setting}=True")
    return value


def _texts(setting: str, value: object) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(item, str) for item in value):
        raise UsageError(f"{setting}: not a list of texts: {shown(value)}", remedy=f'write {setting}=["…"]')
    return tuple(value)


def _mapping(setting: str, value: object) -> Mapping[str, str]:
    if not isinstance(value, Mapping) or not all(isinstance(item, str) for pair in value.items() for item in pair):
        raise UsageError(
            f"{setting}: not a mapping of text to text: {shown(value)}", remedy=f'write {setting}={{"…": "…"}}'
        )
    return dict(value)


def _labels(setting: str, value: object) -> Mapping[str, str]:
    labels = _mapping(setting, value)
    for name in labels:
        if name.startswith(RESERVED_LABELS):
            raise UsageError(
                f"labels: {shown(name)} is the lab's own", remedy=f"take another prefix than {RESERVED_LABELS}"
            )
    return labels


def _user(setting: str, value: object) -> str:
    text = str(value) if isinstance(value, (str, int)) and not isinstance(value, bool) else ""
    user, colon, group = text.partition(":")
    if not user or user.startswith("-") or (colon and not group) or ":" in group or any(c.isspace() for c in text):
        raise UsageError(
            f"user: neither a user nor user:group: {shown(value)}", remedy='write 1111, "1111:1111" or "name"'
        )
    return text


def _network(setting: str, value: object) -> str:
    name = value if isinstance(value, str) else getattr(value, "name", None)
    if not isinstance(name, str) or not name:
        raise UsageError(
            f"network: not a network: {shown(value)}", remedy="give a name, or what lab.network() returned"
        )
    return name


def _platform(setting: str, value: object) -> Platform:
    return value if isinstance(value, Platform) else Platform.parse(_text(setting, value))


def _healthcheck(setting: str, value: object) -> Healthcheck:
    if isinstance(value, Healthcheck):
        return value
    if value is False:
        return Healthcheck(test=("NONE",))
    if isinstance(value, str):
        return Healthcheck(test=("CMD-SHELL", value))
    return Healthcheck(test=("CMD", *_texts(setting, value)))


def _restart(setting: str, value: object) -> str:
    policy, colon, count = _text(setting, value).partition(":")
    if policy not in _RESTART or (colon and (policy != "on-failure" or not count.isdecimal())):
        raise UsageError(
            f"restart: not a policy: {shown(value)}", remedy=f'one of {", ".join(_RESTART)}, or "on-failure:3"'
        )
    return str(value)


def _size(setting: str, value: Any) -> int | None:
    return named(setting, to_bytes, value)


READERS: Mapping[str, Callable[[str, Any], object]] = {
    "entrypoint": argv,
    "user": _user,
    "workdir": _text,
    "network": _network,
    "aliases": _texts,
    "hostname": _text,
    "extra_hosts": _mapping,
    "read_only": _flag,
    "cap_add": _texts,
    "cap_drop": _texts,
    "security_opt": _texts,
    "privileged": _flag,
    "init": _flag,
    "tty": _flag,
    "stdin": _flag,
    "platform": _platform,
    "name": _text,
    "labels": _labels,
    "healthcheck": _healthcheck,
    "restart": _restart,
    "stop_signal": _text,
    "shm_size": _size,
    "rm": _flag,
}
