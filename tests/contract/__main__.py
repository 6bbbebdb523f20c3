"""The contract on real engines: what holds on every one of them, proven on each; ends with a table.

    python -m tests.contract [--engines all|ci|here|docker-28.5,podman-5.4,…] [--write] [pytest's options]
    python -m tests.contract --results DIR …           keeps each engine's results, as DIR/ENGINE.xml
    python -m tests.contract --results DIR --read …    runs nothing: the table of what is kept there

Each engine runs beside whatever runs here, from a root file system of its own (made once, kept in the cache); ``here``
is the engine that any run of tests would use. The few tests that fail are run a second time, one after the other: what
passes then is told as unsteady. Ends with 1 if a test failed, or was skipped for want of something that the engine is
known to have; or if an engine can't be had here, but for ``ci`` on a machine that is not CI's: there it is told.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from tests.contract.engines import ENGINES, chosen
from tests.contract.tables import markdown, replaced, terminal
from tests.contract.trial import ROOT, kept, tried

PAGE = ROOT / "docs" / "engines.md"


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
                columns.append(kept(edition, folder))
            else:
                print(f"\n== {edition.name}", flush=True)
                columns.append(tried(edition, folder, options, lambda line: print(f"· {line}", flush=True)))
    print(f"\n{terminal(columns)}\n")
    # A developer's machine may lack what an engine takes; one that was named is meant.
    lenient = known.engines == "ci" and not os.environ.get("CI")
    faults = {}
    for edition, column in zip(editions, columns, strict=True):
        if lenient and column.unavailable:
            print(f"{column.name}: not tried")
            continue
        faults[column.name] = column.faults(edition.lacks)
    for name, found in faults.items():
        print(f"{name}: {'holds' if not found else f'{len(found)} faults'}")
        for fault in found:
            print(f"  {fault}")
    if known.write:
        PAGE.write_text(replaced(PAGE.read_text(), markdown(columns, f"{datetime.now(timezone.utc):%Y-%m-%d}")))
    return 1 if any(faults.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
