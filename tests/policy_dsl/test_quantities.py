"""Quanta: rounding half to even, once, and what no number becomes."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policy_dsl.quantities import (
    INT64_MAX,
    INT64_MIN,
    QUANTA_PER_ONE,
    Unit,
    divide_half_even,
    fits,
    from_quanta,
    to_quanta,
)

_integers = st.integers(-(10**40), 10**40)


@given(_integers, _integers.filter(bool))
def test_division_rounds_as_fractions_do(numerator: int, denominator: int) -> None:
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(1, 2, 0), (3, 2, 2), (5, 2, 2), (-1, 2, 0), (-3, 2, -2), (1, -2, 0), (-5, -2, 2), (7, 4, 2), (0, -7, 0)],
)
def test_ties_go_to_the_even_neighbour(numerator: int, denominator: int, quotient: int) -> None:
    assert divide_half_even(numerator, denominator) == quotient


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(Unit))
def test_a_float_is_scaled_in_double_precision_and_rounded_once(value: float, unit: Unit) -> None:
    scaled = value * QUANTA_PER_ONE[unit]
    expected = round(scaled) if math.isfinite(scaled) and fits(round(scaled)) else None
    assert to_quanta(value, unit) == expected


@given(st.decimals(-(10**12), 10**12, places=12), st.sampled_from(Unit))
def test_decimals_are_scaled_exactly(value: Decimal, unit: Unit) -> None:
    exact = round(Fraction(value) * QUANTA_PER_ONE[unit])
    wanted = exact if fits(exact) else None
    assert to_quanta(value, unit) == wanted
    assert to_quanta(f"{value:f}", unit) == wanted


@pytest.mark.parametrize(
    "value",
    [math.nan, math.inf, -math.inf, 1e300, True, False, "", "abc", "nan", "1/0", Decimal("NaN"), Decimal("Infinity")],
)
def test_what_is_no_finite_number_is_missing(value: float | bool | str | Decimal) -> None:
    assert to_quanta(value, Unit.RATIO) is None


@pytest.mark.parametrize(
    ("value", "there"), [(INT64_MAX, True), (INT64_MAX + 1, False), (INT64_MIN, True), (INT64_MIN - 1, False)]
)
def test_quanta_are_64_bits(value: int, there: bool) -> None:
    assert fits(value) is there
    assert to_quanta(value, Unit.COUNT) == (value if there else None)


@given(st.integers(-(2**52), 2**52), st.sampled_from(Unit))
def test_documents_give_back_what_they_were_given(quanta: int, unit: Unit) -> None:
    shown = from_quanta(quanta, unit)
    assert isinstance(shown, int) == (unit is Unit.COUNT)
    assert to_quanta(repr(shown), unit) == quanta


@pytest.mark.parametrize("text", ["0e999999999", "-0e99", "0", "1e-999999999"])
def test_nothing_is_nothing_whatever_its_exponent(text: str) -> None:
    assert to_quanta(Decimal(text), Unit.RATIO) == 0
