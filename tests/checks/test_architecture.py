"""What an image's programs are made for, on hand-made images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_dockerlab.bases.hello import hello_program
from pytest_dockerlab.checks.architecture import as_it_says, native, program_of
from pytest_dockerlab.findings import CheckFailed, demand
from pytest_dockerlab.image.archive import open_image
from pytest_dockerlab.image.model import FileKind, Image
from pytest_dockerlab.image.random import MadeFile, MadeImage, MadeStep
from pytest_dockerlab.platforms import Platform

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
OF = "image shop:1"


def image(folder: Path, *files: MadeFile, platform: Platform = AMD64, **config: Any) -> Image:
    made = MadeImage(steps=(MadeStep(files=files),), platform=platform, tags=("shop:1",), config=config)
    path = folder / "image.tar"
    path.write_bytes(made.docker_save())
    return open_image(path)


def program(path: str, platform: Platform = ARM64) -> MadeFile:
    return MadeFile(path=path, content=hello_program(platform), mode=0o755)


def test_the_shell_speaks_for_an_image(tmp_path: Path) -> None:
    """Through the links by which it is found."""
    link = MadeFile(path="/bin", kind=FileKind.SYMLINK, link="usr/bin")
    shell = MadeFile(path="/usr/bin/sh", kind=FileKind.SYMLINK, link="dash")
    found = program_of(image(tmp_path, link, shell, program("/usr/bin/dash"), program("/opt/other", AMD64)))
    assert found is not None
    assert (found.path, found.elf.architecture) == ("/bin/sh", "arm64")


@pytest.mark.parametrize(
    ("config", "path"),
    [
        ({"Entrypoint": ["/app/run", "-v"], "Cmd": ["x"]}, "/app/run"),
        ({"Cmd": ["serve"], "Env": ["PATH=/nowhere:/srv"]}, "/srv/serve"),
        ({"Cmd": ["./here"], "WorkingDir": "/work"}, "/work/./here"),
        ({}, "/any/where"),
    ],
)
def test_without_a_shell_what_it_starts_does(tmp_path: Path, config: dict[str, Any], path: str) -> None:
    """By its whole path, by PATH or from its folder; at last any program that is there."""
    script = MadeFile(path="/a/script", content=b"#!/bin/sh\n", mode=0o755)
    found = program_of(image(tmp_path, script, program(path), **config))
    assert found is not None
    assert found.path == path


def test_of_files_alone_its_word_is_all_there_is(tmp_path: Path) -> None:
    """No program, no doubt."""
    files = image(tmp_path, MadeFile(path="/notes.txt", content=b"x"))
    assert program_of(files) is None
    assert demand(as_it_says(files, of=OF)) is None
    assert demand(native(files, AMD64, of=OF)) == AMD64
    assert program_of(Image(id="sha256:1", layers=())) is None


def test_an_image_that_is_not_what_it_says(tmp_path: Path) -> None:
    """The finding names what it says, and the program that says otherwise."""
    found = demand(as_it_says(image(tmp_path, program("/bin/sh"), platform=ARM64), of=OF))
    assert found is not None
    with pytest.raises(CheckFailed) as failed:
        demand(as_it_says(image(tmp_path, program("/bin/sh")), of=OF))
    assert "image shop:1 says that it is made for linux/amd64, and is not\n  where:    /bin/sh" in str(failed.value)
    assert "found:    /bin/sh is a program for arm64" in str(failed.value)


def test_what_is_emulated(tmp_path: Path) -> None:
    """What the programs are made for counts, not what the image says."""
    lying = image(tmp_path, program("/bin/sh"))
    assert demand(native(lying, ARM64, of=OF)) == ARM64
    with pytest.raises(CheckFailed, match="image shop:1 is built for arm64, running emulated on amd64"):
        demand(native(lying, AMD64, of=OF))
