"""Units, and exact numbers: every number is an int64 count of its unit's quantum."""

from __future__ import annotations

import enum
import math
from decimal import Decimal, InvalidOperation
from fractions import Fraction

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1


class Unit(enum.Enum):
    """What a number counts. The value is the word used for it in rule files and documents."""

    RATIO = "ratio"
    MONEY = "money"
    R = "R"
    LEVERAGE = "leverage"
    DURATION = "duration"
    TIME = "time"
    RATE = "rate"
    COUNT = "count"
    NUMBER = "number"


MS_PER_DAY = 86_400_000

# Quanta in one of what a state document counts in: ratios are plain fractions, durations seconds, money
# quote currency, times seconds since 1970 (ISO 8601 in text), rates events a minute.
# A rate's quantum is 1e-6 events a day, so that every N/s, N/min, N/h and N/d is exact.
QUANTA_PER_ONE: dict[Unit, int] = {
    Unit.RATIO: 10**9,
    Unit.MONEY: 10**6,
    Unit.R: 10**9,
    Unit.LEVERAGE: 10**9,
    Unit.DURATION: 1000,
    Unit.TIME: 1000,
    Unit.RATE: 1440 * 10**6,
    Unit.COUNT: 1,
    Unit.NUMBER: 10**9,
}
RATE_QUANTA_PER_DAILY_EVENT = 10**6


def fits(value: int) -> bool:
    """Whether `value` is an int64."""
    return INT64_MIN <= value <= INT64_MAX


def divide_half_even(numerator: int, denominator: int) -> int:
    """`numerator / denominator` rounded to the nearest integer, ties to even; the denominator is not 0."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, remainder = divmod(numerator, denominator)
    double = 2 * remainder
    if double > denominator or (double == denominator and quotient & 1):
        quotient += 1
    return quotient


_LARGEST_EXPONENT = 40
"""No quantity has so many digits before its point; `1e9999999` must not be written out to find that out."""


def _exact(value: int | str | Decimal) -> Fraction | None:
    """The exact value of an int, decimal or decimal text; None for what is none, is not finite, or is far too large."""
    try:
        decimal = Decimal(value)
    except (InvalidOperation, TypeError, ValueError):
        return None
    if not decimal.is_finite():
        return None
    if not decimal or decimal.adjusted() < -_LARGEST_EXPONENT:
        return Fraction(0)
    return None if decimal.adjusted() > _LARGEST_EXPONENT else Fraction(decimal)


def to_quanta(value: float | int | str | Decimal, unit: Unit) -> int | None:
    """The quanta of a measured value, rounded half-even; None for NaN, infinity, overflow and non-numbers.

    A float is scaled in double precision first (`rint(x * quanta_per_one)`), so that numpy and DuckDB make
    the same integer; ints, decimals and decimal text are scaled exactly.
    """
    scale = QUANTA_PER_ONE[unit]
    if isinstance(value, bool):
        return None
    if isinstance(value, float):
        return float_to_quanta(value, scale)
    exact = _exact(value)
    if exact is None:
        return None
    quanta = round(exact * scale)
    return quanta if fits(quanta) else None


def float_to_quanta(value: float, scale: int) -> int | None:
    """`to_quanta` of a float in a unit with so many quanta in one."""
    scaled = value * scale
    if not math.isfinite(scaled):
        return None
    quanta = round(scaled)
    return quanta if INT64_MIN <= quanta <= INT64_MAX else None


def from_quanta(quanta: int, unit: Unit) -> float | int:
    """The value of `quanta` as a document shows it: an int where the unit has no fraction, else a float."""
    scale = QUANTA_PER_ONE[unit]
    if scale == 1 or (quanta % scale == 0 and unit is Unit.COUNT):
        return quanta // scale
    return quanta / scale
