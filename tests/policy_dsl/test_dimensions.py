"""Units multiply, divide and add as physics has it, and the factors between their quanta are exact."""

from __future__ import annotations

import itertools
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_dsl.dimensions import combine
from policy_dsl.operators import Operator
from policy_dsl.quantities import QUANTA_PER_ONE, Unit

ADD, SUBTRACT, MULTIPLY, DIVIDE = Operator.ADD, Operator.SUBTRACT, Operator.MULTIPLY, Operator.DIVIDE
RATIO, MONEY, R, LEVERAGE, DURATION = Unit.RATIO, Unit.MONEY, Unit.R, Unit.LEVERAGE, Unit.DURATION
TIME, RATE, COUNT, NUMBER = Unit.TIME, Unit.RATE, Unit.COUNT, Unit.NUMBER

COMBINED = [
    (MULTIPLY, RATIO, MONEY, MONEY),
    (MULTIPLY, RATIO, RATIO, RATIO),
    (MULTIPLY, R, MONEY, MONEY),
    (MULTIPLY, LEVERAGE, MONEY, MONEY),
    (MULTIPLY, LEVERAGE, RATIO, RATIO),
    (MULTIPLY, RATE, DURATION, NUMBER),
    (MULTIPLY, COUNT, COUNT, COUNT),
    (MULTIPLY, COUNT, NUMBER, NUMBER),
    (MULTIPLY, COUNT, RATIO, RATIO),
    (MULTIPLY, NUMBER, DURATION, DURATION),
    (MULTIPLY, COUNT, RATE, RATE),
    (DIVIDE, MONEY, MONEY, RATIO),
    (DIVIDE, MONEY, LEVERAGE, MONEY),
    (DIVIDE, MONEY, RATIO, MONEY),
    (DIVIDE, MONEY, COUNT, MONEY),
    (DIVIDE, COUNT, DURATION, RATE),
    (DIVIDE, NUMBER, DURATION, RATE),
    (DIVIDE, DURATION, DURATION, RATIO),
    (DIVIDE, COUNT, COUNT, RATIO),
    (DIVIDE, NUMBER, NUMBER, NUMBER),
    (DIVIDE, COUNT, NUMBER, NUMBER),
    (DIVIDE, RATE, COUNT, RATE),
    (ADD, TIME, DURATION, TIME),
    (ADD, DURATION, TIME, TIME),
    (SUBTRACT, TIME, DURATION, TIME),
    (SUBTRACT, TIME, TIME, DURATION),
]


@pytest.mark.parametrize(("operator", "left", "right", "result"), COMBINED)
def test_units_combine(operator: Operator, left: Unit, right: Unit, result: Unit) -> None:
    made = combine(operator, left, right)
    assert made is not None
    assert made[0] is result


REFUSED = [
    (MULTIPLY, MONEY, MONEY),
    (MULTIPLY, TIME, COUNT),
    (MULTIPLY, R, R),
    (MULTIPLY, DURATION, DURATION),
    (MULTIPLY, DURATION, MONEY),
    (DIVIDE, RATIO, MONEY),
    (DIVIDE, COUNT, MONEY),
    (DIVIDE, TIME, TIME),
    (DIVIDE, TIME, COUNT),
    (DIVIDE, MONEY, DURATION),
    (ADD, TIME, TIME),
    (ADD, RATIO, MONEY),
    (ADD, COUNT, NUMBER),
    (SUBTRACT, DURATION, TIME),
    (SUBTRACT, RATIO, NUMBER),
]


@pytest.mark.parametrize(("operator", "left", "right"), REFUSED)
def test_other_units_mean_nothing_together(operator: Operator, left: Unit, right: Unit) -> None:
    assert combine(operator, left, right) is None


# What a quantum is, physically. Rates count a second, so that they agree with durations.
_QUANTUM = {unit: Fraction(1, quanta) for unit, quanta in QUANTA_PER_ONE.items()}
_QUANTUM[RATE] = Fraction(1, 60 * QUANTA_PER_ONE[RATE])
_FORMS = [f for f in itertools.product(Operator, Unit, Unit) if combine(*f) is not None]
_quanta = st.integers(-(10**15), 10**15)


@given(st.sampled_from(_FORMS), _quanta, _quanta.filter(bool))
def test_the_factors_are_exact(form: tuple[Operator, Unit, Unit], left: int, right: int) -> None:
    operator, a, b = form
    made = combine(operator, a, b)
    assert made is not None
    unit, up, down = made
    x, y = left * _QUANTUM[a], right * _QUANTUM[b]
    if operator is MULTIPLY:
        physical, quanta = x * y, Fraction(left * right * up, down)
    elif operator is DIVIDE:
        physical, quanta = x / y, Fraction(left * up, right * down)
    else:
        assert (up, down) == (1, 1)
        sign = 1 if operator is ADD else -1
        physical, quanta = x + sign * y, Fraction(left + sign * right)
    assert quanta * _QUANTUM[unit] == physical


@pytest.mark.parametrize("operator", [ADD, MULTIPLY])
def test_order_does_not_matter_where_it_does_not_in_arithmetic(operator: Operator) -> None:
    assert [p for p in itertools.product(Unit, Unit) if combine(operator, *p) != combine(operator, *reversed(p))] == []


def test_what_was_multiplied_can_be_divided_back() -> None:
    for a, b in itertools.product((MONEY, DURATION, RATE, R), (RATIO, NUMBER, COUNT)):
        product = combine(MULTIPLY, a, b)
        assert product is not None
        assert product[0] is a
        back = combine(DIVIDE, product[0], b)
        assert back is not None
        assert back[0] is a
