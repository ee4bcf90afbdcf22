"""Moves of a market, carried on from midnight: the same whatever was worked out before, and those of one long look."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from modules.estimates import volatility, windows
from modules.estimates.hours import HOURS_A_DAY, alike, at_midnight, newest, of_days
from modules.estimates.market_moves import LEAST, PAST_DAYS, RECENT, Followed, Moves
from modules.feeds.candles import Candles
from policy_dsl.quantities import MS_PER_DAY
from tests.modules.hourly_market import HOUR, NOW, candles_of, walk

SYMBOLS = ("A", "B", "C", "D")
DAYS = 1000
"""Days that hold all hours."""

MIDNIGHT = NOW // MS_PER_DAY * MS_PER_DAY


def market(days: int = 20, end: int = MIDNIGHT + 30 * HOUR) -> Candles:
    """With a symbol that began late, one with gaps and one that stood still at the end."""
    prices = walk(days, len(SYMBOLS), seed=5)
    prices[: 3 * HOURS_A_DAY, 1] = np.nan
    prices[[50, 51, 90, -2, -5], 2] = np.nan
    made = candles_of(prices, SYMBOLS, end=end)
    for panel in (made.open, made.high, made.low, made.close):
        panel[-LEAST - 60 :, 3] = 7.0
    return made


def same(one: Moves, other: Moves) -> bool:
    names = ("returns", "earlier", "forecast", "index", "market_variance", "turbulence")
    return all(np.array_equal(getattr(one, n), getattr(other, n), equal_nan=True) for n in names)


def test_what_was_worked_out_before_makes_no_difference() -> None:
    whole, followed = market(), Followed()
    for end in range(MIDNIGHT - 3 * HOUR, MIDNIGHT + 31 * HOUR, HOUR):
        hours = newest(whole, end, DAYS)
        assert same(followed.moves(hours), Followed().moves(hours)), end


@pytest.mark.parametrize("panel", ["open", "high", "low", "close"])
def test_a_price_of_a_day_before_that_was_put_right_is_seen(panel: str) -> None:
    whole, followed = market(), Followed()
    followed.moves(whole)
    other = replace(
        whole, open=whole.open.copy(), high=whole.high.copy(), low=whole.low.copy(), close=whole.close.copy()
    )
    changed: NDArray[np.float64] = getattr(other, panel)
    changed[200, 0] *= 1.01
    assert not same(followed.moves(other), followed.moves(whole))
    assert same(followed.moves(other), Followed().moves(other))


def test_other_symbols_are_other_moves() -> None:
    whole, followed = market(), Followed()
    followed.moves(whole)
    o, h, low, c, v = (p[:, :2] for p in (whole.open, whole.high, whole.low, whole.close, whole.volume))
    fewer = Candles(whole.book, whole.cadence_ms, whole.opened, SYMBOLS[:2], o, h, low, c, v)
    assert same(followed.moves(fewer), Followed().moves(fewer))


def test_they_are_those_of_one_look_at_all_hours() -> None:
    hours = market()
    moves = Followed().moves(hours)
    realised = volatility.bar_variance(hours.open, hours.high, hours.low, hours.close)
    forecast = volatility.forecast_variance(realised, LEAST)
    forecast[-LEAST:, 3] = np.nan
    told = np.concatenate([moves.earlier, moves.forecast])
    assert len(moves.forecast) == LEAST
    assert told == pytest.approx(forecast, rel=1e-9, nan_ok=True)
    returns = windows.log_returns(hours.close)
    assert np.array_equal(moves.returns, returns[-RECENT:], equal_nan=True)
    assert np.array_equal(moves.market_variance, windows.middle(realised))
    assert moves.index == pytest.approx(windows.over_symbols(returns, np.nanmean), nan_ok=True)
    # To the bit, though the scores of whole days are from before anything froze.
    turbulence = volatility.turbulence_score(returns, told)
    assert np.array_equal(moves.turbulence, turbulence, equal_nan=True)


@pytest.mark.parametrize("hours", [1, 5, 24, 25, LEAST + 2])
def test_a_market_that_has_only_begun_has_moves(hours: int) -> None:
    made = candles_of(walk(10, 2, seed=6)[:hours], ["A", "B"], end=MIDNIGHT + 5 * HOUR)
    moves = Followed().moves(made)
    assert moves.returns.shape == np.concatenate([moves.earlier, moves.forecast]).shape == (hours, 2)
    assert moves.index.shape == moves.market_variance.shape == moves.turbulence.shape == (hours, 1)
    assert np.isfinite(moves.forecast[-1]).all() == (hours >= LEAST)


def test_a_day_lies_between_its_midnights() -> None:
    hours = candles_of(walk(5, 1, seed=7), ["A"], end=MIDNIGHT + 5 * HOUR)
    before, today = at_midnight(hours)
    assert (before.closed[-1], today.opened[0], len(today.opened)) == (MIDNIGHT, MIDNIGHT, 5)
    assert len(at_midnight(before)[1].opened) == HOURS_A_DAY
    assert of_days(hours, 2).opened[0] == MIDNIGHT - 2 * MS_PER_DAY
    assert of_days(hours, PAST_DAYS).opened[0] == hours.opened[0]
    assert len(of_days(of_days(hours, 0), 0).opened) == 5


def test_bars_are_alike_where_every_price_is() -> None:
    hours = market()
    assert alike(hours, replace(hours, close=hours.close.copy()))
    assert not alike(hours, replace(hours, opened=hours.opened + 1))
    assert not alike(hours, replace(hours, symbols=("A", "B", "C", "E")))
    assert not alike(hours, newest(hours, int(hours.closed[-2]), DAYS))
