"""The primitives that every evaluator must reproduce: Kleene truth, arithmetic on quanta, shifts and factors."""

from __future__ import annotations

from fractions import Fraction
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators import exact
from policy_dsl.operators import Operator
from policy_dsl.program import Direction, Output
from policy_dsl.quantities import INT64_MAX, INT64_MIN
from policy_dsl.types import RATIO

ONE = exact.FACTOR_ONE
INT64 = st.integers(INT64_MIN, INT64_MAX)
SMALL = st.integers(-20, 20)


def number(direction: Direction, low: int | None = None, high: int | None = None) -> Output:
    return Output("t.x", "t", None, RATIO, high if direction is Direction.DOWN else low, direction, low, high)


@pytest.mark.parametrize(
    ("left", "right", "both", "either"),
    [
        (True, True, True, True),
        (True, None, None, True),
        (True, False, False, True),
        (None, None, None, None),
        (None, False, False, None),
        (False, False, False, False),
    ],
)
def test_kleene_tables(left: exact.Kleene, right: exact.Kleene, both: exact.Kleene, either: exact.Kleene) -> None:
    for pair in permutations((left, right)):
        assert exact.conjunction(pair) is both
        assert exact.disjunction(pair) is either


def test_truth_of_nothing_and_of_not() -> None:
    assert exact.conjunction(()) is True
    assert exact.disjunction(()) is False
    assert [exact.negation(t) for t in (True, None, False)] == [False, None, True]


@given(INT64, INT64, st.sampled_from(Operator), st.integers(1, 10**14), st.integers(1, 10**18))
def test_arithmetic_is_the_exact_result_rounded_half_even_once(
    left: int, right: int, operator: Operator, up: int, down: int
) -> None:
    match operator:
        case Operator.ADD:
            true: Fraction | None = Fraction(left + right)
        case Operator.SUBTRACT:
            true = Fraction(left - right)
        case Operator.MULTIPLY:
            true = Fraction(left * right * up, down)
        case Operator.DIVIDE:
            true = Fraction(left * up, right * down) if right else None
    expected = None if true is None else round(true)
    in_range = expected is not None and INT64_MIN <= expected <= INT64_MAX
    assert exact.arithmetic(operator, left, right, up, down) == (expected if in_range else None)


@pytest.mark.parametrize(
    ("operator", "left", "right"),
    [
        (Operator.ADD, INT64_MAX, 1),
        (Operator.SUBTRACT, INT64_MIN, 1),
        (Operator.MULTIPLY, INT64_MIN, -1),
        (Operator.DIVIDE, INT64_MIN, -1),
        (Operator.DIVIDE, 1, 0),
        (Operator.DIVIDE, 0, 0),
    ],
)
def test_what_leaves_int64_is_unknown(operator: Operator, left: int, right: int) -> None:
    assert exact.arithmetic(operator, left, right) is None


def test_int64_ends_are_reached() -> None:
    assert exact.arithmetic(Operator.ADD, INT64_MAX - 1, 1) == INT64_MAX
    assert exact.arithmetic(Operator.SUBTRACT, INT64_MIN + 1, 1) == INT64_MIN
    assert exact.checked(INT64_MAX) == INT64_MAX
    assert exact.checked(INT64_MAX + 1) is None


@given(st.lists(INT64, min_size=1, max_size=5))
def test_average_is_exact(values: list[int]) -> None:
    assert exact.average(values) == round(Fraction(sum(values), len(values)))


def test_average_of_nothing_is_unknown() -> None:
    assert exact.average([]) is None


@pytest.mark.parametrize(("direction", "end"), [(Direction.DOWN, INT64_MIN), (Direction.UP, INT64_MAX)])
def test_an_open_range_ends_where_int64_does(direction: Direction, end: int) -> None:
    output = number(direction)
    assert exact.limits(output) == (INT64_MIN, INT64_MAX)
    assert exact.strict_end(output) == end
    assert exact.shifted(output, 0, [INT64_MAX, INT64_MAX]) == end


def test_shifts_add_up_in_the_strict_direction_and_never_loosen() -> None:
    down, up = number(Direction.DOWN, 0, ONE), number(Direction.UP, 0, ONE)
    assert exact.shifted(down, ONE, [3, 4, -100]) == ONE - 7
    assert exact.shifted(up, 0, [3, 4, -100]) == 7
    assert exact.shifted(down, 5, [ONE]) == 0
    assert exact.shifted(up, 5, [ONE]) == ONE


def test_factors_are_clamped_to_their_side_of_one() -> None:
    down, up = number(Direction.DOWN, 0, 8), number(Direction.UP, 1, 8)
    assert [exact.scaled(down, 8, [f]) for f in (2 * ONE, ONE, ONE // 2, 0, -ONE)] == [8, 8, 4, 0, 0]
    assert [exact.scaled(up, 2, [f]) for f in (-ONE, 0, ONE, 2 * ONE, 9 * ONE)] == [2, 2, 2, 4, 8]


@given(st.integers(0, 1000), st.lists(st.integers(0, ONE), max_size=3), st.integers(0, ONE))
def test_one_more_factor_never_loosens(start: int, factors: list[int], more: int) -> None:
    down = number(Direction.DOWN, 0, 1000)
    for at in range(len(factors) + 1):
        longer = [*factors[:at], more, *factors[at:]]
        assert exact.scaled(down, start, longer) <= exact.scaled(down, start, factors)


@given(SMALL, SMALL, SMALL)
def test_clamp_is_the_nearest_value_inside(value: int, a: int, b: int) -> None:
    low, high = sorted((a, b))
    inside = exact.clamp(value, low, high)
    assert low <= inside <= high
    assert all(abs(value - inside) <= abs(value - other) for other in range(low, high + 1))
