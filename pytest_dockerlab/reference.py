"""Image names: ``<host>:<port>/<user>/<repository>:<tag>`` with every default filled in.

The rules are those of the distribution project's reference package (``normalize.go``):
the first part is a registry host exactly when it has a dot or a colon, is
``localhost`` or has an upper-case letter; otherwise the host is Docker Hub, and
a name of one part there lives in ``library/``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.foreign import shown

__all__ = ["DOCKER_HUB", "Reference"]

DOCKER_HUB = "docker.io"

_COMPONENT = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*", re.ASCII)
_HOST = re.compile(r"(?:\[[0-9a-fA-F:]+\]|[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?)(?::\d+)?", re.ASCII)
_TAG = re.compile(r"\w[\w.-]{0,127}", re.ASCII)
_DIGEST = re.compile(r"[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[0-9a-f]{32,}", re.ASCII)
_LONGEST_PATH = 255
_HEX64 = re.compile(r"[0-9a-f]{64}", re.ASCII)


def _is_host(head: str) -> bool:
    """Whether the part before the first slash is a registry, and not a user of Docker Hub."""
    return any(c in head for c in ".:") or head == "localhost" or head != head.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image name, taken apart and normalised.

    Attributes:
        host: registry, with its port if one was given (``docker.io`` by default).
        path: repository within the registry (``library/python``).
        tag: ``latest`` by default; ``""`` when only a digest was given.
        digest: ``sha256:…`` or ``""``. Where both are given the digest decides.
    """

    host: str = DOCKER_HUB
    path: str
    tag: str = "latest"
    digest: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read an image name as ``docker pull`` would.

        Raises:
            UsageError: not a valid image name; says which part is at fault.
        """

        def refuse(reason: str) -> UsageError:
            return UsageError(
                f"not an image name: {shown(text)} ({reason})",
                remedy="write <host>:<port>/<user>/<repository>:<tag>; all but the repository have defaults",
            )

        rest, at, digest = text.partition("@")
        if at and not _DIGEST.fullmatch(digest):
            raise refuse(f"{shown(digest)} is not a digest such as sha256:<64 hex digits>")
        head, slash, tail = rest.partition("/")
        if slash and _is_host(head):
            host, name = head, tail
            if not _HOST.fullmatch(host):
                raise refuse(f"{shown(host)} is not a registry host")
        else:
            host, name = DOCKER_HUB, rest
        path, colon, tag = name.partition(":")
        if colon and not _TAG.fullmatch(tag):
            raise refuse(f"{shown(tag)} is not a tag")
        if not path:
            raise refuse("the repository is missing")
        for component in path.split("/"):
            if not _COMPONENT.fullmatch(component):
                upper = component != component.lower()
                raise refuse(
                    f"{shown(component)} " + ("must be lower case" if upper else "has characters no name can have")
                )
        if _HEX64.fullmatch(text):
            raise refuse("64 hex digits are an image id, not a name")
        if host == "index.docker.io":
            host = DOCKER_HUB
        if host == DOCKER_HUB and "/" not in path:
            path = f"library/{path}"
        if len(path) > _LONGEST_PATH:
            raise refuse(f"the repository has {len(path)} characters, {_LONGEST_PATH} are the most")
        return cls(host=host, path=path, tag=tag or ("" if digest else "latest"), digest=digest)

    @property
    def familiar(self) -> str:
        """The short form that ``docker images`` shows: ``python:3.10``."""
        name = self.path
        if self.host == DOCKER_HUB:
            name = name.removeprefix("library/") if name.count("/") == 1 else name
            if _is_host(name.partition("/")[0]) and "/" in name:
                name = f"{self.host}/{name}"  # the short form would mean another registry
        else:
            name = f"{self.host}/{name}"
        return name + self._suffix

    @property
    def _suffix(self) -> str:
        return (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")

    def __str__(self) -> str:
        return f"{self.host}/{self.path}{self._suffix}"
