"""Exact arithmetic on quanta and three-valued truth: the primitives that every evaluator must reproduce bit for bit.

Quanta are Python ints of any size inside an operation; a result that leaves int64 is unknown (None). Truth is True,
False or None (unknown), as Kleene defines it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from policy_dsl.operators import Operator
from policy_dsl.program import Direction, Output
from policy_dsl.quantities import INT64_MAX, INT64_MIN, QUANTA_PER_ONE, Unit, divide_half_even, fits

Kleene = bool | None
"""True, False, or None for unknown."""

FACTOR_ONE = QUANTA_PER_ONE[Unit.RATIO]
"""Quanta of the factor 1 in `scale OUT by F`."""


def conjunction(truths: Iterable[Kleene]) -> Kleene:
    """Kleene `and`: false if any is false, else unknown if any is unknown, else true; of nothing, true."""
    seen = tuple(truths)
    if False in seen:
        return False
    return None if None in seen else True


def disjunction(truths: Iterable[Kleene]) -> Kleene:
    """Kleene `or`: true if any is true, else unknown if any is unknown, else false; of nothing, false."""
    seen = tuple(truths)
    if True in seen:
        return True
    return None if None in seen else False


def negation(truth: Kleene) -> Kleene:
    """Kleene `not`: unknown stays unknown."""
    return None if truth is None else not truth


def checked(quanta: int) -> int | None:
    """The quanta if they are an int64, else unknown."""
    return quanta if fits(quanta) else None


def arithmetic(operator: Operator, left: int, right: int, scale_up: int = 1, scale_down: int = 1) -> int | None:
    """`left operator right` in quanta, scaled by `scale_up / scale_down`, rounded half-even once.

    Unknown for a division by zero and for a result outside int64.
    """
    match operator:
        case Operator.ADD:
            return checked(left + right)
        case Operator.SUBTRACT:
            return checked(left - right)
        case Operator.MULTIPLY:
            return checked(divide_half_even(left * right * scale_up, scale_down))
        case Operator.DIVIDE:
            return checked(divide_half_even(left * scale_up, right * scale_down)) if right != 0 else None


def average(values: Sequence[int]) -> int | None:
    """The exact sum divided by the number of values, rounded half-even; unknown of no values."""
    return divide_half_even(sum(values), len(values)) if values else None


def clamp(quanta: int, low: int, high: int) -> int:
    """The nearest value in `[low, high]`."""
    return max(low, min(quanta, high))


def limits(output: Output) -> tuple[int, int]:
    """The inclusive range of a number output in quanta; where it is declared open, int64 ends it."""
    low = INT64_MIN if output.low is None else output.low
    high = INT64_MAX if output.high is None else output.high
    return low, high


def strict_end(output: Output) -> int:
    """The strictest quanta that a number output can hold."""
    low, high = limits(output)
    return low if output.direction is Direction.DOWN else high


def shifted(output: Output, start: int, shifts: Iterable[int]) -> int:
    """`start` moved in the strict direction by every shift (one below zero counts as zero), clamped into the range."""
    total = sum(max(shift, 0) for shift in shifts)
    moved = start - total if output.direction is Direction.DOWN else start + total
    return clamp(moved, *limits(output))


def scaled(output: Output, value: int, factors: Iterable[int]) -> int:
    """`value` times each factor (quanta of 1e-9) in turn, each product rounded half-even and clamped into the range.

    A factor is first clamped into [0, 1] where the output tightens down, and to at least 1 where it tightens up.
    """
    low, high = limits(output)
    for factor in factors:
        usable = clamp(factor, 0, FACTOR_ONE) if output.direction is Direction.DOWN else max(factor, FACTOR_ONE)
        value = clamp(divide_half_even(value * usable, FACTOR_ONE), low, high)
    return value
