"""What came of a bar, worked by hand; and how far a mean is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from modules.learning.intervals import mean_interval
from modules.learning.outcomes import COST, made, rises
from tests.modules.hourly_market import candles_of


def test_a_price_that_stays_has_not_risen() -> None:
    close = np.array([[100.0], [101.0], [101.0], [99.0]])
    assert np.array_equal(rises(close, 1)[:, 0], [1, 0, 0, np.nan], equal_nan=True)
    assert np.array_equal(rises(close, 2)[:, 0], [1, 0, np.nan, np.nan], equal_nan=True)
    assert np.isnan(rises(close, 4)).all()


@pytest.mark.parametrize(
    ("sign", "close", "r"),
    [
        (1, (100.0, 102.0), (0.02 - COST) / 0.04),
        (-1, (100.0, 102.0), (-0.02 - COST) / 0.04),
        (1, (100.0, 95.0, 110.0), (-0.04 - COST) / 0.04),
        (-1, (100.0, 105.0, 90.0), (-0.04 - COST) / 0.04),
    ],
)
def test_r_is_the_move_less_costs_and_never_better_than_the_stop(sign: int, close: tuple[float, ...], r: float) -> None:
    candles = candles_of(np.array(close)[:, None], ("A",), reach=0.0)
    assert made(sign, 100.0, 0.04, candles, 0) == pytest.approx(r)


def test_r_without_a_stop_or_with_a_gap_is_not_known() -> None:
    candles = candles_of(np.array([[100.0], [102.0]]), ("A",))
    assert np.isnan(made(1, 100.0, float("nan"), candles, 0))
    assert np.isnan(made(1, 100.0, 0.0, candles, 0))
    assert np.isnan(made(1, 100.0, 0.04, replace(candles, low=np.full((2, 1), np.nan)), 0))


def test_independent_figures_have_the_interval_of_student() -> None:
    values = np.random.default_rng(1).standard_normal(5000)
    found = mean_interval(values)
    assert found is not None
    wanted = stats.t.interval(0.95, 4999, values.mean(), stats.sem(values))
    np.testing.assert_allclose(found, wanted, atol=0.004)


def test_figures_that_hang_together_say_less() -> None:
    rng = np.random.default_rng(2)
    values = np.zeros(2000)
    for i in range(1, 2000):
        values[i] = 0.8 * values[i - 1] + rng.standard_normal()
    found = mean_interval(values)
    assert found is not None
    assert found[1] - found[0] > 1.8 * 2 * 1.96 * stats.sem(values)


def test_an_interval_covers_the_mean_about_as_often_as_it_says() -> None:
    rng = np.random.default_rng(3)
    found = [mean_interval(rng.standard_t(4, 60)) for _ in range(300)]
    covered = sum(low <= 0 <= high for low, high in filter(None, found))
    assert 0.90 <= covered / 300 <= 0.98


def test_few_figures_and_no_numbers_have_no_interval() -> None:
    assert mean_interval(np.ones(29)) is None
    assert mean_interval(np.append(np.ones(40), np.nan)) is None
    assert mean_interval(np.append(np.ones(40), np.inf)) is None
    assert mean_interval(np.ones(30)) == pytest.approx((1.0, 1.0))
