"""What makes a private dockerd faster than an ordinary one, in ways that a container can't tell.

``DOCKERLAB_TUNED=0`` leaves all of it out, for comparison. See docs/engine.md.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_dockerlab.engine.private.in_memory import keep_in_memory
from pytest_dockerlab.engine.private.slots import Slot

__all__ = ["Tuning", "tune"]

# Over the configuration of every private engine. Not the log driver "local", though it is twice as fast as json-file:
# docker-py's run() returns None instead of the output of a container that has it.
_CONFIG: Mapping[str, object] = {"log-level": "warn"}
# Go collects garbage when the heap has doubled; dockerd's helpers live for 30 ms and collect several times in it.
# The second bounds what the daemons may take by that.
_GO = {"GOGC": "400", "GOMEMLIMIT": "1GiB"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tuning:
    """What to start dockerd with.

    Attributes:
        config: over its configuration.
        environ: over its environment.
        notes: what could not be done, a line each, with the reason.
    """

    config: Mapping[str, object]
    environ: Mapping[str, str]
    notes: tuple[str, ...] = ()


def tune(slot: Slot, program: str, environ: Mapping[str, str] = os.environ) -> Tuning:
    """Prepare a slot for a tuned dockerd. What can't be done here is left out, and noted.

    Args:
        program: path of dockerd.
        environ: what it would be started with; what the user set in there counts.
    """
    notes = []
    if reason := keep_in_memory(slot, major=_major(program)):
        notes.append(f"the state of containers is kept on the disk: {reason}")
    more = {name: value for name, value in _GO.items() if name not in environ}
    return Tuning(config=_CONFIG, environ=more, notes=tuple(notes))


def _major(program: str) -> int:
    """The engine's version, its first number; 0 if it does not say."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return 0
    found = re.search(r"version (\d+)\.", done.stdout)
    return int(found[1]) if found else 0
