"""A build cache of one's own, on an engine that others use, too."""

from __future__ import annotations

import secrets
from types import TracebackType

__all__ = ["FreshCache"]


class FreshCache(str):
    """A cache that no earlier build has filled: ``fresh=`` of a build, or a ``with`` around several."""

    __slots__ = ("_active",)
    _active: list[str]

    def __new__(cls, active: list[str]) -> FreshCache:
        """Draw a new one; ``active`` holds those whose ``with`` is open."""
        fresh = super().__new__(cls, secrets.token_hex(8))
        fresh._active = active
        return fresh

    def __enter__(self) -> FreshCache:
        self._active.append(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._active.remove(self)
