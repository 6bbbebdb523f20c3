"""Points: decimals of at most two places, added exactly, and written as the numbers they are."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from pytest_dockerlab.errors import UsageError

__all__ = ["MOST", "ZERO", "number", "show", "to_points"]

ZERO = Decimal(0)
# Far above any course's; a slip of the keyboard (1e9) is found at collection.
MOST = Decimal(100_000)


def to_points(value: object, *, where: str = "points", most: Decimal = MOST) -> Decimal:
    """Read points: ``2``, ``0.5``, ``"1.25"``.

    A float means the decimal that it is written as: ``0.1`` is a tenth.

    Raises:
        UsageError: no number, negative, more than two places, more than ``most``.
    """
    try:
        if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
            raise InvalidOperation
        points = Decimal(str(value).strip())
        if not points.is_finite() or not 0 <= points <= most or points != round(points, 2):
            raise InvalidOperation
    except InvalidOperation:
        raise UsageError(
            f"{where}: not points: {value!r}",
            remedy=f"write a number from 0 to {most:,} with at most two decimal places, such as 2 or 0.25",
        ) from None
    # The same number has one form, whichever way it was written: 2, 2.0 and "2.00".
    return abs(points.quantize(Decimal(1)) if points == points.to_integral_value() else points.normalize())


def number(points: Decimal) -> int | float:
    """For JSON: its text is the exact decimal (``2``, ``0.1``), as two places always fit a float's shortest form."""
    return int(points) if points == points.to_integral_value() else float(points)


def show(points: Decimal) -> str:
    """For people: ``2``, ``0.5``."""
    return str(number(points))
