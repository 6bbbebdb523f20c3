"""The contract on real engines: what holds on every one of them, proven on each; ends with a table.

    python -m tests.contract [--engines all|ci|here|docker-28.5,podman-5.4,…] [--write] [pytest's options]
    python -m tests.contract --results DIR …           keeps each engine's results, as DIR/ENGINE.xml
    python -m tests.contract --results DIR --read …    runs nothing: the table of what is kept there

Each engine runs beside whatever runs here, from a root file system of its own (made once, kept in the cache); ``here``
is the engine that any run of tests would use. Ends with 1 if a test failed, or was skipped for want of something that
the engine is known to have.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from tests.contract.engines import ENGINES, HERE, Edition, chosen
from tests.contract.results import Column, read_column
from tests.contract.roots import Unavailable, root_of
from tests.contract.started import environment_with
from tests.contract.tables import markdown, replaced, terminal

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "engines.md"
# One by one: the run of all tests passes the folder by.
MODULES = sorted(str(path.relative_to(ROOT)) for path in Path(__file__).parent.glob("suite/test_*.py"))


def run(edition: Edition, folder: Path, options: list[str]) -> Column:
    """One engine's column; its results are kept in the folder."""
    if edition.name == HERE:
        return _tested(edition, folder, {}, options)
    try:
        root = root_of(edition, lambda line: print(f"· {line}", flush=True))
        with environment_with(edition, root) as environ:
            return _tested(edition, folder, environ, options)
    except Unavailable as error:
        return Column(name=edition.name, trouble=f"unavailable: {error}")


def _tested(edition: Edition, folder: Path, environ: Mapping[str, str], options: list[str]) -> Column:
    xml = folder / f"{edition.name}.xml"
    xml.unlink(missing_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "dockerlab", "-p", "no:cacheprovider"]
    # Most of the time goes by in the engine, waiting: two at once take little more than one.
    command += ["-n2", "--dist=loadfile", "--tb=short", f"--junitxml={xml}", *options, *MODULES]
    # What it lacks is judged here, where it is known what it may lack.
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, "DOCKERLAB_STRICT": "0", **environ}, check=False)
    column = _read(edition, folder)
    # 1 is failed tests, which the column tells; all else is that the run itself went wrong.
    return column if done.returncode in (0, 1) else replace(column, trouble=f"pytest ended with {done.returncode}")


def _read(edition: Edition, folder: Path) -> Column:
    xml = folder / f"{edition.name}.xml"
    return read_column(edition.name, xml.read_bytes()) if xml.exists() else Column(name=edition.name, trouble="not run")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.contract", description=__doc__.splitlines()[0])
    parser.add_argument("--engines", default="all", help=f"all, ci, here, or some of {', '.join(ENGINES)}")
    parser.add_argument("--write", action="store_true", help=f"write the tables of {PAGE.relative_to(ROOT)} anew")
    parser.add_argument("--results", type=Path, metavar="DIR", help="keep each engine's results there")
    parser.add_argument("--read", action="store_true", help="run nothing: the table of what --results kept")
    known, options = parser.parse_known_args()
    if known.read and known.results is None:
        parser.error("--read wants --results DIR")
    editions = chosen(known.engines)
    columns = []
    with tempfile.TemporaryDirectory(prefix="dockerlab-contract-") as passing:
        folder = (known.results or Path(passing)).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        for edition in editions:
            if known.read:
                columns.append(_read(edition, folder))
            else:
                print(f"\n== {edition.name}", flush=True)
                columns.append(run(edition, folder, options))
    print(f"\n{terminal(columns)}\n")
    faults = {column.name: column.faults(edition.lacks) for edition, column in zip(editions, columns, strict=True)}
    for name, found in faults.items():
        print(f"{name}: {'holds' if not found else f'{len(found)} faults'}")
        for fault in found:
            print(f"  {fault}")
    if known.write:
        PAGE.write_text(replaced(PAGE.read_text(), markdown(columns, f"{datetime.now(timezone.utc):%Y-%m-%d}")))
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
