"""Installers in hand-made images, and their names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import pytest

from pytest_dockerlab.checks.installer import fits_platform, left_in_no_layer
from pytest_dockerlab.errors import NotFound, UsageError
from pytest_dockerlab.findings import CheckFailed, demand
from pytest_dockerlab.image.model import FileKind, FileStat, HistoryEntry, Image, LayerFiles, Readable
from pytest_dockerlab.platforms import Platform

NAME = "Anaconda3-2021.05-Linux-x86_64.sh"
MARK = b"# NAME:  Anaconda3\n"
INSTALLER = b"#!/bin/sh\n" + MARK + bytes(2000)


@dataclass
class Files:
    """Layers given as path → content; ``None`` deletes the path."""

    tree: tuple[dict[str, bytes | None], ...]

    def stat(self, path: str) -> FileStat:
        raise NotFound(path)

    def read(self, path: str) -> bytes:
        raise NotFound(path)

    def history(self) -> tuple[HistoryEntry, ...]:
        return ()

    def layers(self) -> tuple[LayerFiles, ...]:
        return tuple(
            LayerFiles(
                diff_id="",
                files=tuple(entry(path, data) for path, data in layer.items() if data is not None),
                deleted=tuple(path for path, data in layer.items() if data is None),
            )
            for layer in self.tree
        )

    def contents(self, first_layer: int = 0) -> Iterator[tuple[int, FileStat, Readable]]:
        for index, layer in enumerate(self.tree):
            for path, data in layer.items():
                if data is not None and index >= first_layer:
                    yield index, entry(path, data), BytesIO(data)


def entry(path: str, data: bytes) -> FileStat:
    return FileStat(path=path, kind=FileKind.FILE, mode=0o644, size=len(data))


def image(*tree: dict[str, bytes | None]) -> Image:
    return Image(id="made", tags=("made:1",), layers=tuple(str(n) for n in range(len(tree))), files=Files(tree))


def test_an_installer_that_is_nowhere() -> None:
    """The evidence is how many files were looked at."""
    clean = image({"/etc/os-release": b"x"}, {"/opt/python": b"y", "/opt/pip": b"z"})
    assert demand(left_in_no_layer(clean, NAME, size=len(INSTALLER), mark=MARK)) == 3


@pytest.mark.parametrize("gone", ["/opt", f"/opt/{NAME}"])
def test_one_that_was_deleted_later_is_found_by_its_name(gone: str) -> None:
    """With its layer and the one that deletes it, or its folder."""
    wrong = image({"/etc/os-release": b"x"}, {f"/opt/{NAME}": INSTALLER}, {gone: None})
    with pytest.raises(CheckFailed, match=rf"(?s)carries the installer {NAME}.*layer 2 of 3.*deleted in layer 3\)"):
        demand(left_in_no_layer(wrong, NAME))


def test_one_that_is_still_there_is_not_called_deleted() -> None:
    """A folder that only begins alike does not hide it."""
    wrong = image({f"/opt/{NAME}": INSTALLER}, {"/op": None})
    with pytest.raises(CheckFailed, match=rf"2\.0 KiB /opt/{NAME} \(in layer 1\)"):
        demand(left_in_no_layer(wrong, NAME))


def test_one_under_another_name_is_found_by_its_traits() -> None:
    """By its size, or by how it begins; by its name alone it is not."""
    wrong = image({"/usr/lib/kept": INSTALLER})
    demand(left_in_no_layer(wrong, NAME))
    for checked in (left_in_no_layer(wrong, NAME, size=len(INSTALLER)), left_in_no_layer(wrong, NAME, mark=MARK)):
        assert "/usr/lib/kept" in checked.findings[0].found


def test_layers_of_the_base_can_be_left_out() -> None:
    """They are somebody else's."""
    demand(left_in_no_layer(image({f"/{NAME}": INSTALLER}, {"/a": b"a"}), NAME, first_layer=1))


def test_an_image_without_files_can_not_be_judged() -> None:
    """It is said what to do."""
    with pytest.raises(UsageError, match=r"no files to look at[\s\S]*archive"):
        left_in_no_layer(Image(id="bare", layers=()), NAME)


@pytest.mark.parametrize(
    ("name", "platform"),
    [
        (NAME, "linux/amd64"),
        (f"https://example.org/archive/{NAME}", "linux/amd64"),
        ("Miniconda3-latest-Linux-aarch64.sh", "linux/arm64/v8"),
        ("Miniconda3-latest-Linux-s390x.sh", "linux/s390x"),
    ],
)
def test_an_installer_for_the_platform(name: str, platform: str) -> None:
    """Its name says so."""
    assert demand(fits_platform(name, Platform.parse(platform))) in name


def test_an_installer_for_another_platform() -> None:
    """Both platforms are named, and the name that would be right."""
    with pytest.raises(CheckFailed) as caught:
        demand(fits_platform(f"https://example.org/archive/{NAME}", Platform.parse("linux/arm64")))
    text = str(caught.value)
    assert re.search(rf"{NAME} is made for linux/amd64, and the image for linux/arm64", text)
    assert "--build-arg INSTALLER_URL=…/Anaconda3-2021.05-Linux-aarch64.sh" in text


def test_an_installer_for_a_mac() -> None:
    """The same processor does not make it fit."""
    with pytest.raises(CheckFailed, match=r"made for darwin/amd64[\s\S]*one for x86_64 under MacOSX"):
        demand(fits_platform("Anaconda3-2021.05-MacOSX-x86_64.sh", Platform.parse("linux/amd64")))


def test_a_name_that_does_not_tell() -> None:
    """It is no proof of anything."""
    with pytest.raises(UsageError, match=r"'setup\.sh' does not tell what it is made for"):
        fits_platform("https://example.org/setup.sh", Platform())
