"""For which machine a program is made, by its header."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_dockerlab.bases.hello import hello_program
from pytest_dockerlab.image.elf import read_elf
from pytest_dockerlab.platforms import Platform


def header(machine: int, *, bits: int = 2, little: bool = True) -> bytes:
    """The first 64 bytes of a program, with no program headers."""
    order = "<" if little else ">"
    return (b"\x7fELF" + bytes((bits, 1 if little else 2, 1)) + bytes(9) + struct.pack(f"{order}HH", 2, machine)).ljust(
        64, b"\0"
    )


@pytest.mark.parametrize(
    ("content", "architecture"),
    [
        (header(62), "amd64"),
        (header(183), "arm64"),
        (header(40, bits=1), "arm"),
        (header(3, bits=1), "386"),
        (header(22, little=False), "s390x"),
        (header(21), "ppc64le"),
        (header(21, little=False), "ppc64"),
        (header(243), "riscv64"),
        (header(9999), "machine-9999"),
    ],
)
def test_a_header_names_the_machine(content: bytes, architecture: str) -> None:
    """In both classes and byte orders; one that is not known here keeps its number."""
    found = read_elf(content)
    assert found is not None
    assert (found.architecture, found.static) == (architecture, False)
    assert found.platform == Platform("linux", architecture)


@pytest.mark.parametrize("content", [b"", b"#!/bin/sh\n", header(62)[:63], b"\x7fELF\x07" + bytes(60), bytes(200)])
def test_what_is_no_program_has_no_machine(content: bytes) -> None:
    """A script, a file that is too short, a class that does not exist."""
    assert read_elf(content) is None


def test_a_program_that_needs_no_loader_is_static() -> None:
    """Told by its program headers, where they are there."""
    found = read_elf(hello_program(Platform("linux", "arm64")))
    assert found is not None
    assert (found.architecture, found.static) == ("arm64", True)
    python = read_elf(Path(sys.executable).resolve().read_bytes())
    assert python is not None
    assert python.architecture == Platform.of_host().architecture
    assert not python.static


def test_headers_that_lie_beyond_the_file_are_not_believed() -> None:
    """A table of programs that is not there says nothing."""
    content = bytearray(header(62))
    struct.pack_into("<Q", content, 32, 1 << 60)
    struct.pack_into("<HH", content, 54, 56, 3)
    found = read_elf(bytes(content))
    assert found is not None
    assert not found.static


@given(st.binary(min_size=60, max_size=400))
def test_any_header_is_read_or_none(content: bytes) -> None:
    """Whatever stands behind the first four bytes."""
    found = read_elf(b"\x7fELF" + content)
    assert found is None or found.architecture
