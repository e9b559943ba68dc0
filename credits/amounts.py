"""Amounts of credits: exact decimals with three places, never floats (SPEC §2).

This is the one place where credits are rounded or turned into text.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models

PLACES = 3
DIGITS = 18
QUANTUM = Decimal("0.001")
ZERO = Decimal("0.000")
AMOUNT_MAX = Decimal(10) ** (DIGITS - PLACES) - QUANTUM
# What a person may move at once: far above any act, and far below what a pool's balance can hold.
ACT_MAX = Decimal(1_000_000_000)


class InexactAmount(ValueError):
    """An amount of credits has at most three decimal places."""


def exact(value: Decimal | int | str) -> Decimal:
    """Return the amount with three places.

    :raises InexactAmount: if a fourth place would be lost, or it is no finite number, or a float,
        which has no exact places at all.
    """
    if isinstance(value, float):
        raise InexactAmount(f"{value} is a float; give an amount of credits as a decimal.")
    try:
        amount = Decimal(value)
        rounded = amount.quantize(QUANTUM)
    except InvalidOperation as error:
        raise InexactAmount(f"“{value}” is not an amount of credits.") from error
    if not amount.is_finite():
        raise InexactAmount(f"“{value}” is not an amount of credits.")
    if rounded != amount:
        raise InexactAmount(f"Credits have at most three decimal places; {value} has more.")
    return rounded


def movable(value: Decimal | int | str) -> Decimal:
    """Return an amount that an act of the ledger can move, with three places.

    :raises InexactAmount: if a fourth place would be lost, or it is no finite number, or a float.
    :raises ValueError: if it is not above 0, or more than a pool can hold.
    """
    amount = exact(value)
    if amount <= 0:
        raise ValueError("Enter an amount above 0.")
    if amount > AMOUNT_MAX:
        raise ValueError(f"Enter at most {grouped(AMOUNT_MAX)} credits.")
    return amount


def text(amount: Decimal) -> str:
    """Return all non-zero places, at least one: 8411.4, 0.125, 2000.0 (SPEC §2)."""
    return _trimmed(f"{_plain(amount):f}")


def grouped(amount: Decimal) -> str:
    """Return the amount for people to read on a page: 8,411.4."""
    return _trimmed(f"{_plain(amount):,f}")


def _plain(amount: Decimal) -> Decimal:
    # Adding 0 turns the decimal -0.000 into 0.000.
    return exact(amount) + 0


def _trimmed(digits: str) -> str:
    whole, _, places = digits.partition(".")
    return f"{whole}.{places.rstrip('0') or '0'}"


def prorated_down(amount: Decimal, part: int, whole: int) -> Decimal:
    """Return ``part`` of ``whole`` of an amount, rounded down to a thousandth (SPEC §2)."""
    thousandths = int(exact(amount) / QUANTUM)
    return thousandths * part // whole * QUANTUM


def approximate(amount: Decimal) -> str:
    """Show an estimate rounded half up to one place, marked “≈”."""
    return f"≈ {amount.quantize(Decimal('0.1'), rounding=ROUND_HALF_UP):,}"


def validate_positive(amount: Decimal) -> None:
    if amount <= 0:
        raise ValidationError("Enter an amount above 0.", code="not_positive")


class AmountField(models.DecimalField[Any, Any]):
    """Credits in the database: numeric(18, 3)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"] = DIGITS
        kwargs["decimal_places"] = PLACES
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs
