"""The program of ``hello-world``: a static executable of one page, written byte by byte.

A stand-in for ``hello-world`` must have no shell and no library, and a compiler can't be
expected where tests run. So the ELF file is put together here: one header, one loadable
segment, two system calls. Layout: System V ABI (gABI chapter 4 and 5); numbers of the
system calls: Linux ``unistd.h`` of each architecture.
"""

from __future__ import annotations

import struct

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.image.elf import body_address, make_elf
from pytest_dockerlab.platforms import Platform

__all__ = ["GREETING", "hello_program"]

GREETING = """
Hello from Docker!
This message shows that your engine created a container and ran a program in it.

The image is pytest-dockerlab's stand-in for hello-world: it was made on this machine,
because the real one could not be pulled from Docker Hub, or was not wanted.
"""

_KNOWN = ("amd64", "arm64")


def hello_program(platform: Platform, message: str = GREETING) -> bytes:
    """An executable that writes ``message`` to its standard output and ends with 0.

    Raises:
        UsageError: no machine code is known here for this platform.
    """
    if platform.architecture not in _KNOWN or platform.os != "linux":
        known = ", ".join(f"linux/{name}" for name in _KNOWN)
        raise UsageError(f"no program for {platform} is known here", remedy=f"one of {known}")
    text = message.encode()
    code = _code(platform.architecture, len(text), 0)
    code = _code(platform.architecture, len(text), body_address(platform.architecture) + len(code))
    return make_elf(platform.architecture, code + text)


def _code(architecture: str, length: int, address: int) -> bytes:
    """``write(1, address, length); exit_group(0)``; its own length does not depend on the arguments."""
    if architecture == "amd64":
        return b"".join(
            (
                b"\xb8" + struct.pack("<I", 1),  # mov eax, write
                b"\xbf" + struct.pack("<I", 1),  # mov edi, 1
                b"\xbe" + struct.pack("<I", address),  # mov esi, address
                b"\xba" + struct.pack("<I", length),  # mov edx, length
                b"\x0f\x05",  # syscall
                b"\xb8" + struct.pack("<I", 231),  # mov eax, exit_group
                b"\x31\xff",  # xor edi, edi
                b"\x0f\x05",  # syscall
            )
        )

    def movz(register: int, value: int, shift: int = 0) -> int:
        return 0xD2800000 | (shift // 16) << 21 | (value & 0xFFFF) << 5 | register

    def movk(register: int, value: int, shift: int) -> int:
        return 0xF2800000 | (shift // 16) << 21 | (value & 0xFFFF) << 5 | register

    call = 0xD4000001  # svc #0
    words = (
        movz(0, 1),
        movz(1, address),
        movk(1, address >> 16, 16),
        movz(2, length),
        movz(8, 64),  # write
        call,
        movz(0, 0),
        movz(8, 94),  # exit_group
        call,
    )
    return struct.pack(f"<{len(words)}I", *words)
