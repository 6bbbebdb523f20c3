"""Give parsers what nobody would write: ``python -m tests.fuzz [--seconds N] [--seed N] [--replay] [GROUP …]``.

Needs atheris (``tox -e fuzz`` installs it), but for ``--replay``. Each group runs in a process of its own. An input
that breaks a promise is kept in ``.fuzz/GROUP/``; once mended, it belongs in ``tests/fuzz/corpus/GROUP/``.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
FOUND = ROOT / ".fuzz"
# Of an input: longer than all seeds, short enough for thousands of runs a second.
LONGEST = 32 * 1024
MOST_MEGABYTES = 1500
MOST_SECONDS = 25


def groups() -> list[str]:
    """Names of all groups, without importing what they test."""
    text = (Path(__file__).parent / "targets.py").read_text("utf-8")
    return re.findall(r'^    "([\w-]+)": \w+,$', text, re.MULTILINE)


def replay(names: list[str]) -> int:
    """Run seeds and corpus once."""
    from tests.fuzz.seeds import seeds
    from tests.fuzz.targets import TARGETS

    assert list(TARGETS) == groups(), "groups() misreads targets.py"
    count = 0
    for name in names:
        kept = sorted((CORPUS / name).glob("*"))
        for place, data in (*((None, each) for each in seeds(name)), *((path, path.read_bytes()) for path in kept)):
            try:
                TARGETS[name](data)
            except BaseException:
                print(f"{name}: fails on {place or data[:200]!r}", file=sys.stderr)
                raise
            count += 1
    print(f"{count} inputs of {len(names)} groups: all promises kept")
    return 0


def fuzz(name: str, seconds: int, seed: int) -> None:
    """Fuzz one group in this process; ends it."""
    import atheris

    with atheris.instrument_imports(include=["pytest_dockerlab", "tests.fuzz"]):
        from tests.fuzz.seeds import seeds
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    work = Path(tempfile.mkdtemp(prefix=f"dockerlab-fuzz-{name}-"))
    for data in (*seeds(name), *(path.read_bytes() for path in (CORPUS / name).glob("*"))):
        (work / hashlib.sha256(data).hexdigest()).write_bytes(data[:LONGEST])
    (FOUND / name).mkdir(parents=True, exist_ok=True)
    options = {
        "max_total_time": seconds,
        "seed": seed,
        "max_len": LONGEST,
        "rss_limit_mb": MOST_MEGABYTES,
        "timeout": MOST_SECONDS,
        "artifact_prefix": f"{FOUND / name}/",
        "print_final_stats": 1,
        "verbosity": 1,
    }
    atheris.Setup([name, *(f"-{key}={value}" for key, value in options.items()), str(work)], target)
    atheris.Fuzz()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=", ".join(groups()))
    parser.add_argument("--seconds", type=int, default=60, help="for each group (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (default: another each time)")
    parser.add_argument("--replay", action="store_true", help="only seeds and corpus, once; needs no atheris")
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    unknown = sorted(set(asked.groups) - set(groups()))
    if unknown:
        parser.error(f"no such group: {', '.join(unknown)}; there are {', '.join(groups())}")
    names = asked.groups or groups()
    if asked.replay:
        return replay(names)
    if asked.here:
        fuzz(names[0], asked.seconds, asked.seed)
    failed = [name for name in names if not _apart(name, asked.seconds, asked.seed)]
    for name in failed:
        found = ", ".join(str(path) for path in sorted((FOUND / name).iterdir())) or "nothing kept"
        print(f"{name}: broke a promise on {found}", file=sys.stderr)
    return 1 if failed else 0


def _apart(name: str, seconds: int, seed: int) -> bool:
    command = [sys.executable, "-m", "tests.fuzz", name, "--here", "--seconds", str(seconds), "--seed", str(seed)]
    # libFuzzer ends its process itself, and would leave its inputs; what it found is kept elsewhere.
    with tempfile.TemporaryDirectory(prefix="dockerlab-fuzz-") as passing:
        environ = {**os.environ, "TMPDIR": passing}
        done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, errors="replace")
    runs = re.search(r"stat::number_of_executed_units: *(\d+)", done.stderr)
    print(
        f"{name}: {runs[1] if runs else '?'} runs in {seconds} s, {'ok' if done.returncode == 0 else 'FAILED'}",
        flush=True,
    )
    if done.returncode:
        # atheris prints the exception on one stream, libFuzzer what it was doing on the other.
        print("\n".join([*done.stdout.splitlines()[-60:], *done.stderr.splitlines()[-12:]]), file=sys.stderr)
    return done.returncode == 0


if __name__ == "__main__":
    sys.exit(main())
