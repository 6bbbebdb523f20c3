"""An assertion about what a pull or push moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_dockerlab.checks import transfer as check
from pytest_dockerlab.findings import demand

if TYPE_CHECKING:
    from pytest_dockerlab.engine.results import LayerTransfer, Transfer

__all__ = ["assert_transferred"]


def assert_transferred(transfer: Transfer, layers: int, *, kept: int | None = None) -> tuple[LayerTransfer, ...]:
    """Just so many layers were pulled or pushed; the others were there already. Returns those that moved.

    Args:
        transfer: what ``lab.pull(…)`` or ``lab.push(…)`` gave.
        layers: how many went over the wire.
        kept: how many were there already; ``None`` leaves their number open.

    Raises:
        CheckFailed: other numbers, or a layer that fared otherwise; lists each.
    """
    return demand(check.moved(transfer.layers, layers, kept=kept))
