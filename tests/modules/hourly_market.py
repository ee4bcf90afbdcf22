"""Markets of hours made for tests: prices as given, everything else told plainly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from modules.feeds.candles import Candles
from modules.inputs import Book, ClosedTrade, Inputs, Listing, Market, Ticker
from policy_dsl.quantities import MS_PER_DAY

HOUR = 3_600_000
NOW = 1_752_537_600_000


def candles_of(
    close: NDArray[np.float64], symbols: Sequence[str], *, cadence: int = HOUR, end: int = NOW, reach: float = 0.001
) -> Candles:
    """Candles that open at the close before and reach a thousandth beyond both; a thousand units trade in each."""
    opened = np.vstack([close[:1], close[:-1]])
    return Candles(
        "test",
        cadence,
        end - cadence * np.arange(len(close), 0, -1, dtype=np.int64),
        tuple(symbols),
        opened,
        np.maximum(opened, close) * (1 + reach),
        np.minimum(opened, close) * (1 - reach),
        close,
        np.full(close.shape, 1000.0),
    )


def walk(days: float, symbols: int = 6, *, seed: int = 1, drift: float = 0.0) -> NDArray[np.float64]:
    """Prices by the hour that are calm or wild in turn and drift so much an hour."""
    rng = np.random.default_rng(seed)
    hours = round(days * 24)
    wild = np.cumsum(rng.random(hours) > 0.98) % 2
    market = rng.standard_normal(hours) * np.where(wild, 0.008, 0.003) + drift
    own = rng.standard_normal((hours, symbols)) * 0.003
    return np.asarray(100 * np.exp(np.cumsum(market[:, None] + own, axis=0)), dtype=np.float64)


def ticker(volume: float, *, spread: float = 0.0002, at: int = NOW, price: float = 100.0) -> Ticker:
    """A ticker of a symbol that trades so much a day."""
    return Ticker(at, price, price * (1 - spread / 2), price * (1 + spread / 2), volume_24h=volume)


def trades_of(symbol: str, multiples: Sequence[float | None], *, ended: int = NOW) -> tuple[ClosedTrade, ...]:
    """Closed trades an hour apart, whose profit has the sign of their R."""
    last = len(multiples)
    return tuple(
        ClosedTrade(symbol, "LONG", "OTHER", ended - (last - i) * HOUR, None if r is None else 10 * r, None, r)
        for i, r in enumerate(multiples)
    )


def inputs_of(
    volumes: Mapping[str, float],
    *,
    tickers: Mapping[str, Ticker] | None = None,
    listings: Mapping[str, Listing] | None = None,
    trades: Sequence[ClosedTrade] = (),
    candles: Candles | None = None,
) -> Inputs:
    """A fund that sees these symbols, listed for two years, each trading so much a day; `tickers` replace some."""
    listed = {s: Listing(s, listed_at=NOW - 730 * MS_PER_DAY) for s in volumes}
    priced = {s: ticker(volume) for s, volume in volumes.items()} | dict(tickers or {})
    market = Market(candles, listed | dict(listings or {}), priced, newest=NOW)
    return Inputs("main", NOW, market, Book(positions={}, orders={}, trades=tuple(trades)))


def without(inputs: Inputs, *symbols: str) -> Inputs:
    """The same, where the venue neither lists nor prices these."""
    market = inputs.market
    listings = {s: listing for s, listing in (market.listings or {}).items() if s not in symbols}
    tickers = {s: found for s, found in market.tickers.items() if s not in symbols}
    return replace(inputs, market=replace(market, listings=listings, tickers=tickers))
