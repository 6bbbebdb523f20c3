"""Runs the tests; the few that fail are looked at a second time, one after the other, with the machine to themselves.

    python -m tests.twice [pytest's arguments]

Tests on a real engine share its machine with whatever else runs there. One that fails in the crowd and passes alone
is reported as unsteady, by name, and does not fail the run; one that fails twice does, and so do more than a few.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = ["MOST", "failed", "run"]

#: More failures than this are no chance.
MOST = 5
_FAILED = 1  # pytest.ExitCode.TESTS_FAILED: anything else ended the run before all tests were run
# Named, because tox would have it in its environment's folder.
_FOLDER = Path(".pytest_cache")
_LAST = Path("v/cache/lastfailed")


def run(
    arguments: Sequence[str],
    *,
    pytest: Callable[[Sequence[str]], int],
    failures: Callable[[], Sequence[str]],
    say: Callable[[str], None],
) -> int:
    """Run once, and those that failed once more.

    Args:
        pytest: runs it with some arguments; its exit code.
        failures: ids of the tests that failed in the last run.
        say: prints a line.

    Returns:
        Exit code of the run as a whole.
    """
    code = pytest(arguments)
    if code != _FAILED:
        return code
    first = list(failures())
    if not 0 < len(first) <= MOST:
        return code
    say(f"{len(first)} failed; a second look at them, one after the other:")
    for name in first:
        say(f"  {name}")
    code = pytest([*arguments, "-n", "0", "--last-failed", "--last-failed-no-failures", "none"])
    if code == 0:
        say(f"unsteady: {len(first)} failed in the crowd and passed alone: {', '.join(first)}")
    return code


def _pytest(arguments: Sequence[str]) -> int:
    command = [sys.executable, "-m", "pytest", "-o", f"cache_dir={_FOLDER}", *arguments]
    return subprocess.run(command, check=False).returncode


def failed(folder: Path) -> Sequence[str]:
    """Ids of the tests that failed in the last run that had this folder for its cache."""
    try:
        found = json.loads((folder / _LAST).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    return sorted(found)


def main() -> int:
    """The command."""
    (_FOLDER / _LAST).unlink(missing_ok=True)  # what failed in an earlier run says nothing of this one
    return run(
        sys.argv[1:],
        pytest=_pytest,
        failures=lambda: failed(_FOLDER),
        say=lambda line: print(f"==> {line}", flush=True),
    )


if __name__ == "__main__":
    sys.exit(main())
