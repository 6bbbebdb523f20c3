"""Amounts as people write them: ``"512m"`` is bytes, ``"1.5"`` CPUs, ``"30s"`` seconds."""

from __future__ import annotations

import re
from decimal import Decimal

from pytest_dockerlab.errors import UsageError
from pytest_dockerlab.foreign import shown

__all__ = ["NANO", "human_bytes", "to_bytes", "to_nano_cpus", "to_seconds"]

NANO = 1_000_000_000

_MOST = 2**63 - 1  # engines keep sizes, CPUs and durations in 64 bits
_LONGEST = 40  # characters that a number may have: nobody means more, and long ones take long to read

# Binary multiples, as docker's --memory reads them (docs.docker.com/engine/containers/resource_constraints).
_BYTE_UNITS = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[bkmgtp]?)(?:i?b)?", re.IGNORECASE | re.ASCII)
_SECOND_UNITS = {"": Decimal(1), "ms": Decimal("0.001"), "s": Decimal(1), "m": Decimal(60), "h": Decimal(3600)}
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|m|h|)", re.ASCII)


def to_bytes(value: str | int) -> int:
    """Bytes of a size: an int is bytes already; ``"2g"`` is ``2147483648``.

    Raises:
        UsageError: not a size (``"2 gigs"``, ``-1``, ``True``).
    """
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return value
    match = _SIZE.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST else None
    count = int(Decimal(match["number"]) * _BYTE_UNITS[match["unit"].lower()]) if match else -1
    if not 0 <= count <= _MOST:
        raise UsageError(
            f"not a size: {shown(value)}",
            remedy='write bytes as a number, or with a unit: 536870912, "512m", "2g"',
        )
    return count


def to_nano_cpus(value: str | float | int) -> int:
    """Billionths of a CPU: ``1.5``, ``"1.5"`` → ``1500000000`` (inspect's ``NanoCpus``).

    Raises:
        UsageError: not a positive number of CPUs, or finer than a billionth.
    """
    try:
        text = str(value)
        nano = Decimal(text) * NANO
        if isinstance(value, bool) or len(text) > _LONGEST or not 0 < nano <= _MOST or nano != int(nano):
            raise ValueError
    except (ArithmeticError, ValueError):
        raise UsageError(
            f"not a number of CPUs: {shown(value)}", remedy='write a positive number such as 1, 0.5 or "1.5"'
        ) from None
    return int(nano)


def to_seconds(value: str | float | int) -> float:
    """Seconds of a duration: a number is seconds already; ``"500ms"`` is ``0.5``.

    Raises:
        UsageError: not a duration.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= _MOST:
        return float(value)
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST else None
    seconds = float(Decimal(match["number"]) * _SECOND_UNITS[match["unit"]]) if match else -1.0
    if not 0 <= seconds <= _MOST:
        raise UsageError(f"not a duration: {shown(value)}", remedy='write seconds as a number, or "500ms", "30s", "2m"')
    return seconds


def human_bytes(count: int) -> str:
    """A size for people: ``1536`` → ``"1.5 KiB"``."""
    size = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" or size == int(size) else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
