"""The peers' own Python: a virtual environment of the benchmark's, made once and kept in the cache."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import venv
from pathlib import Path

from pytest_dockerlab.places import cache_dir

__all__ = ["REQUIREMENTS", "peers_python"]

REQUIREMENTS = Path(__file__).with_name("requirements.txt")


def peers_python() -> str:
    """Path of a Python that has them.

    Raises:
        CalledProcessError: pip could not install them; it has said why.
    """
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache_dir() / "benchmarks" / key
    python = folder / "bin/python"
    if not (folder / "done").exists():
        print("installing the peers ...", flush=True)
        venv.create(folder, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, "-r", str(REQUIREMENTS)], check=True)
        (folder / "done").touch()
    return str(python)
