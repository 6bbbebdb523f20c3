"""Which instruction of a Dockerfile made which layer, read from an image's history.

Three builders write three forms into ``created_by``:

- classic: ``/bin/sh -c #(nop)  CMD ["sh"]`` for metadata, ``/bin/sh -c apt-get …`` for RUN,
  with ``|2 A=1 B=2`` before it where build arguments are set;
- BuildKit: ``RUN /bin/sh -c apt-get … # buildkit``, ``COPY a b # buildkit``, ``ENV A=1``;
- Podman (Buildah): as classic, COPY with a checksum: ``/bin/sh -c #(nop) COPY file:… in /``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.model import HistoryEntry, Image

__all__ = ["Instruction", "LayerOrigin", "instruction_of", "layer_origins", "with_empty_layers"]

Writer = Literal["buildkit", "classic", "other"]

_MAKES_FILES = frozenset({"RUN", "COPY", "ADD", "WORKDIR"})
_METADATA = frozenset(
    {
        "ARG",
        "CMD",
        "ENTRYPOINT",
        "ENV",
        "EXPOSE",
        "HEALTHCHECK",
        "LABEL",
        "MAINTAINER",
        "ONBUILD",
        "SHELL",
        "STOPSIGNAL",
        "USER",
        "VOLUME",
    }
)
_KEYWORD = re.compile(r"\s*(?P<keyword>[A-Z]+)(?=\s|$)\s*(?P<rest>.*)", re.DOTALL)
_NOP = re.compile(r"/bin/sh -c #\(nop\)\s*(?P<rest>.*)", re.DOTALL)
_ARGUMENTS = re.compile(r"\|\d+ ", re.ASCII)
_SHELL = re.compile(r"(?<!\S)(?:/\S*sh|cmd|powershell) (?:-\S+ |/S /C )")
_BUILDKIT_END = " # buildkit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruction:
    """One instruction, as a history entry tells it.

    Attributes:
        keyword: ``RUN``, ``COPY`` …; ``""`` where the entry is no Dockerfile's (an imported tree).
        text: what follows the keyword, shell and build arguments of a RUN taken off.
        writer: which builder's form it has.
    """

    keyword: str
    text: str
    writer: Writer

    def __str__(self) -> str:
        return f"{self.keyword} {self.text}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerOrigin:
    """A layer, and the history entry that made it; ``index`` counts from 0, the lowest."""

    index: int
    diff_id: str
    entry: HistoryEntry
    instruction: Instruction


def instruction_of(entry: HistoryEntry) -> Instruction:
    """Read one entry of a history."""
    text = entry.created_by.strip()
    buildkit = text.endswith(_BUILDKIT_END) or entry.comment.startswith("buildkit.")
    writer: Writer = "buildkit" if buildkit else "other"
    text = text.removesuffix(_BUILDKIT_END)
    if match := _NOP.fullmatch(text):
        writer, text = "classic", match["rest"]
    elif not buildkit and (command := _command(text)) is not None:
        return Instruction(keyword="RUN", text=command, writer="classic")
    match = _KEYWORD.fullmatch(text)
    if match is None or match["keyword"] not in _MAKES_FILES | _METADATA:
        return Instruction(keyword="", text=text, writer=writer)
    rest = match["rest"].strip()
    if match["keyword"] == "RUN" and (command := _command(rest)) is not None:
        rest = command
    return Instruction(keyword=match["keyword"], text=rest, writer=writer)


def _command(text: str) -> str | None:
    """What a shell was given, build arguments before it taken off; ``None`` where there is no shell."""
    arguments = _ARGUMENTS.match(text)
    shell = _SHELL.search(text, arguments.end()) if arguments else _SHELL.match(text)
    return None if shell is None else text[shell.end() :].strip()


def with_empty_layers(history: Sequence[HistoryEntry], layers: int) -> tuple[HistoryEntry, ...]:
    """Fill in ``empty_layer`` where it follows from what is known; the rest stays ``None``.

    An engine's own history has no such field. What added bytes made a layer; what can
    only be metadata made none; BuildKit makes a layer for each RUN, COPY and ADD, even
    an empty one (buildkit: frontend/dockerfile/dockerfile_history_test.go). If that leaves
    doubt, the number of layers may settle it.
    """
    known = [entry.empty_layer if entry.empty_layer is not None else _judge(entry) for entry in history]
    sure, doubtful = known.count(False), known.count(None)
    if doubtful and sure == layers:
        known = [True if empty is None else empty for empty in known]
    elif doubtful and sure + doubtful == layers:
        known = [False if empty is None else empty for empty in known]
    return tuple(replace(entry, empty_layer=empty) for entry, empty in zip(history, known, strict=True))


def _judge(entry: HistoryEntry) -> bool | None:
    if entry.size:
        return False
    instruction = instruction_of(entry)
    if instruction.keyword in _METADATA:
        return True
    if instruction.writer == "buildkit" and instruction.keyword in ("RUN", "COPY", "ADD"):
        return False
    return None


def layer_origins(image: Image) -> tuple[LayerOrigin, ...]:
    """Each layer of an image with the instruction that made it, lowest first.

    An image without a history (made by a tool that writes none) has no origins to tell.

    Raises:
        FormatError: the history can't be matched with the layers.
    """
    if not image.history:
        return ()
    history = with_empty_layers(image.history, len(image.layers))
    made = [entry for entry in history if entry.empty_layer is False]
    if len(made) != len(image.layers) and image.files is not None:
        # Only the saved config knows; it costs a pass through the whole image.
        made = [entry for entry in image.files.history() if entry.empty_layer is False]
    if len(made) != len(image.layers):
        raise FormatError(
            f"image {image.name}: its history tells of {len(made)} layers, it has {len(image.layers)}",
            remedy="count layers with image.layers; which instruction made which can't be told for this image",
        )
    return tuple(
        LayerOrigin(index=index, diff_id=diff_id, entry=entry, instruction=instruction_of(entry))
        for index, (diff_id, entry) in enumerate(zip(image.layers, made, strict=True))
    )
