"""The market of a day and its mishaps: from a seed, nothing seen before its time, and a crash where it is to be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.trading_day.market import DAY, DayMarket, Fall, day_market
from modules.trading_day.mishaps import CRASH, KILLS, OUTAGE, STORM, WINDOWS, mishaps
from modules.trading_day.signals import signals

MIDNIGHT = 1_767_744_000_000
MINUTE = 60_000
FALL = Fall(900, 20, 0.15)


@pytest.fixture(scope="module")
def market() -> DayMarket:
    return day_market(3, MIDNIGHT, FALL, history_days=20)


def test_the_same_seed_makes_the_same_market_and_the_same_proposals(market: DayMarket) -> None:
    again, other = (day_market(seed, MIDNIGHT, FALL, history_days=20) for seed in (3, 4))
    assert again.fingerprint == market.fingerprint != other.fingerprint
    assert signals(3, again) == signals(3, market) != signals(4, market)


def test_there_is_a_price_when_the_day_begins_and_at_its_end(market: DayMarket) -> None:
    for at in (MIDNIGHT, MIDNIGHT + DAY * MINUTE):
        assert all(market.price(symbol, at) is not None for symbol in market.candles.symbols)
    assert market.midnight == MIDNIGHT


def test_a_bar_is_seen_once_it_has_closed(market: DayMarket) -> None:
    assert [market.bar(MIDNIGHT + ms) for ms in (-1, 0, MINUTE - 1, MINUTE)] == [-1, 0, 0, 1]
    assert market.bar(MIDNIGHT + 10 * DAY * MINUTE) == DAY


def test_the_crash_costs_the_market_what_it_is_to_cost(market: DayMarket) -> None:
    def index(minute: int) -> float:
        return float(np.log(market.candles.close[minute]).mean())

    fell = index(FALL.start + FALL.minutes) - index(FALL.start)
    won_back = index(FALL.start + 2 * FALL.minutes) - index(FALL.start + FALL.minutes)
    assert fell == pytest.approx(1.1 * np.log(1 - FALL.depth), abs=0.03)
    assert won_back == pytest.approx(-fell / 3, abs=0.02)


def test_hourly_candles_are_the_same_object_until_the_next_hour_closes(market: DayMarket) -> None:
    first, same, later = (market.candles_at(MIDNIGHT + m * MINUTE) for m in (60, 119, 120))
    assert first is same
    assert first is not later
    assert len(later.opened) == len(first.opened) + 1
    for minute in (0, 59, 60, DAY):
        at = MIDNIGHT + minute * MINUTE
        assert market.candles_at(at).closed[-1] <= at
    assert np.all(np.diff(later.opened) == 3_600_000)


def test_a_ticker_shows_the_best_of_the_book(market: DayMarket) -> None:
    at = MIDNIGHT + 500 * MINUTE
    for symbol in ("BTCUSDT", "GALAUSDT"):
        ticker, depth = market.ticker(symbol, at), market.depth(symbol, at)
        assert ticker is not None
        assert depth is not None
        assert (ticker.bid, ticker.ask) == (depth.bids[0][0], depth.asks[0][0])
        assert ticker.at == depth.at == at


@given(st.integers(0, 10_000))
@settings(max_examples=50)
def test_mishaps_fall_in_their_windows_and_do_not_overlap(seed: int) -> None:
    found = mishaps(seed, MIDNIGHT)
    for name in (OUTAGE, STORM, CRASH):
        first, last = (MIDNIGHT + round(part * DAY) * MINUTE for part in WINDOWS[name])
        assert first <= found.spells[name].start < found.spells[name].end <= last
    assert len(found.kills) == KILLS
    assert [k.at for k in found.kills] == sorted(k.at for k in found.kills)
    for kill in found.kills:
        assert not any(spell.holds(kill.at) for spell in found.spells.values())


@given(st.integers(0, 1_000))
@settings(max_examples=30)
def test_a_short_day_has_the_same_mishaps_in_it(seed: int) -> None:
    found = mishaps(seed, MIDNIGHT, 180)
    ends = [spell.end for spell in found.spells.values()]
    assert ends == sorted(ends)
    assert max(ends) <= MIDNIGHT + 180 * MINUTE
    assert len(found.kills) == KILLS


def test_seven_of_ten_proposals_go_the_way_in_which_their_symbol_drifts(market: DayMarket) -> None:
    found = signals(3, market)
    column = {symbol: i for i, symbol in enumerate(market.candles.symbols)}
    right = [(s.sign > 0) == (market.drift[s.minute, column[s.symbol]] > 0) for s in found]
    assert len(found) > 250
    assert np.mean(right) == pytest.approx(0.7, abs=0.08)
    assert [s.minute for s in found] == sorted(s.minute for s in found)
