"""On what it was measured, in one line."""

from __future__ import annotations

import datetime
import os
import platform
import re
from pathlib import Path

from pytest_dockerlab.engine.info import EngineInfo
from pytest_dockerlab.quantity import human_bytes

__all__ = ["describe"]


def describe(engine: EngineInfo) -> str:
    """Processor, memory, kernel, Python, engine and day."""
    cpu = _first(r"^model name\s*: (.*)$", "/proc/cpuinfo") or platform.processor() or platform.machine()
    memory = int(_first(r"^MemTotal: +(\d+) kB$", "/proc/meminfo") or 0) * 1024
    day = datetime.datetime.now(tz=datetime.timezone.utc).date()
    return (
        f"{os.cpu_count()} × {cpu}, {human_bytes(memory)}, {platform.system()} {platform.release()}, "
        f"Python {platform.python_version()}, {engine.product} {engine.version}; {day.isoformat()}"
    )


def _first(pattern: str, path: str) -> str:
    try:
        found = re.search(pattern, Path(path).read_text(), re.MULTILINE)
    except OSError:
        return ""
    return found[1].strip() if found else ""
