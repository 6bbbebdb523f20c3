"""The program by which a platform is tried: it ends with the id of its effective user as exit code.

Made set-uid and started by another user, it tells two things at once: that the platform's programs run, and whether
such programs get their owner's rights. Written as machine code, since no compiler can be expected where tests run.
Numbers of the system calls (geteuid, exit): Linux ``unistd.h`` of each architecture.
"""

from __future__ import annotations

import struct

from pytest_dockerlab.image.elf import make_elf
from pytest_dockerlab.platforms import Platform

__all__ = ["USER", "trial_program"]

#: Who starts it; no other exit code that a failed start may give.
USER = 77

_CODE = {
    # mov eax, 107; syscall; mov edi, eax; mov eax, 60; syscall
    "amd64": bytes.fromhex("b86b0000000f0589c7b83c0000000f05"),
    # mov eax, 201; int 0x80; mov ebx, eax; mov eax, 1; int 0x80
    "386": bytes.fromhex("b8c9000000cd8089c3b801000000cd80"),
    # mov x8, #175; svc #0; mov x8, #93; svc #0
    "arm64": struct.pack("<4I", 0xD28015E8, 0xD4000001, 0xD2800BA8, 0xD4000001),
    # mov r7, #201; svc #0; mov r7, #1; svc #0
    "arm": struct.pack("<4I", 0xE3A070C9, 0xEF000000, 0xE3A07001, 0xEF000000),
    # li a7, 175; ecall; li a7, 93; ecall
    "riscv64": struct.pack("<4I", 0x0AF00893, 0x00000073, 0x05D00893, 0x00000073),
    # li r0, 49; sc; li r0, 1; sc
    "ppc64le": struct.pack("<4I", 0x38000031, 0x44000002, 0x38000001, 0x44000002),
    # svc 201; svc 1
    "s390x": bytes.fromhex("0ac90a01"),
}


def trial_program(platform: Platform) -> bytes | None:
    """The program for a platform, ``None`` where its machine code is not known here."""
    code = _CODE.get(platform.architecture) if platform.os == "linux" else None
    return None if code is None else make_elf(platform.architecture, code)
