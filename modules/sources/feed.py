"""What the feed tells of prices: their age, their spread, how far they moved within the hour, and funding."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np

from modules.estimates.fast_move import FRESH_MS, before_the_hour, median_move
from modules.estimates.hours import newest
from modules.inputs import Inputs, Market, Ticker
from modules.supply import Supply

HOURS_BACK = 3 / 24
"""Days of candles in which the closes of an hour ago lie."""

NO_PRICE = "no price has arrived"

AHEAD_MS = 60_000
"""A snapshot is dated before the venue is asked, so that its prices are a little younger than it is. What is dated
further ahead has a clock that is wrong, and how old it is nobody knows."""


class FeedSource:
    """`market.data_age` and `market.hour_move`, and a row for each symbol that is listed or has a price."""

    name: ClassVar[str] = "feed"
    policy: ClassVar[str | None] = None
    port: ClassVar[int | None] = None
    interval: ClassVar[float] = 0
    owners: ClassVar[tuple[str, ...]] = ("feed",)

    def compute(self, inputs: Inputs) -> Supply:
        """Ages at the time of the snapshot; a spread of crossed or absent quotes is unknown."""
        market, reasons = inputs.market, {}
        single: dict[str, Any] = {}
        age = None if market.newest is None else age_ms(market.newest, inputs.ts)
        if age is None:
            why = "no market event has arrived" if market.newest is None else _ahead(market.newest, inputs.ts)
            reasons["market.data_age"] = why
        else:
            single["market.data_age"] = age / 1000
        move = _hour_move(market, inputs.ts)
        if isinstance(move, str):
            reasons["market.hour_move"] = move
        else:
            single["market.hour_move"] = move
        rows: dict[str, dict[str, Any]] = {}
        for symbol in sorted(_symbols(market)):
            ticker = market.tickers.get(symbol)
            rows[symbol] = {} if ticker is None else _priced(ticker, inputs.ts)
            if "price_age" not in rows[symbol]:
                reasons[f'symbol["{symbol}"].price_age'] = _why_no_age(ticker, inputs.ts)
            if symbol in market.funding:
                rows[symbol]["funding_rate"] = market.funding[symbol]
        told = market.listings is not None or market.tickers
        return Supply(single=single, rows={"symbol": rows} if told else {}, reasons=reasons)


def age_ms(at: int, now: int) -> int | None:
    """How old what is dated `at` (ms) is at `now`, never negative; None where a clock is wrong."""
    return max(0, now - at) if at - now <= AHEAD_MS else None


def _ahead(at: int, now: int) -> str:
    return f"it is dated {(at - now) / 1000:.0f} s ahead: a clock is wrong"


def _why_no_age(ticker: Ticker | None, now: int) -> str:
    return _ahead(ticker.at, now) if ticker is not None and is_price(ticker.price) else NO_PRICE


def is_price(value: float) -> bool:
    """Whether a number can be a price."""
    return 0 < value < math.inf


def _symbols(market: Market) -> set[str]:
    return set(market.tickers) | set(market.listings or {})


def _hour_move(market: Market, now: int) -> float | str:
    """The median move within the hour of the symbols that are traded and have candles, or why nobody knows it."""
    candles = market.candles
    if candles is None:
        return "there are no candles"
    bars = newest(candles, now, HOURS_BACK)
    before = before_the_hour(bars, np.array([now]))[0]
    price = np.array([_last(market.tickers.get(symbol), now) for symbol in bars.symbols])
    if market.listings is not None:
        is_traded = np.array([_is_traded(market, symbol) for symbol in bars.symbols], dtype=bool)
        before, price = before[is_traded], price[is_traded]
    move = float(median_move(before[None, :], price[None, :])[0, 0])
    if math.isfinite(move):
        return move
    both = int((np.isfinite(before) & np.isfinite(price)).sum())
    return f"{both} of {len(before)} symbols have both a price of the last 5 minutes and a close of an hour ago"


def _is_traded(market: Market, symbol: str) -> bool:
    listing = (market.listings or {}).get(symbol)
    return listing is not None and listing.is_active


def _last(ticker: Ticker | None, now: int) -> float:
    """The last price, NaN where it is no price or not fresh."""
    age = None if ticker is None else age_ms(ticker.at, now)
    is_fresh = age is not None and age <= FRESH_MS
    return ticker.last if ticker is not None and is_fresh and is_price(ticker.last) else math.nan


def _priced(ticker: Ticker, ts: int) -> dict[str, Any]:
    """Nothing is as old as a price that is none."""
    age = age_ms(ticker.at, ts) if is_price(ticker.price) else None
    row: dict[str, Any] = {} if age is None else {"price_age": age / 1000}
    middle = (ticker.bid + ticker.ask) / 2
    if math.isfinite(middle) and 0 < ticker.bid <= ticker.ask:
        row["spread"] = (ticker.ask - ticker.bid) / middle
    return row
