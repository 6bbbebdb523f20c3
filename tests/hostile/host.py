"""What is on a machine and on one engine of it, so that two looks can be compared."""

from __future__ import annotations

import contextlib
import hashlib
import stat
import subprocess
from pathlib import Path
from typing import Any

from pytest_dockerlab.engine.engine import Engine
from pytest_dockerlab.engine.private.cleaning import mounts_under
from pytest_dockerlab.engine.private.slots import Slot
from pytest_dockerlab.engine.processes import engine_processes

__all__ = ["look"]

_FILES = ("sudoers", "crontab", "hosts", "resolv.conf", "ld.so.preload", "profile", "environment")


def look(engine: Engine, slot: Slot, *folders: Path) -> dict[str, Any]:
    """What has to be the same before and after.

    Args:
        slot: of the engine. Other engines and people work on the machine, too: of processes, mounts, rules and
            control groups those are looked at which belong to this one.
        folders: of which every file is looked at.
    """
    rules = [subprocess.run(["iptables", "-t", table, "-S"], capture_output=True, text=True, check=True).stdout
             for table in ("filter", "nat", "mangle", "raw")]  # fmt: skip
    return {
        "images": sorted((image.id, *sorted(image.tags)) for image in engine.images.list()),
        "containers": engine.api.json("GET", "/containers/json", params={"all": "1"}),
        "volumes": engine.api.json("GET", "/volumes").get("Volumes") or [],
        "networks": sorted(each["Name"] for each in engine.api.json("GET", "/networks")),
        "processes": sorted(engine_processes(slot.run)),
        "in its control groups": _in_groups(slot.cgroup),
        "control groups": sorted(
            str(path) for top in Path("/sys/fs/cgroup").glob(f"*/{slot.cgroup}") for path in top.rglob("*")
            if path.is_dir() and path.name != "buildkit"
        ),
        "mounts": mounts_under(slot.run, slot.cache),
        "rules": [line for text in rules for line in text.splitlines() if slot.comment in line or line[:2] == "-P"],
        "bridges": sorted(path.parent.name for path in Path("/sys/class/net").glob("*/bridge")
                          if path.parent.name == slot.bridge),
        "system": {name: _digest(Path("/etc", name)) for name in _FILES},
        "roots of the system": _roots(),
        "roots": sorted(path.name for path in Path("/").iterdir()),
        "files": {str(path): _digest(path) for folder in folders for path in sorted(folder.rglob("*"))},
    }  # fmt: skip


def _in_groups(name: str) -> list[str]:
    found = set()
    for top in (*Path("/sys/fs/cgroup").glob(f"*/{name}"), Path("/sys/fs/cgroup", name)):
        for file in top.rglob("cgroup.procs"):
            with contextlib.suppress(OSError):  # the group has gone
                found.update(file.read_text().split())
    return sorted(found)


def _roots() -> list[str]:
    """Who is root, and root's password: a package that is installed meanwhile may well have a user of its own."""
    users = Path("/etc/passwd").read_text().splitlines()
    names = [line.split(":")[0] for line in users if line.split(":")[2] == "0"]
    secrets = [line for line in Path("/etc/shadow").read_text().splitlines() if line.split(":")[0] in names]
    return [*(line for line in users if line.split(":")[0] in names), *map(_text_digest, secrets)]


def _text_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _digest(path: Path) -> str:
    found = path.lstat() if path.is_symlink() or path.exists() else None
    if found is None:
        return "none"
    text = f"{found.st_mode:o} {found.st_uid} {found.st_gid} {found.st_mtime_ns}"
    small = stat.S_ISREG(found.st_mode) and found.st_size < 1 << 20
    return f"{text} {hashlib.sha256(path.read_bytes()).hexdigest()}" if small else text
