"""Which instruction made which layer, from three builders' histories."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pytest_dockerlab.errors import FormatError
from pytest_dockerlab.image.instructions import instruction_of, layer_origins, with_empty_layers
from pytest_dockerlab.image.model import FileStat, HistoryEntry, Image, LayerFiles, Readable

BUILDKIT = "buildkit.dockerfile.v0"


def entry(created_by: str, *, comment: str = "", size: int | None = 0, empty: bool | None = None) -> HistoryEntry:
    return HistoryEntry(created_by=created_by, comment=comment, size=size, empty_layer=empty)


@pytest.mark.parametrize(
    ("created_by", "comment", "keyword", "text", "writer"),
    [
        ('/bin/sh -c #(nop)  CMD ["bash"]', "", "CMD", '["bash"]', "classic"),
        ("/bin/sh -c #(nop) WORKDIR /w", "", "WORKDIR", "/w", "classic"),
        ("/bin/sh -c #(nop) COPY file:2aae in /b.txt ", "", "COPY", "file:2aae in /b.txt", "classic"),
        ("/bin/sh -c apt-get update &&     x", "", "RUN", "apt-get update &&     x", "classic"),
        ("|1 WHO=world /bin/sh -c echo hi", "", "RUN", "echo hi", "classic"),
        ("/bin/bash -euc make", "", "RUN", "make", "classic"),
        ("RUN /bin/sh -c cat /b # buildkit", BUILDKIT, "RUN", "cat /b", "buildkit"),
        ("RUN |2 A=1 B=2 /bin/sh -c echo $A # buildkit", BUILDKIT, "RUN", "echo $A", "buildkit"),
        ("RUN /bin/tool --x # buildkit", BUILDKIT, "RUN", "/bin/tool --x", "buildkit"),
        ("COPY a /a # buildkit", BUILDKIT, "COPY", "a /a", "buildkit"),
        ("WORKDIR /w", BUILDKIT, "WORKDIR", "/w", "buildkit"),
        ('CMD ["x"]', BUILDKIT, "CMD", '["x"]', "buildkit"),
        ("", "Imported from -", "", "", "other"),
        ("# debian.sh --arch 'amd64' out/ 'bookworm'", "", "", "# debian.sh --arch 'amd64' out/ 'bookworm'", "other"),
    ],
)
def test_an_entry_is_read_in_each_builders_form(
    created_by: str, comment: str, keyword: str, text: str, writer: str
) -> None:
    """Keyword and text come out the same, whichever builder wrote the entry."""
    found = instruction_of(entry(created_by, comment=comment))
    assert (found.keyword, found.text, found.writer) == (keyword, text, writer)


def test_bytes_and_metadata_decide_without_the_config() -> None:
    """What added bytes made a layer, a CMD made none, BuildKit's RUN always made one."""
    history = [
        entry("", size=99),
        entry("/bin/sh -c #(nop)  ENV A=1"),
        entry("RUN /bin/sh -c true # buildkit", comment=BUILDKIT),
    ]
    assert [row.empty_layer for row in with_empty_layers(history, 2)] == [False, True, False]


@pytest.mark.parametrize(("layers", "expected"), [(1, True), (2, False)])
def test_the_number_of_layers_settles_a_doubt(layers: int, expected: bool) -> None:
    """A classic RUN without bytes made a layer exactly if a layer is otherwise unaccounted for."""
    history = [entry("", size=9), entry("/bin/sh -c true")]
    assert with_empty_layers(history, layers)[1].empty_layer is expected


def test_a_doubt_that_remains_is_none() -> None:
    """Two doubtful entries and one layer to give: neither is guessed."""
    history = [entry("", size=9), entry("/bin/sh -c true"), entry("/bin/sh -c #(nop) WORKDIR /w")]
    assert [row.empty_layer for row in with_empty_layers(history, 2)] == [False, None, None]


class SavedHistory:
    """Files that know nothing but the config's history."""

    def __init__(self, *history: HistoryEntry) -> None:
        self._history = history

    def history(self) -> tuple[HistoryEntry, ...]:
        return self._history

    def stat(self, path: str) -> FileStat:
        raise NotImplementedError

    def read(self, path: str) -> bytes:
        raise NotImplementedError

    def layers(self) -> tuple[LayerFiles, ...]:
        raise NotImplementedError

    def contents(self, first_layer: int = 0) -> Iterator[tuple[int, FileStat, Readable]]:
        raise NotImplementedError


def test_layers_get_their_instructions_in_order() -> None:
    """Entries that made no layer are skipped; each layer has its own instruction."""
    history = (entry("", size=9), entry("ENV A=1", comment=BUILDKIT), entry("COPY a /a # buildkit", comment=BUILDKIT))
    origins = layer_origins(Image(id="i", layers=("sha256:a", "sha256:b"), history=history))
    assert [(row.index, row.diff_id, str(row.instruction)) for row in origins] == [
        (0, "sha256:a", ""),
        (1, "sha256:b", "COPY a /a"),
    ]


def test_a_doubtful_history_is_settled_by_the_saved_config() -> None:
    """Only where the engine's history leaves a doubt is the saved config asked."""
    doubtful = (entry("", size=9), entry("/bin/sh -c true"), entry("/bin/sh -c #(nop) WORKDIR /w"))
    saved = SavedHistory(entry("base", empty=False), entry("true", empty=True), entry("WORKDIR /w", empty=False))
    image = Image(id="i", layers=("sha256:a", "sha256:b"), history=doubtful, files=saved)
    assert str(layer_origins(image)[1].instruction) == "WORKDIR /w"


def test_a_history_that_does_not_fit_is_an_error() -> None:
    """Three layers and one entry can't be matched, and the message has both numbers."""
    image = Image(id="sha256:abc", layers=("a", "b", "c"), history=(entry("", size=9),))
    with pytest.raises(FormatError, match="its history tells of 1 layers, it has 3"):
        layer_origins(image)
