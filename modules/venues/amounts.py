"""Prices and quantities as a venue takes them: whole multiples of its smallest steps."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

ROUNDING = Decimal("1e-9")
"""Of a step: so far from a multiple is no more than what sums of floats leave."""


def floored(value: float, step: float | None) -> float:
    """The largest multiple of `step` that is no larger than `value`; the value itself where there is no step."""
    return _rounded(value, step, ROUND_FLOOR, ROUNDING)


def ceiled(value: float, step: float | None) -> float:
    """The smallest multiple of `step` that is no smaller than `value`; the value itself where there is no step."""
    return _rounded(value, step, ROUND_CEILING, -ROUNDING)


def is_multiple(value: float, step: float | None) -> bool:
    """Whether `value`, as it is written, is a whole multiple of `step`."""
    return step is None or step <= 0 or Decimal(repr(value)) % Decimal(repr(step)) == 0


def _rounded(value: float, step: float | None, how: str, slack: Decimal) -> float:
    if step is None or step <= 0:
        return value
    unit = Decimal(repr(step))
    return float((Decimal(repr(value)) / unit + slack).to_integral_value(how) * unit)
