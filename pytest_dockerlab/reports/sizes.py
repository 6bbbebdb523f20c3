"""Keeping a report within its platform's limit: texts get shorter until it fits."""

from __future__ import annotations

from collections.abc import Callable

from pytest_dockerlab.errors import UsageError

__all__ = ["fitted"]

_SIZES = (4_000, 1_000, 200, 0)


def fitted(render: Callable[[int], str], limit: int) -> str:
    """The first rendering of at most ``limit`` bytes.

    Args:
        render: makes the report with texts of at most so many bytes each, 0: none.

    Raises:
        UsageError: it is too large even without texts.
    """
    for size in _SIZES:
        text = render(size)
        if len(text.encode()) <= limit:
            return text
    raise UsageError(
        f"the report takes {len(text.encode()):,} bytes without any message, {limit:,} are allowed",
        remedy="grade fewer checks at once",
    )
