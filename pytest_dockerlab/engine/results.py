"""What the verbs of an engine return."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["ContainerSummary", "Created", "ExecResult", "LayerTransfer", "Output", "Transfer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    """A new container, and what the engine warned of (limits that it can't apply, another platform)."""

    id: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSummary:
    """A container in a list; ``status`` as inspect says it (``created``, ``running``, ``exited``)."""

    id: str
    name: str
    image: str
    status: str
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """What a process printed; ``both`` is the two streams in the order in which they came."""

    stdout: bytes = b""
    stderr: bytes = b""
    both: bytes = b""

    @property
    def text(self) -> str:
        """Both streams as text; bytes that are not UTF-8 are replaced."""
        return self.both.decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecResult:
    """A command that ran in a container, to its end."""

    exit_code: int
    stdout: bytes = b""
    stderr: bytes = b""

    @property
    def output(self) -> str:
        """Standard output as text; bytes that are not UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerTransfer:
    """How one layer fared: ``Pull complete``, ``Already exists``, ``Pushed``, ``Layer already exists`` …"""

    id: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """A pull or push that worked.

    Attributes:
        image: id of the image on this engine.
        digest: that the registry knows it by, ``""`` where the engine didn't say.
        layers: in the order in which the engine first spoke of them.
        status: the engine's last word (``Status: Image is up to date for …``), ``""`` if none.
    """

    image: str
    digest: str = ""
    layers: tuple[LayerTransfer, ...] = ()
    status: str = ""
