"""Lists of hosts that may be reached."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_dockerlab.errors import UsageError

__all__ = ["HostList"]

_PORTS = (80, 443)
_NAME = re.compile(r"(?:\*\.)?[a-z0-9](?:[a-z0-9._-]{0,253}[a-z0-9])?", re.ASCII)


class HostList:
    """Hosts, and whether one is among them.

    Args:
        hosts: ``NAME`` (ports 80 and 443), ``NAME:PORT``, ``*.NAME`` for those below it.

    Raises:
        UsageError: not a host.
    """

    def __init__(self, hosts: Iterable[str]) -> None:
        self._known: set[tuple[str, int]] = set()
        for text in hosts:
            name, colon, port = text.strip().lower().partition(":")
            if not _NAME.fullmatch(name) or (colon and not (port.isascii() and port.isdigit() and int(port) < 65536)):
                raise UsageError(f"not a host: {text!r}", remedy='write "NAME", "NAME:PORT" or "*.NAME"')
            self._known.update((name, number) for number in ([int(port)] if port else _PORTS))

    def __contains__(self, place: tuple[str, int]) -> bool:
        name, port = place[0].lower().removesuffix("."), place[1]
        above = [f"*.{name[at + 1 :]}" for at, char in enumerate(name) if char == "."]
        return any((each, port) in self._known for each in (name, *above))
