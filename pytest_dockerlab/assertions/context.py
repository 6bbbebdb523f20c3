"""Assertion about what a build sends to the engine."""

from __future__ import annotations

from typing import Protocol

from pytest_dockerlab.checks import context as check
from pytest_dockerlab.findings import demand

__all__ = ["HasContext", "assert_context_size"]


class HasContext(Protocol):
    """A build that knows what was sent."""

    @property
    def context_bytes(self) -> int: ...

    @property
    def context_files(self) -> int: ...


def assert_context_size(build: HasContext, at_most: str | int) -> int:
    """The files that were sent for the build take no more than ``at_most`` (``"1m"``, or bytes). Returns their bytes.

    Raises:
        CheckFailed: they take more.
    """
    return demand(check.context_size(build.context_bytes, at_most, files=build.context_files))
