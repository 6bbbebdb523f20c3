"""Layers: how many, which are shared, which instruction made which, and what they waste."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_dockerlab.checks.words import Expected, clip, expect_count, listing, matches, name_of, plural, short, wanted
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.image.instructions import instruction_of, with_empty_layers
from pytest_dockerlab.image.model import HistoryEntry, Image
from pytest_dockerlab.quantity import human_bytes, to_bytes

__all__ = [
    "LayerInstruction",
    "describe_layer",
    "image_size",
    "instruction_text",
    "instructions",
    "layer_count",
    "layer_of",
    "layers_added",
    "no_layer_of",
    "shares_layers",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerInstruction:
    """One line of an image's history, and the layer that it made.

    Attributes:
        text: the instruction in one form for all builders (``RUN apt-get …``).
        index: position of its layer in ``image.layers`` (0 is the lowest), ``None``
            for an instruction that made no layer.
        diff_id: of that layer, ``""`` for none.
        entry: the history's own line.
    """

    text: str
    index: int | None
    diff_id: str
    entry: HistoryEntry

    def __str__(self) -> str:
        layer = "no layer" if self.index is None else f"layer {self.index + 1} ({short(self.diff_id)})"
        return f"{clip(self.text, 80)}: {layer}"


def instruction_text(entry: HistoryEntry) -> str:
    """What the Dockerfile said, as far as a history line tells it, in one form for all builders."""
    return " ".join(str(instruction_of(entry)).split())


def instructions(image: Image) -> tuple[LayerInstruction, ...]:
    """The history, oldest first, each line with the layer it made.

    The lines that are not empty are the layers, in order (OCI image specification, ``history``).

    Raises:
        UsageError: the image's source doesn't say which lines made a layer.
    """
    history = with_empty_layers(image.history, len(image.layers))
    if not _fits(image, history) and image.files is not None:
        history = image.files.history()  # Only the image's own config knows; engines pass all its layers for it.
    if not _fits(image, history):
        raise UsageError(
            f"the history of {name_of(image)} does not tell which lines made its {plural(len(image.layers), 'layer')}",
            remedy="take the image from the engine or from an archive of `docker save`, whose history is whole",
        )
    table = []
    layers = iter(enumerate(image.layers))
    for entry in history:
        index, diff_id = (None, "") if entry.empty_layer else next(layers)
        table.append(LayerInstruction(text=instruction_text(entry), index=index, diff_id=diff_id, entry=entry))
    return tuple(table)


def _fits(image: Image, history: tuple[HistoryEntry, ...]) -> bool:
    return [entry.empty_layer for entry in history].count(False) == len(image.layers) and all(
        entry.empty_layer is not None for entry in history
    )


def describe_layer(image: Image, index: int) -> str:
    """``layer 3 of 5 (RUN pip …)``; without the instruction where the history doesn't tell it."""
    text = f"layer {index + 1} of {len(image.layers)}"
    try:
        made_by = next((row.text for row in instructions(image) if row.index == index), "")
    except UsageError:
        made_by = ""
    return f"{text} ({clip(made_by, 60)})" if made_by else text


def _rows(image: Image, first: int = 0) -> str:
    """The layers from ``first`` on, one a line, with the instruction where it is known."""
    try:
        made_by = {row.index: clip(row.text, 60) for row in instructions(image)}
    except UsageError:
        made_by = {}
    return listing(
        (f"{n + 1}. {short(image.layers[n])} {made_by.get(n, '')}".rstrip() for n in range(first, len(image.layers))),
        15,
    )


def layer_count(image: Image, count: int) -> Checked[tuple[str, ...]]:
    """The image has ``count`` layers. Evidence: their diff ids, lowest first."""
    expect_count(count, "layers")
    if len(image.layers) == count:
        return Checked(evidence=image.layers)
    finding = Finding(
        what=f"{name_of(image)} has {plural(len(image.layers), 'layer')}",
        expected=plural(count, "layer"),
        found=f"{plural(len(image.layers), 'layer')}\n{_rows(image)}",
        why="each RUN, COPY and ADD makes a layer; ENV, LABEL, CMD, USER and the like make none",
        hint="count what the Dockerfile adds with assert_layers_added: a base's own layers change over time",
    )
    return Checked(evidence=image.layers, findings=(finding,))


def layers_added(image: Image, *, over: Image, count: int | None = None) -> Checked[tuple[str, ...]]:
    """``over``'s layers are the lowest of the image's, and ``count`` more are on top.

    Evidence: the diff ids of the added layers, lowest first.
    """
    if count is not None:
        expect_count(count, "layers")
    same = _common(image.layers, over.layers)
    if same < len(over.layers):
        return Checked(evidence=(), findings=(_not_based(image, over, same),))
    added = image.layers[same:]
    if count is None or len(added) == count:
        return Checked(evidence=added)
    finding = Finding(
        what=f"{name_of(image)} adds {plural(len(added), 'layer')} to {over.name}",
        expected=plural(count, "added layer"),
        found=f"{plural(len(added), 'added layer')}\n{_rows(image, same)}" if added else "0 added layers",
        why="each RUN, COPY and ADD (and WORKDIR, with BuildKit) makes a layer",
        hint="join commands in one RUN with && for fewer layers, or split them for more",
    )
    return Checked(evidence=added, findings=(finding,))


def _common(left: tuple[str, ...], right: tuple[str, ...]) -> int:
    """How many of the lowest layers are the same, digest by digest."""
    count = 0
    for one, other in zip(left, right, strict=False):
        if one != other:
            break
        count += 1
    return count


def _not_based(image: Image, over: Image, same: int) -> Finding:
    found = short(image.layers[same]) if same < len(image.layers) else "no such layer"
    return Finding(
        what=f"{name_of(image)} is not built on {over.name}: layer {same + 1} differs",
        where=f"layer {same + 1} of {len(over.layers)} of {over.name}",
        expected=short(over.layers[same]),
        found=f"{found} ({plural(same, 'layer')} below it {'is' if same == 1 else 'are'} the same)",
        why="an image starts with all the layers of its base, the image that FROM names, digest by digest",
        hint=f"look at the FROM line; if {over.name} was pulled or built again since, build this image anew",
    )


def shares_layers(a: Image, b: Image, count: int | None = None) -> Checked[tuple[str, ...]]:
    """The lowest layers of both are the same: ``count`` of them, or at least one.

    Evidence: the diff ids they share, lowest first.
    """
    same = _common(a.layers, b.layers)
    shared = a.layers[:same]
    if same >= 1 if count is None else same == expect_count(count, "layers"):
        return Checked(evidence=shared)
    one, other = (short(image.layers[same]) if same < len(image.layers) else "none" for image in (a, b))
    finding = Finding(
        what=f"images {a.name} and {b.name} share {plural(same, 'layer') if same else 'no layer'}",
        expected="at least 1 shared layer" if count is None else plural(count, "shared layer"),
        found=f"the first that differs is layer {same + 1}: {one} in {a.name}, {other} in {b.name}",
        why="a shared layer is stored, pulled and pushed once",
        hint="build both FROM the same base, and put what they have in common first",
    )
    return Checked(evidence=shared, findings=(finding,))


def layer_of(image: Image, instruction: Expected) -> Checked[LayerInstruction | None]:
    """Exactly one instruction of the history matches, and it made a layer. Evidence: it."""
    table = instructions(image)
    found = _matching(table, instruction)
    if len(found) == 1 and found[0].index is not None:
        return Checked(evidence=found[0])
    if len(found) == 1:
        finding = Finding(
            what=f"{clip(found[0].text, 60)} made no layer in {name_of(image)}",
            expected="a layer",
            found="metadata only",
            why="instructions that change no file are written to the image's configuration alone",
            hint="only RUN, COPY, ADD and (with BuildKit) WORKDIR make layers",
        )
    elif found:
        finding = Finding(
            what=f"{len(found)} instructions of {name_of(image)} match",
            expected=f"one with {wanted(instruction)}",
            found=listing(found),
            why="the base's instructions are in the history, too",
            hint="give more of the instruction's text, or a pattern that fits only one",
        )
    else:
        finding = _no_such(image, table, instruction)
    return Checked(evidence=None, findings=(finding,))


def no_layer_of(image: Image, instruction: Expected) -> Checked[tuple[LayerInstruction, ...]]:
    """At least one instruction matches, and none that does made a layer. Evidence: they."""
    table = instructions(image)
    found = _matching(table, instruction)
    made = [row for row in found if row.index is not None]
    if found and not made:
        return Checked(evidence=found)
    if not found:
        return Checked(evidence=(), findings=(_no_such(image, table, instruction),))
    finding = Finding(
        what=f"{clip(made[0].text, 60)} made a layer in {name_of(image)}",
        where=f"layer {(made[0].index or 0) + 1} of {len(image.layers)}",
        expected="metadata only",
        found=listing(made),
        why="RUN, COPY and ADD always make a layer; ENV, LABEL, CMD, USER, EXPOSE and the like never do",
        hint="look for a RUN where an ENV or LABEL was meant",
    )
    return Checked(evidence=found, findings=(finding,))


def _matching(table: tuple[LayerInstruction, ...], instruction: Expected) -> tuple[LayerInstruction, ...]:
    return tuple(row for row in table if matches(instruction, row.text) or matches(instruction, row.entry.created_by))


def _no_such(image: Image, table: tuple[LayerInstruction, ...], instruction: Expected) -> Finding:
    return Finding(
        what=f"no instruction of {name_of(image)} matches",
        expected=f"an instruction with {wanted(instruction)}",
        found=listing((clip(row.text, 90) for row in reversed(table)), 10),
        why="the history records instructions with ENV and ARG values put in, newest first above",
        hint="compare the text with the lines above (docker history --no-trunc shows them as well)",
    )


def image_size(image: Image, at_most: str | int) -> Checked[int]:
    """The image takes at most so many bytes, as its source counts them. Evidence: its size in bytes."""
    limit = to_bytes(at_most)
    if image.size <= limit:
        return Checked(evidence=image.size)
    biggest = sorted((entry for entry in image.history if entry.size), key=lambda entry: -(entry.size or 0))
    rows = [f"{human_bytes(entry.size or 0)}: {clip(instruction_text(entry), 70)}" for entry in biggest]
    finding = Finding(
        what=f"{name_of(image)} is {human_bytes(image.size)}",
        expected=f"at most {human_bytes(limit)}",
        found=f"{human_bytes(image.size)}" + (f"; largest:\n{listing(rows, 5)}" if rows else ""),
        why="every machine that runs the image downloads and stores this",
        hint="a slim base, --no-install-recommends, pip --no-cache-dir and cleaning up in the same RUN help",
    )
    return Checked(evidence=image.size, findings=(finding,))
