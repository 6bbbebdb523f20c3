"""The kernel's log: whose processes it killed for want of memory.

An engine is told of such a kill while it listens, and containerd begins to when the process is on its way already: a
quick one's kill is missed, about one in a hundred on a busy machine, and never made up for (containerd:
cmd/containerd-shim-runc-v2/task/service.go, Start). The kernel writes down up to ten in five seconds (mm/oom_kill.c).
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["kills", "records"]

_LOG = Path("/dev/kmsg")
_LONGEST = 8192  # bytes of a record: Documentation/ABI/testing/dev-kmsg
# Level, number, microseconds since the start, flags; since Linux 4.19.
_KILL = re.compile(rb"\d+,\d+,(?P<when>\d+),[^;]*;oom-kill:.*\btask_memcg=(?P<group>[^,]*)")


def records(log: Path = _LOG) -> Iterator[bytes]:
    """All that the log holds now; nothing where it may not be read."""
    with contextlib.suppress(OSError):
        descriptor = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        try:
            # The end is an error, EAGAIN; a FIFO of a test has one.
            while record := _next(descriptor):
                yield record
        finally:
            os.close(descriptor)


def _next(descriptor: int) -> bytes:
    while True:
        # What was overwritten before we came to it.
        with contextlib.suppress(BrokenPipeError):
            return os.read(descriptor, _LONGEST)


def kills(container: str, log: Iterable[bytes]) -> tuple[float, ...]:
    """When processes of a container were killed for want of memory, its own or the machine's: seconds since the epoch.

    Args:
        container: its id, whole: every engine's control groups have it in their names.
    """
    # The log's clock starts with the machine; how far the two drift apart in a day is seconds.
    start = time.time() - time.monotonic()
    found = (match for record in log if (match := _KILL.match(record)) and container.encode() in match["group"])
    return tuple(start + int(match["when"]) / 1e6 for match in found)
