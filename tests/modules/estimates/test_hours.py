"""Candles of any cadence as candles of an hour."""

from __future__ import annotations

import numpy as np
import pytest

from modules.estimates.hours import covers, hourly, newest
from modules.feeds.candles import Candles
from tests.modules.hourly_market import HOUR, NOW, candles_of

QUARTER = HOUR // 4


def quarters(close: list[list[float]], *, end: int = NOW) -> Candles:
    return candles_of(np.array(close, dtype=float), ["A", "B"][: len(close[0])], cadence=QUARTER, end=end, reach=0.1)


def test_an_hour_is_made_of_its_quarters() -> None:
    made = hourly(quarters([[10], [12], [8], [9], [20], [20], [20], [20]]))
    assert made.cadence_ms == HOUR
    assert made.opened.tolist() == [NOW - 2 * HOUR, NOW - HOUR]
    assert made.open[:, 0].tolist() == [10, 9]
    assert made.close[:, 0].tolist() == [9, 20]
    assert made.high[:, 0] == pytest.approx([12 * 1.1, 20 * 1.1])
    assert made.low[:, 0] == pytest.approx([8 * 0.9, 9 * 0.9])
    assert made.volume[:, 0].tolist() == [4000, 4000]


def test_an_hour_that_is_not_over_is_not_there() -> None:
    assert hourly(quarters([[10]] * 7, end=NOW - QUARTER)).opened.tolist() == [NOW - 2 * HOUR]
    assert len(hourly(quarters([[10]] * 2, end=NOW - 2 * QUARTER)).opened) == 0


def test_candles_that_are_not_there_are_left_out_of_the_hour() -> None:
    nan = float("nan")
    candles = quarters([[nan, nan], [12, nan], [8, nan], [nan, nan]])
    made = hourly(candles)
    assert made.close[:, 0].tolist() == [8]
    assert np.isnan(made.close[:, 1]).all()
    assert np.isnan(made.volume[:, 1]).all()


def test_hours_and_longer_candles_stay_as_they_are() -> None:
    candles = candles_of(np.ones((3, 1)), ["A"])
    assert hourly(candles) is candles


def test_minutes_and_hours_tell_the_same() -> None:
    rng = np.random.default_rng(0)
    prices = 100 * np.exp(np.cumsum(rng.normal(0, 0.001, (48 * 60, 1)), axis=0))
    made = hourly(candles_of(prices, ["A"], cadence=60_000))
    assert made.close[:, 0].tolist() == prices[59::60, 0].tolist()


def test_the_newest_days_end_now_and_see_nothing_of_later() -> None:
    candles = candles_of(np.arange(1.0, 101.0)[:, None], ["A"])
    made = newest(candles, NOW - 2 * HOUR, 1.0)
    assert made.close[:, 0].tolist() == list(range(75, 99))


def test_a_window_with_a_hole_is_not_covered() -> None:
    whole = candles_of(np.ones((100, 1)), ["A"])
    assert covers(whole, 100)
    assert not covers(whole, 101)
    opened = whole.opened.copy()
    opened[:50] -= 4 * HOUR
    holed = Candles("t", HOUR, opened, ("A",), whole.open, whole.high, whole.low, whole.close, whole.volume)
    assert covers(holed, 50)
    assert not covers(holed, 100)
