"""What fuzzing found once stays found: seeds and corpus keep every promise, without atheris."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def fuzz(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tests.fuzz", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=600
    )


def test_seeds_and_corpus_keep_their_promises() -> None:
    """Each input of each group, once; an input that fails is named with its group."""
    done = fuzz("--replay")
    assert done.returncode == 0, done.stderr
    assert "12 groups: all promises kept" in done.stdout


def test_every_corpus_folder_is_a_groups() -> None:
    """Nothing lies where no group looks for it."""
    names = sorted(path.name for path in (Path(__file__).parent / "corpus").iterdir())
    assert fuzz("--replay", *names).returncode == 0


def test_an_unknown_group_is_named() -> None:
    """With those that there are."""
    done = fuzz("--replay", "nonsense")
    assert done.returncode == 2
    assert "no such group: nonsense; there are text-streams, buildkit," in done.stderr
