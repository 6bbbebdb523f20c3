"""Emulators of this machine's kernel: ``binfmt_misc`` (kernel.org/doc, admin-guide/binfmt-misc)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["FOLDER", "Emulator", "emulator"]

FOLDER = Path("/proc/sys/fs/binfmt_misc")
# ELF's e_machine, at bytes 18 and 19 of a program (elf(5)), as the matching rules spell it.
_MACHINES = {
    "386": "0300",
    "amd64": "3e00",
    "arm": "2800",
    "arm64": "b700",
    "loong64": "0201",
    "ppc64": "0015",
    "ppc64le": "1500",
    "riscv64": "f300",
    "s390x": "0016",
    "sparc64": "002b",
}


@dataclass(frozen=True, slots=True)
class Emulator:
    """Whether programs of an architecture run here, and why (not).

    Attributes:
        name: of the kernel's entry, ``""`` where there is none.
        set_uid: a set-uid program gets its owner's rights (flag C).
    """

    usable: bool
    reason: str
    name: str = ""
    set_uid: bool = False


def emulator(architecture: str, folder: Path = FOLDER) -> Emulator:
    """Look an architecture (Go's name) up in the kernel's list.

    An entry helps a container only with flag F: without it the emulator is looked up in
    the container's own files.
    """
    wanted = _MACHINES.get(architecture)
    if wanted is None:
        return Emulator(False, f"no known emulator for {architecture}")
    try:
        if (folder / "status").read_text().strip() != "enabled":
            return Emulator(False, f"{folder} is switched off")
        names = sorted(path for path in folder.iterdir() if path.name not in ("status", "register"))
    except OSError:
        return Emulator(False, f"{folder} is not mounted: `mount -t binfmt_misc binfmt_misc {folder}`")
    near = ""
    for path in names:
        lines = path.read_text(errors="replace").splitlines()
        fields = dict(line.partition(" ")[::2] for line in lines)
        magic = fields.get("magic", "")
        if not magic.startswith("7f454c46") or magic[36:40] != wanted:
            continue
        flags = fields.get("flags:", "")
        if lines[0] != "enabled":
            near = f"{path.name} is switched off"
        elif "F" not in flags:
            near = f"{path.name} lacks flag F, so that containers would need the emulator in their own files"
        else:
            return Emulator(True, f"the kernel runs it with {path.name}", path.name, set_uid="C" in flags)
    return Emulator(False, near or f"no emulator for {architecture} is registered: install qemu-user-static")
