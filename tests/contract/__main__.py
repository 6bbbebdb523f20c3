"""The tutorials' suite, or a part of it, on engines of other Debian suites; ends with a table.

    python -m tests.contract [--engines all|docker-28.5,podman-5.4,…] [pytest's arguments]

Each engine runs beside whatever runs here, from a root file system of its own (made once, kept in the cache).
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from tests.contract.engines import ENGINES, Edition, chosen
from tests.contract.roots import Unavailable, root_of
from tests.contract.started import environment_with

ROOT = Path(__file__).parents[2]
# What differs between engines, and takes a minute: the rest of the suite is in tests/tutorial.
MODULES = ("test_a_layers", "test_a_cache", "test_b_containers", "test_b_images", "test_b_limits", "test_b_terminal")


def run(edition: Edition, arguments: list[str]) -> str:
    """pytest's closing line, or why there is none."""
    try:
        with environment_with(edition, root_of(edition, lambda line: print(f"· {line}", flush=True))) as environ:
            command = [sys.executable, "-m", "pytest", "-q", "-p", "dockerlab", *arguments]
            done = subprocess.run(
                command, cwd=ROOT, env={**os.environ, **environ}, stdout=subprocess.PIPE, text=True, check=False
            )
    except Unavailable as error:
        return f"unavailable: {error}"
    print(done.stdout, flush=True)
    closing = re.findall(r"^=*\s*(\d+ (?:passed|failed|error|skipped).*?)\s*=*$", done.stdout, re.MULTILINE)
    return closing[-1] if closing else f"ended with {done.returncode}"


def main() -> int:
    """The command. Returns 1 unless every engine is green."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default="all", help=f"all, ci, or some of {', '.join(ENGINES)}")
    known, arguments = parser.parse_known_args()
    arguments = arguments or [f"tests/tutorial/{name}.py" for name in MODULES]
    results = {}
    for edition in chosen(known.engines):
        print(f"\n== {edition.name}", flush=True)
        results[edition.name] = run(edition, arguments)
    width = max(map(len, results))
    print("\n" + "\n".join(f"{name:{width}}  {said}" for name, said in results.items()))
    return (
        0 if all("passed" in said and "failed" not in said and "error" not in said for said in results.values()) else 1
    )


if __name__ == "__main__":
    sys.exit(main())
