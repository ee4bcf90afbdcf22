"""Exact arithmetic as Python statements, with every check left out that the ranges of the operands make needless."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

from evaluators.python.operands import Operand
from policy_dsl.nodes import Arithmetic
from policy_dsl.operators import Extreme, Operator
from policy_dsl.quantities import INT64_MAX, INT64_MIN, divide_half_even


@dataclass(frozen=True, slots=True)
class Computation:
    """Lines that set a name from operands that are all known; the result lies in `[low, high]`.

    `fails`: the lines can set the name to None (an overflow, a division by zero).
    """

    lines: tuple[str, ...]
    low: int
    high: int
    fails: bool = False


def arithmetic(node: Arithmetic, name: str, left: Operand, right: Operand) -> Computation:
    """`left operator right` in quanta, scaled and rounded half-even once."""
    if node.operator is Operator.ADD:
        return _checked(name, (f"{name} = {left.text} + {right.text}",), left.low + right.low, left.high + right.high)
    if node.operator is Operator.SUBTRACT:
        return _checked(name, (f"{name} = {left.text} - {right.text}",), left.low - right.high, left.high - right.low)
    if node.operator is Operator.MULTIPLY:
        corners = [a * b * node.scale_up for a, b in product((left.low, left.high), (right.low, right.high))]
        numerator = _product(left, right, node.scale_up)
        return _quotient(name, numerator, node.scale_down, min(corners), max(corners))
    if right.low == right.high != 0:
        return _by_constant(node, name, left, right.low)
    return _division(node, name, left, right)


def negation(name: str, operand: Operand) -> Computation:
    """`-operand`."""
    return _checked(name, (f"{name} = -{operand.text}",), -operand.high, -operand.low)


def absolute(name: str, operand: Operand) -> Computation:
    """`abs(operand)`."""
    high = max(abs(operand.low), abs(operand.high))
    low = 0 if operand.low <= 0 <= operand.high else min(abs(operand.low), abs(operand.high))
    return _checked(name, (f"{name} = abs({operand.text})",), low, high)


def pick(name: str, extreme: Extreme, operands: tuple[Operand, ...]) -> Computation:
    """The lowest or highest operand."""
    fold = min if extreme is Extreme.LOWEST else max
    low, high = fold(o.low for o in operands), fold(o.high for o in operands)
    if len(operands) == 2:  # noqa: PLR2004 -- two are compared inline, which is faster than a call
        sign, (a, b) = "<=" if fold is min else ">=", operands
        return Computation((f"{name} = {a.text} if {a.text} {sign} {b.text} else {b.text}",), low, high)
    listed = ", ".join(operand.text for operand in operands)
    return Computation((f"{name} = {fold.__name__}([{listed}])",), low, high)


def guarded(name: str, operands: tuple[Operand, ...], computation: Computation) -> list[str]:
    """The lines of a computation, setting the name to None where an operand is None."""
    nulls = list(dict.fromkeys(operand.text for operand in operands if operand.nullable))
    if not nulls:
        return list(computation.lines)
    unknown = " or ".join(f"{null} is None" for null in nulls)
    return [f"if {unknown}:", f"    {name} = None", "else:", *(f"    {line}" for line in computation.lines)]


def _checked(name: str, lines: tuple[str, ...], low: int, high: int) -> Computation:
    """The lines, and the check that the result is an int64 where the range allows it not to be."""
    if low >= INT64_MIN and high <= INT64_MAX:
        return Computation(lines, low, high)
    check = (f"if not INT64_MIN <= {name} <= INT64_MAX:", f"    {name} = None")
    return Computation(lines + check, max(low, INT64_MIN), min(high, INT64_MAX), fails=True)


def _product(left: Operand, right: Operand, scale: int) -> tuple[str, int]:
    """A product as the text of its variable part and its constant factor."""
    for constant, other in ((right, left), (left, right)):
        if constant.low == constant.high:
            return other.text, constant.low * scale
    return f"{left.text} * {right.text}", scale


def _quotient(name: str, numerator: tuple[str, int], divisor: int, low: int, high: int) -> Computation:
    """`text * factor / divisor` rounded half-even, for a divisor above 0; `low`, `high` bound the numerator."""
    text, factor = numerator
    common = math.gcd(factor, divisor)
    factor, d = factor // common, divisor // common
    scaled = text if factor == 1 else f"{text} * {factor}"
    if d == 1:
        lines: tuple[str, ...] = (f"{name} = {scaled}",)
    elif d % 2:
        # An odd divisor has no ties.
        lines = (f"{name} = ({scaled} * 2 + {d}) // {2 * d}",)
    else:
        # Half up, then a tie goes back to the even neighbour.
        lines = (
            f"n = {scaled} + {d // 2}",
            f"{name} = n // {d}",
            f"if {name} & 1 and not n % {d}:",
            f"    {name} -= 1",
        )
    return _checked(name, lines, divide_half_even(low, divisor), divide_half_even(high, divisor))


def _by_constant(node: Arithmetic, name: str, left: Operand, divisor: int) -> Computation:
    sign = 1 if divisor > 0 else -1
    factor = sign * node.scale_up
    ends = sorted((left.low * factor, left.high * factor))
    return _quotient(name, (left.text, factor), abs(divisor) * node.scale_down, *ends)


def _division(node: Arithmetic, name: str, left: Operand, right: Operand) -> Computation:
    above = f"{left.text} * {node.scale_up}" if node.scale_up != 1 else left.text
    below = f"{right.text} * {node.scale_down}" if node.scale_down != 1 else right.text
    # A divisor of one quantum makes the largest quotient.
    most = divide_half_even(max(abs(left.low), abs(left.high)) * node.scale_up, node.scale_down)
    lines = (f"{name} = divide_half_even({above}, {below}) if {right.text} else None",)
    checked = _checked(name, lines, -most, most)
    if not checked.fails:
        return Computation(lines, -most, most, fails=True)
    check = (f"if {name} is not None and not INT64_MIN <= {name} <= INT64_MAX:", f"    {name} = None")
    return Computation(lines + check, checked.low, checked.high, fails=True)
