"""The marks: ``row`` (what a test proves) and ``requires`` (what it needs of the engine)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_dockerlab.errors import UsageError

if TYPE_CHECKING:
    from pytest_dockerlab.settings import Settings

__all__ = ["Knows", "check_marks", "judged", "record_place", "record_rows", "required"]


class Knows(Protocol):
    """What marks ask of an engine's capabilities."""

    def has(self, name: str) -> bool: ...
    def reason(self, name: str) -> str: ...


def _arguments(item: pytest.Item, name: str) -> Iterator[str]:
    """Arguments of all marks of this name, the outermost (module's, class's) first, each once."""
    seen = set()
    for mark in reversed(list(item.iter_markers(name))):
        for argument in mark.args:
            if not isinstance(argument, str) or not argument:
                raise UsageError(
                    f"{item.nodeid}: @pytest.mark.{name} takes names, not {argument!r}",
                    remedy=f'write @pytest.mark.{name}("…")',
                )
            if argument not in seen:
                seen.add(argument)
                yield argument
        if not mark.args or mark.kwargs:
            raise UsageError(
                f"{item.nodeid}: @pytest.mark.{name} without a name", remedy=f'write @pytest.mark.{name}("…")'
            )


def record_rows(items: Iterable[pytest.Item]) -> None:
    """Turn each ``row`` into a property of its test's report."""
    for item in items:
        item.user_properties.extend(("row", row) for row in _arguments(item, "row"))


def record_place(item: pytest.Item, engine: str, platform: str) -> None:
    """Say of a test with a row where it was proven, for tables of several jobs (``dockerlab report --combine``)."""
    item.user_properties.extend((("engine", engine), ("platform", platform)))


def required(item: pytest.Item) -> tuple[str, ...]:
    """The capabilities that a test asks for."""
    return tuple(_arguments(item, "requires"))


def check_marks(items: Iterable[pytest.Item]) -> None:
    """Find names that are no capability before any test runs, and before an engine is asked.

    Raises:
        UsageError: with the test, the name, and the names that are known.
    """
    asked = [(item.nodeid, name) for item in items for name in required(item)]
    if not asked:
        return
    from pytest_dockerlab.engine.capabilities import check_name

    for test, name in asked:
        try:
            check_name(name)
        except UsageError as error:
            raise UsageError(f"{test}: @pytest.mark.requires: {error.what}", remedy=error.remedy) from error


def judged(item: pytest.Item, capabilities: Knows, settings: Settings) -> tuple[str, bool]:
    """Why a test can't be carried out, or ``""``, and whether that is a failure.

    What the engine lacks is a failure where all is asked for. A test that wants its platform to be the processor's own
    does not apply under emulation, whoever asks.
    """
    from pytest_dockerlab.engine.capabilities import OF_PLATFORM

    missing = [name for name in required(item) if not capabilities.has(name)]
    reason = "; ".join(f"requires {name}: {capabilities.reason(name)}" for name in missing)
    if missing and set(missing) <= set(OF_PLATFORM):
        return f"does not apply: {reason}", False
    if missing and settings.strict:
        return f"{reason} ({settings.source('strict')} asks for all)", True
    return reason, False
