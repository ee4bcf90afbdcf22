"""Arithmetic on quanta in SQL, exact: BIGINT in and out, 128 bits (HUGEINT) inside, one half-even rounding.

`TRY` turns an overflow into NULL (unknown). HUGEINT division is forty times as slow as its multiplication, so a
quotient is estimated in double precision and put right by the exact remainder; only where the estimate may be off by
one or more is it divided.
"""

from __future__ import annotations

from math import gcd

from evaluators.duckdb.fragments import Case, Fragment, compose, either
from evaluators.duckdb.frames import Frame
from evaluators.exact import FACTOR_ONE
from policy_dsl.nodes import Arithmetic, Constant
from policy_dsl.operators import Operator

SURE = 2**50
"""Below this an estimated quotient is off by less than one: five roundings to 53 bits."""

WIDEST_FACTOR = 2**62
"""The largest factor for which products of two quanta and a remainder stay within 128 bits."""


def half_even(
    frame: Frame, numerator: Fragment, denominator: Fragment, estimate: Fragment, name: str = "quotient"
) -> Fragment:
    """`numerator / denominator` (HUGEINT, the latter above 0) rounded half-even; NULL outside BIGINT.

    `estimate` is the quotient in DOUBLE, made of at most five rounded operations.
    """
    n = frame.compute(numerator, f"{name} numerator").read
    d = frame.hold(denominator, f"{name} denominator")
    e = frame.compute(estimate, f"{name} estimate").read
    near = compose(f"(CASE WHEN abs({{}}) < {SURE} THEN {{}} END)::BIGINT", e, e)
    q = frame.compute(Fragment(near.text, near.columns, near.depth, nullable=True), f"{name} near").read
    r = frame.compute(compose("({} - {}::HUGEINT * {})", n, q, d), f"{name} remainder").read
    odd = compose("{} % 2 <> 0", q)
    more = either([compose("2 * {} > {}", r, d), compose("(2 * {} = {} AND {})", r, d, odd)])
    less = either([compose("2 * {} < -{}", r, d), compose("(2 * {} = -{} AND {})", r, d, odd)])
    rounded = Case().when(compose("{} IS NULL", q).known(), _divided(n, d))
    rounded.when(more, compose("{} + 1", q)).when(less, compose("{} - 1", q))
    whole = rounded.otherwise(q)
    return frame.compute(Fragment(whole.text, whole.columns, whole.depth, nullable=True), name).read


def _divided(n: Fragment, d: Fragment) -> Fragment:
    """The slow way, for quotients of any size."""
    up = compose("2 * abs({} % {}) > {} OR (2 * abs({} % {}) = {} AND ({} // {}) % 2 <> 0)", n, d, d, n, d, d, n, d)
    return compose("TRY_CAST({} // {} + CASE WHEN {} THEN sign({}) ELSE 0 END AS BIGINT)", n, d, up, n)


def summed(left: Fragment, right: Fragment, operator: Operator) -> Fragment:
    """Sum or difference; NULL outside BIGINT."""
    return _unknown(compose(f"TRY({{}} {operator.value} {{}})", left, right))


def negated(operand: Fragment) -> Fragment:
    """Minus; NULL outside BIGINT."""
    return _unknown(compose("TRY(-{})", operand))


def absolute(operand: Fragment) -> Fragment:
    """Absolute value; NULL outside BIGINT."""
    return _unknown(compose("TRY(abs({}))", operand))


def _unknown(fragment: Fragment) -> Fragment:
    return Fragment(fragment.text, fragment.columns, fragment.depth, nullable=True)


def multiplied(frame: Frame, node: Arithmetic, left: Fragment, right: Fragment) -> Fragment:
    """Product times the node's scale, rounded half-even once; NULL outside BIGINT."""
    for factor, fragment in ((node.left, right), (node.right, left)):
        if isinstance(factor, Constant):
            up, down = _reduced(int(factor.value) * node.scale_up, node.scale_down)
            return _scaled(frame, compose("{}::HUGEINT", fragment), compose("{}::DOUBLE", fragment), up, down)
    up, down = _reduced(node.scale_up, node.scale_down)
    exact = compose("{}::HUGEINT * {}::HUGEINT", left, right)
    return _scaled(frame, exact, compose("{}::DOUBLE * {}::DOUBLE", left, right), up, down)


def _scaled(frame: Frame, exact: Fragment, estimate: Fragment, up: int, down: int) -> Fragment:
    """`exact * up / down`; a product beyond 128 bits is far outside BIGINT, for the divisor has at most 62."""
    product = exact if up == 1 else _unknown(compose(f"TRY({{}} * {up}::HUGEINT)", exact))
    if down == 1:
        return _unknown(compose("TRY_CAST({} AS BIGINT)", product))
    near = compose(f"{{}} * {up / down:.17e}", estimate)
    return half_even(frame, compose("({})", product), Fragment(f"{down}::HUGEINT"), near, "product")


def divided(frame: Frame, node: Arithmetic, left: Fragment, right: Fragment) -> Fragment:
    """Quotient times the node's scale, rounded half-even once; NULL for a division by zero and outside BIGINT."""
    up, down = _reduced(node.scale_up, node.scale_down)
    if isinstance(node.right, Constant):
        divisor = int(node.right.value)
        if divisor == 0:
            return Fragment("NULL::BIGINT", nullable=True)
        up, down = _reduced(node.scale_up if divisor > 0 else -node.scale_up, node.scale_down * abs(divisor))
        if down < WIDEST_FACTOR:
            return _scaled(frame, compose("{}::HUGEINT", left), compose("{}::DOUBLE", left), up, down)
        up, down = _reduced(node.scale_up, node.scale_down)
    numerator = compose(f"({{}}::HUGEINT * {up}::HUGEINT * sign({{}}))", left, right)
    denominator = _unknown(compose(f"(nullif(abs({{}}::HUGEINT), 0) * {down}::HUGEINT)", right))
    near = _unknown(compose(f"{{}}::DOUBLE / nullif({{}}, 0)::DOUBLE * {up / down:.17e}", left, right))
    return half_even(frame, numerator, denominator, near, "ratio")


def _reduced(up: int, down: int) -> tuple[int, int]:
    common = gcd(up, down)
    return up // common, down // common


def require_narrow(node: Arithmetic) -> None:
    """Refuse a scale that 128 bits cannot hold beside two quanta; no pair of units has one.

    Raises ValueError.
    """
    if not (0 < node.scale_up < WIDEST_FACTOR and 0 < node.scale_down < WIDEST_FACTOR):
        raise ValueError(f"a scale of {node.scale_up}/{node.scale_down} is beyond 128-bit arithmetic")


def average(frame: Frame, total: Fragment, count: Fragment) -> Fragment:
    """`total / count` (HUGEINT, BIGINT) rounded half-even; NULL where the count is 0."""
    denominator = _unknown(compose("nullif({}, 0)::HUGEINT", count))
    near = _unknown(compose("{}::DOUBLE / nullif({}, 0)::DOUBLE", total, count))
    return half_even(frame, total, denominator, near, "average")


def scaled(frame: Frame, value: Fragment, factor: Fragment) -> Fragment:
    """`value` times a factor in quanta of 1e-9, rounded half-even; NULL outside BIGINT."""
    product = compose("({}::HUGEINT * {}::HUGEINT)", value, factor)
    near = compose(f"{{}}::DOUBLE * {{}}::DOUBLE * {1 / FACTOR_ONE:.17e}", value, factor)
    return half_even(frame, product, Fragment(f"{FACTOR_ONE}::HUGEINT"), near, "scaled")


def shrunk(frame: Frame, value: Fragment, factor: Fragment) -> Fragment:
    """`value` (not below 0) times a factor from 0 to 1 in quanta of 1e-9, rounded half-even, in 64 bits.

    With value = h * 1e9 + l: h * factor is whole, and l * factor fits.
    """
    one = str(FACTOR_ONE)
    rest = f"({{}} % {one}) * {{}}"
    whole = compose(f"({{}} // {one}) * {{}} + {rest} // {one}", value, factor, value, factor)
    q = frame.compute(whole, "shrunk whole").read
    r = frame.compute(compose(f"({rest}) % {one}", value, factor), "shrunk rest").read
    up = compose(f"(2 * {{}} > {one} OR (2 * {{}} = {one} AND {{}} % 2 <> 0))", r, r, q)
    return compose("({} + {})", q, Case().when(up, Fragment("1")).otherwise(Fragment("0")))
