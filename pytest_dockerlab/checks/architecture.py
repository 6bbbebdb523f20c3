"""For which processor an image's programs are really made: read from a program in it, not from what it says."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_dockerlab.errors import NotFound
from pytest_dockerlab.findings import Checked, Finding
from pytest_dockerlab.image.elf import Elf, read_elf
from pytest_dockerlab.image.model import FileKind, Image
from pytest_dockerlab.platforms import Platform, runs_on

__all__ = ["Program", "as_it_says", "native", "program_of"]

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# In nearly every image that has a system: the first that is there speaks for it.
_USUAL = ("/bin/sh", "/bin/busybox", "/usr/bin/env", "/bin/ls")
# Of an image with none of these, so many executables are looked at.
_MOST = 20


@dataclass(frozen=True, slots=True)
class Program:
    """A program of an image, and what its header says."""

    path: str
    elf: Elf


def program_of(image: Image) -> Program | None:
    """The program that speaks for an image: its shell, else what it starts, else any; ``None`` where none is found.

    A script is none. Of an image without programs its own word is all there is.
    """
    if image.files is None:
        return None
    tried = set()
    for path in (*_USUAL, *_started(image), *_executables(image)):
        if path not in tried and (elf := _elf(image, path)) is not None:
            return Program(path, elf)
        tried.add(path)
    return None


def _started(image: Image) -> Iterator[str]:
    words = (*(image.entrypoint or ()), *(image.cmd or ()))[:1]
    for word in words:
        if word.startswith("/"):
            yield word
        elif "/" in word:
            yield posixpath.join("/", image.config.workdir, word)
        else:
            yield from (f"{folder}/{word}" for folder in image.env.get("PATH", _PATH).split(":"))


def _executables(image: Image) -> Iterator[str]:
    """Of the lowest layers first. Reached only by images without a shell, which have few files."""
    assert image.files is not None
    found = 0
    for layer in image.files.layers():
        for entry in layer.files:
            if entry.kind is FileKind.FILE and entry.mode & 0o111 and entry.size:
                found += 1
                yield entry.path
            if found >= _MOST:
                return


def _elf(image: Image, path: str) -> Elf | None:
    assert image.files is not None
    try:
        return read_elf(image.files.read(path))
    except NotFound:
        return None  # not there, or no file


def as_it_says(image: Image, *, of: str) -> Checked[Program | None]:
    """The image's programs are made for the architecture that its configuration names. Evidence: the program."""
    program = program_of(image)
    if program is None or program.elf.architecture == image.platform.architecture:
        return Checked(evidence=program)
    finding = Finding(
        what=f"{of} says that it is made for {image.platform}, and is not",
        where=program.path,
        expected=f"programs for {image.platform.architecture}",
        found=f"{program.path} is a program for {program.elf.architecture}",
        why="engines believe the configuration: they pull and start it where its programs can't run",
        hint="build it from a base for that platform; a file tree that was imported says what its importer said "
        "(docker import --platform)",
    )
    return Checked(evidence=program, findings=(finding,))


def native(image: Image, engine: Platform, *, of: str) -> Checked[Platform]:
    """The engine's processor runs the image's programs itself. Evidence: what they are made for."""
    program = program_of(image)
    real = image.platform if program is None else Platform(image.platform.os, program.elf.architecture)
    # arm's variants and 386 are the engine's to judge: what its processor also knows can't be seen from here.
    if runs_on(real, engine):
        return Checked(evidence=real)
    finding = Finding(
        what=f"{of} is built for {real.architecture}, running emulated on {engine.architecture}",
        where="" if program is None else program.path,
        expected=str(engine),
        found=str(real),
        why="emulated programs are several times slower, can't be traced, and may lack what set-uid programs need",
        hint=f"pull or build it for {engine}: docker pull --platform {engine}, or FROM an image that exists for it",
    )
    return Checked(evidence=real, findings=(finding,))
