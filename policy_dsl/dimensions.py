"""Which units multiply and divide into which, and the exact factors between their quanta."""

from __future__ import annotations

from fractions import Fraction

from policy_dsl.operators import Operator
from policy_dsl.quantities import QUANTA_PER_ONE, Unit

# Quanta in one of the physical unit: rates in events a second, so that rate and duration agree.
_PHYSICAL = {**QUANTA_PER_ONE, Unit.RATE: 60 * QUANTA_PER_ONE[Unit.RATE]}

_PLAIN = (Unit.RATIO, Unit.NUMBER, Unit.COUNT)


def _product(a: Unit, b: Unit) -> Unit | None:
    pair = {a, b}
    if pair == {Unit.RATE, Unit.DURATION}:
        return Unit.NUMBER
    if pair in ({Unit.R, Unit.MONEY}, {Unit.LEVERAGE, Unit.MONEY}):
        return Unit.MONEY
    if pair == {Unit.LEVERAGE, Unit.RATIO}:
        return Unit.RATIO
    if Unit.TIME in pair:
        return None
    if a in _PLAIN and b in _PLAIN:
        return min(a, b, key=_PLAIN.index)  # a ratio stays a ratio, a number swallows a count
    if a in _PLAIN:
        return b
    return a if b in _PLAIN else None


def _quotient(a: Unit, b: Unit) -> Unit | None:
    if Unit.TIME in (a, b):
        return None
    if b is Unit.DURATION and a in (Unit.COUNT, Unit.NUMBER):
        return Unit.RATE
    if a is b:
        return Unit.NUMBER if a is Unit.NUMBER else Unit.RATIO
    if a is Unit.MONEY and b is Unit.LEVERAGE:
        return Unit.MONEY
    if a is Unit.COUNT and b in (Unit.NUMBER, Unit.RATIO):
        return Unit.NUMBER
    return a if b in _PLAIN else None


def _sum(operator: Operator, a: Unit, b: Unit) -> Unit | None:
    if a is Unit.TIME and b is Unit.TIME:
        return Unit.DURATION if operator is Operator.SUBTRACT else None
    if a is Unit.TIME and b is Unit.DURATION:
        return Unit.TIME
    if operator is Operator.ADD and a is Unit.DURATION and b is Unit.TIME:
        return Unit.TIME
    return a if a is b else None


def combine(operator: Operator, a: Unit, b: Unit) -> tuple[Unit, int, int] | None:
    """The unit of `a operator b` and the factors `(scale_up, scale_down)` of `program.Arithmetic`.

    None where the units do not combine.
    """
    if operator in (Operator.ADD, Operator.SUBTRACT):
        unit = _sum(operator, a, b)
        return None if unit is None else (unit, 1, 1)
    multiply = operator is Operator.MULTIPLY
    unit = _product(a, b) if multiply else _quotient(a, b)
    if unit is None:
        return None
    qa, qb, qr = _PHYSICAL[a], _PHYSICAL[b], _PHYSICAL[unit]
    factor = Fraction(qr, qa * qb) if multiply else Fraction(qr * qb, qa)
    return unit, factor.numerator, factor.denominator
