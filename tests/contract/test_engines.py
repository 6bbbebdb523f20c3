"""Each run of all tests proves the contract on the engines that differ most from the one that it uses itself."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from pytest_dockerlab.bases.host import read_host
from tests.contract.engines import IN_CI
from tests.contract.roots import obstacle

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("engine", IN_CI)
def test_the_contract_holds(engine: str, need: Callable[[str], None]) -> None:
    """Every test of the contract passes, or needs what that engine is known to lack."""
    need(obstacle(read_host()))
    # A run of its own, which is no worker of this one.
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "DOCKERLAB_"))}
    environ |= {name: os.environ[name] for name in ("DOCKERLAB_CACHE", "DOCKERLAB_INSTALL") if name in os.environ}
    command = [sys.executable, "-m", "tests.contract", "--engines", engine]
    done = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, check=False)
    need(next((line for line in done.stdout.splitlines() if "unavailable: " in line), ""))
    assert done.returncode == 0, done.stdout + done.stderr
