"""Two errands of dockerd in C: see shortcut.c, which is compiled once and then kept in the cache."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from pytest_dockerlab.places import cache_dir

__all__ = ["SOURCE", "compiled", "install"]

SOURCE = Path(__file__).with_name("shortcut.c")


def compiled() -> Path | str:
    """The library, made if need be, or why there is none."""
    source = SOURCE.read_bytes()
    key = hashlib.sha256(source + platform.machine().encode() + platform.libc_ver()[1].encode()).hexdigest()[:16]
    library = cache_dir() / "tools" / f"shortcut-{key}.so"
    if library.exists():
        return library
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return "no C compiler (cc) is installed"
    library.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=library.parent) as folder:
        draft = Path(folder) / library.name
        command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(draft), str(SOURCE)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except (OSError, subprocess.SubprocessError) as error:
            return f"{compiler}: {error}"
        if done.returncode:
            return f"{compiler}: {(done.stderr.strip().splitlines() or ['it failed'])[0]}"
        draft.replace(library)
    return library


def install(folder: Path) -> Path | str:
    """A copy of the library in ``folder`` that this machine's programs load, or why there is none.

    A copy: somebody may clear the cache while an engine runs.
    """
    library = compiled()
    if isinstance(library, str):
        return library
    copy = folder / "shortcut.so"
    if any(letter in str(copy) for letter in ": "):
        return f"LD_PRELOAD can't hold the path {copy}"  # ld.so(8): they separate its entries
    shutil.copyfile(library, copy)
    program = shutil.which("true") or "true"
    # Where it can't be loaded (a file system without exec, another C library), each program would say so.
    done = subprocess.run(
        [program], env={**os.environ, "LD_PRELOAD": str(copy)}, capture_output=True, text=True, check=False, timeout=30
    )
    if done.returncode or done.stderr:
        return done.stderr.strip() or f"{program} fails with it"
    return copy
