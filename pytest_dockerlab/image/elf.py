"""Programs: for which processor one is made, by its own first bytes; and the smallest ones, made here.

Format: ELF (System V ABI, chapters 4 and 5; elf(5)); numbers of machines from ``linux/elf-em.h``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from pytest_dockerlab.platforms import Platform

__all__ = ["HEADER", "Elf", "body_address", "make_elf", "read_elf"]

#: So many bytes of a file are enough for ``read_elf`` to tell its machine.
HEADER = 64
_MAGIC = b"\x7fELF"
# e_machine → Go's name; where two systems differ in their byte order only: (name, of the little one).
_MACHINES = {
    3: "386", 8: "mips", 20: "ppc", 21: "ppc64", 22: "s390x", 40: "arm", 62: "amd64", 183: "arm64", 243: "riscv64",
    258: "loong64",
}  # fmt: skip
_LITTLE = {"ppc64": "ppc64le", "mips": "mipsle"}
_PT_INTERP = 3
_PT_LOAD, _READ_AND_EXECUTE = 1, 5
_BASE = 0x400000
_PAGE = 0x10000  # arm64 and ppc64le kernels may use pages of 64 KiB
# e_flags: arm's EABI version 5, ppc64's second ABI.
_FLAGS = {"arm": 0x05000000, "ppc64le": 2}
_NARROW, _BIG = ("386", "arm"), ("s390x",)
# (e_phoff's, e_phentsize's and e_phnum's format and place) of a class.
_TABLES = {1: ("I", 28, 42), 2: ("Q", 32, 54)}


@dataclass(frozen=True, slots=True)
class Elf:
    """What a program's header says.

    Attributes:
        architecture: Go's name of its machine, ``machine-NUMBER`` where that is not known here.
        static: needs no loader; ``False`` also where only the header was there to be read.
    """

    architecture: str
    static: bool

    @property
    def platform(self) -> Platform:
        """What it is made for, as far as it says: no variant."""
        return Platform("linux", self.architecture)


def read_elf(content: bytes) -> Elf | None:
    """The header of a program, ``None`` for what is none.

    Args:
        content: the file, or its first bytes (at least ``HEADER``).
    """
    if content[:4] != _MAGIC or len(content) < HEADER or content[4] not in _TABLES or content[5] not in (1, 2):
        return None
    order = "<" if content[5] == 1 else ">"
    (machine,) = struct.unpack_from(f"{order}H", content, 18)
    name = _MACHINES.get(machine, f"machine-{machine}")
    return Elf(_LITTLE.get(name, name) if order == "<" else name, static=_static(content, order))


def _static(content: bytes, order: str) -> bool:
    kind, at, sizes = _TABLES[content[4]]
    (offset,) = struct.unpack_from(order + kind, content, at)
    size, count = struct.unpack_from(f"{order}HH", content, sizes)
    if not count or offset + size * count > len(content):
        return False
    kinds = (struct.unpack_from(f"{order}I", content, offset + number * size)[0] for number in range(count))
    return size >= 4 and _PT_INTERP not in kinds


def body_address(architecture: str) -> int:
    """Where the body of a program that ``make_elf`` makes will lie in memory; its first instruction is there."""
    return _BASE + (52 + 32 if architecture in _NARROW else 64 + 56)


def make_elf(architecture: str, body: bytes) -> bytes:
    """A static program of one segment: headers, machine code, and what that code needs.

    Args:
        architecture: Go's name.
        body: starts with the first instruction.
    """
    number = next(
        number for number, name in _MACHINES.items() if name in (architecture, architecture.removesuffix("le"))
    )
    order = ">" if architecture in _BIG else "<"
    narrow, entry = architecture in _NARROW, body_address(architecture)
    start = entry - _BASE
    size = start + len(body)
    ident = _MAGIC + bytes((1 if narrow else 2, 2 if order == ">" else 1, 1)) + bytes(9)
    head, part = (52, 32) if narrow else (64, 56)
    word = "I" if narrow else "Q"
    header = ident + struct.pack(
        f"{order}HHI3{word}IHHHHHH", 2, number, 1, entry, head, 0, _FLAGS.get(architecture, 0), head, part, 1, 0, 0, 0
    )
    if narrow:
        segment = struct.pack(f"{order}8I", _PT_LOAD, 0, _BASE, _BASE, size, size, _READ_AND_EXECUTE, _PAGE)
    else:
        segment = struct.pack(f"{order}2I6Q", _PT_LOAD, _READ_AND_EXECUTE, 0, _BASE, _BASE, size, size, _PAGE)
    return header + segment + body
