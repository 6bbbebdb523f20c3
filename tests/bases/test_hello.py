"""The program of hello-world's stand-in."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from pytest_dockerlab.bases.hello import GREETING, hello_program
from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.platforms import Platform


def test_it_greets_and_says_what_it_is(tmp_path: Path) -> None:
    """Run on this machine, it prints the greeting of the real one, calls itself a stand-in, and ends with 0."""
    program = tmp_path / "hello"
    program.write_bytes(hello_program(Platform.of_host()))
    program.chmod(0o755)
    done = subprocess.run([program], capture_output=True, text=True, check=False, timeout=10)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == GREETING
    assert "Hello from Docker!" in done.stdout
    assert "stand-in" in done.stdout


@pytest.mark.parametrize(("architecture", "machine"), [("amd64", 62), ("arm64", 183)])
def test_its_headers_name_the_machine_and_cover_the_file(architecture: str, machine: int) -> None:
    """The ELF header names the architecture, and its one segment is the whole file with nothing to load it by."""
    program = hello_program(Platform("linux", architecture), "hi\n")
    assert program[:6] == b"\x7fELF\x02\x01"
    assert struct.unpack_from("<HH", program, 16) == (2, machine)
    (count,) = struct.unpack_from("<H", program, 56)
    kind, flags, _, base, _, file_size, size, _ = struct.unpack_from("<IIQQQQQQ", program, 64)
    (entry,) = struct.unpack_from("<Q", program, 24)
    assert (count, kind, flags) == (1, 1, 5)
    assert file_size == size == len(program)
    assert base <= entry < base + size
    assert program.endswith(b"hi\n")


def test_its_arm64_code_is_these_instructions() -> None:
    """Without an arm64 machine at hand, the code is held against words assembled by hand."""
    program = hello_program(Platform("linux", "arm64"), "hi\n")
    address = 0x400000 + len(program) - 3
    words = struct.unpack_from("<9I", program, 120)
    assert words[0] == 0xD2800020  # mov x0, #1
    assert words[1] == 0xD2800001 | (address & 0xFFFF) << 5  # mov x1, #low
    assert words[2] == 0xF2A00801  # movk x1, #0x40, lsl #16
    assert words[3:] == (0xD2800062, 0xD2800808, 0xD4000001, 0xD2800000, 0xD2800BC8, 0xD4000001)


def test_another_architecture_is_refused() -> None:
    """A platform without known machine code is an error that names those that have it."""
    with pytest.raises(
        UsageError, match=r"no program for linux/s390x is known here\n  → one of linux/amd64, linux/arm64"
    ):
        hello_program(Platform("linux", "s390x"))
