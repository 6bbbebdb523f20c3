"""Archives: an image that was saved and loaded is the same image."""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_dockerlab import Build, Image, Lab, LabError, NotFound, assert_file
from pytest_dockerlab.image.archive import open_image

pytestmark = pytest.mark.proves("save/load")


@pytest.fixture
def build(lab: Lab) -> Build:
    return lab.build("FROM alpine\nRUN echo kept > /kept\nENV COLOUR=blue\n", tag="contract-archive:1.0")


def test_a_saved_image_comes_back(lab: Lab, build: Build, tmp_path: Path) -> None:
    """An image that was saved, removed and loaded has its name, layers and configuration."""
    (tmp_path / "saved.tar").write_bytes(b"".join(lab.engine.images.save("contract-archive:1.0")))
    lab.engine.images.remove("contract-archive:1.0", force=True)
    with pytest.raises(NotFound):
        lab.engine.images.get("contract-archive:1.0")
    loaded = lab.load(tmp_path / "saved.tar")
    assert "contract-archive:1.0" in loaded.tags
    assert loaded.layers == build.image.layers
    assert loaded.config == build.image.config
    assert_file(loaded, "/kept", "kept\n")


def test_an_archive_is_read_without_an_engine(lab: Lab, build: Build, tmp_path: Path, alpine: Image) -> None:
    """A saved archive shows the same layers, configuration and files without an engine."""
    read = open_image(lab.save(build, tmp_path / "saved.tar"))
    assert read.layers == build.image.layers
    assert read.layers[:-1] == alpine.layers
    assert read.config.env["COLOUR"] == "blue"
    assert_file(read, "/kept", "kept\n")


def test_what_is_no_archive_is_refused(lab: Lab, tmp_path: Path) -> None:
    """A file that is no archive is refused."""
    (tmp_path / "no.tar").write_bytes(b"not an archive" * 1000)
    with pytest.raises(LabError, match="load"):
        lab.load(tmp_path / "no.tar")
