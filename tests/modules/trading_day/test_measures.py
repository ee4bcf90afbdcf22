"""Intervals: never narrower than the days bear, and none where there is too little."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.trading_day.measures import difference, drawdown, mean, over_days, rate, rate_of_days


def test_the_mean_of_days_has_students_interval() -> None:
    found = over_days([1.0, 2.0, 3.0, 4.0])
    # The 97.5 % quantile of Student's t with 3 degrees of freedom is 3.18245.
    half = 3.182446 * math.sqrt(5 / 3) / 2
    assert found.value == 2.5
    assert found.n == 4
    assert found.low == pytest.approx(2.5 - half, abs=1e-5)
    assert found.high == pytest.approx(2.5 + half, abs=1e-5)


@pytest.mark.parametrize("values", [[], [1.0], [1.0, 2.0], [1.0, None, 2.0], [1.0, math.nan, 2.0]])
def test_two_days_make_no_interval(values: list[float | None]) -> None:
    found = over_days(values)
    assert not found.is_known
    assert not found.is_over(-1e9)
    assert not found.is_under(1e9)


def test_days_that_are_all_alike_have_no_width_and_say_so() -> None:
    found = over_days([0.0, 0.0, 0.0])
    assert (found.low, found.high, found.method) == (0.0, 0.0, "all days alike")
    assert not found.is_over(0.0)


@given(st.lists(st.floats(-1e6, 1e6), min_size=3, max_size=30))
def test_an_interval_holds_its_mean(values: list[float]) -> None:
    found = over_days(values)
    assert found.low is not None
    assert found.high is not None
    assert found.value is not None
    assert found.low <= found.value + 1e-6
    assert found.value <= found.high + 1e-6


def test_a_rate_of_few_cases_says_nothing() -> None:
    assert not rate(0, 19, "cases").is_known
    found = rate(0, 20, "cases")
    assert found.low == 0.0
    assert found.high == pytest.approx(0.1611, abs=1e-4)
    assert rate(0, 0, "cases").value is None


def test_a_rate_over_days_is_as_wide_as_the_days_differ() -> None:
    alike = rate_of_days([(5, 50), (5, 50), (5, 50)], "cases")
    unlike = rate_of_days([(0, 50), (0, 50), (15, 50)], "cases")
    assert alike.value == unlike.value == 0.1
    assert (alike.low, alike.high) == (rate(15, 150, "cases").low, rate(15, 150, "cases").high)
    assert unlike.high is not None
    assert alike.high is not None
    assert unlike.high > 2 * alike.high
    assert unlike.low == 0.0


def test_differences_are_taken_day_by_day() -> None:
    found = difference([2.0, 12.0, 22.0, None], [1.0, 11.0, 21.0, 5.0])
    assert (found.value, found.low, found.high, found.n) == (1.0, 1.0, 1.0, 3)


def test_a_drawdown_is_from_the_highest_point_so_far() -> None:
    assert drawdown([100.0, 120.0, 90.0, 130.0, 117.0]) == pytest.approx(0.25)
    assert drawdown([1.0, 2.0]) == 0.0
    assert drawdown([]) == 0.0
    assert mean([]) is None
