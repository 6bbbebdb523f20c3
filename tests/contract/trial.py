"""One engine's contract: its tests are run, the few that fail a second time, and what came of them is kept and read."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tests import twice
from tests.contract.engines import HERE, Edition
from tests.contract.results import Column, read_column, settled
from tests.contract.roots import Unavailable, root_of
from tests.contract.started import environment_with

__all__ = ["kept", "tried"]

ROOT = Path(__file__).parents[2]
# One by one: the run of all tests passes the folder by.
MODULES = sorted(str(path.relative_to(ROOT)) for path in Path(__file__).parent.glob("suite/test_*.py"))


def tried(edition: Edition, folder: Path, options: Sequence[str], say: Callable[[str], None]) -> Column:
    """One engine's column, of its tests that are run now; its results are kept in the folder.

    Args:
        options: pytest's.
        say: prints a line.
    """
    if edition.name == HERE:
        return _tested(edition, folder, {}, options, say)
    try:
        root = root_of(edition, say)
        with environment_with(edition, root, say) as environ:
            return _tested(edition, folder, environ, options, say)
    except Unavailable as error:
        return Column(name=edition.name, unavailable=str(error))


def _tested(
    edition: Edition, folder: Path, environ: Mapping[str, str], options: Sequence[str], say: Callable[[str], None]
) -> Column:
    looks = _looks(edition, folder)
    for xml in looks:
        xml.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(prefix="dockerlab-contract-") as cache:
        # Most of the time goes by in the engine, waiting: two at once take little more than one.
        arguments = ["-q", "-p", "dockerlab", "-o", f"cache_dir={cache}", "-n2", "--dist=loadfile", "--tb=short"]
        reports = iter(looks)

        def pytest(arguments: Sequence[str]) -> int:
            command = [sys.executable, "-m", "pytest", *arguments, f"--junitxml={next(reports)}"]
            # What it lacks is judged by the column, where it is known what it may lack.
            environment = {**os.environ, "DOCKERLAB_STRICT": "0", **environ}
            return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode

        code = twice.run(
            [*arguments, *options, *MODULES], pytest=pytest, failures=lambda: twice.failed(Path(cache)), say=say
        )
    column = kept(edition, folder)
    # 1 is failed tests, which the column tells; all else is that the run itself went wrong.
    return column if code in (0, 1) else replace(column, trouble=f"pytest ended with {code}")


def kept(edition: Edition, folder: Path) -> Column:
    """One engine's column, of what an earlier run kept in the folder."""
    columns = [read_column(edition.name, xml.read_bytes()) for xml in _looks(edition, folder) if xml.exists()]
    if not columns:
        return Column(name=edition.name, trouble="not run")
    first, *again = columns
    return settled(first, again[0]) if again else first


def _looks(edition: Edition, folder: Path) -> tuple[Path, Path]:
    return folder / f"{edition.name}.xml", folder / f"{edition.name}-again.xml"
