"""A made-up market with half a year of history, the same one every time: for modules that are asked without a fund."""

from __future__ import annotations

from functools import cache

import numpy as np

from modules.estimates.hours import HOUR_MS, HOURS_A_DAY
from modules.feeds.candles import Candles, Panel
from modules.inputs import Book, Inputs, Listing, Market, Ticker
from modules.simulated_market import OWN_VOLATILITY_A_DAY, SYMBOLS, TAIL
from policy_dsl.quantities import MS_PER_DAY

NOW = 1_752_537_600_000
"""2025-07-15T00:00:00Z."""

DAYS = 195
SEED = 20_250_715

MORE = (
    ("ADAUSDT", 0.75, 1.2, 9e8), ("TRXUSDT", 0.30, 0.6, 4e8), ("SUIUSDT", 3.9, 1.4, 8e8), ("LTCUSDT", 95.0, 0.9, 4.5e8),
    ("DOTUSDT", 4.0, 1.2, 2.5e8), ("NEARUSDT", 2.6, 1.3, 2.4e8), ("APTUSDT", 5.0, 1.3, 1.8e8),
    ("ARBUSDT", 0.42, 1.4, 2.1e8), ("OPUSDT", 0.70, 1.4, 1.6e8), ("FILUSDT", 2.6, 1.2, 1.2e8),
    ("INJUSDT", 13.0, 1.4, 1.1e8), ("ATOMUSDT", 4.6, 1.1, 9e7), ("LDOUSDT", 0.95, 1.5, 8e7),
    ("GALAUSDT", 0.017, 1.5, 7e7),
)  # fmt: skip
"""Further symbols, as in the simulated market: price, sensitivity to the market, and value traded a day."""

STAY = 0.98
"""Probability that calm or wild lasts another hour."""

MARKET_VOLATILITY_A_DAY = np.array([0.015, 0.04])
"""Calm and wild."""


@cache
def sample_inputs() -> Inputs:
    """The state of a fund that has just begun, in the made-up market: nothing is held, ordered or closed."""
    rng = np.random.default_rng(SEED)
    candles = _candles(rng)
    value = dict(zip(candles.symbols, (candles.close * candles.volume)[-HOURS_A_DAY:].sum(axis=0), strict=True))
    spreads = {s: 1e-4 * np.sqrt(1e9 / daily) for s, _, _, daily in (*SYMBOLS, *MORE)}
    last = dict(zip(candles.symbols, candles.close[-1], strict=True))
    tickers = {
        s: Ticker(
            at=NOW,
            last=float(last[s]),
            bid=float(last[s] * (1 - spreads[s] / 2)),
            ask=float(last[s] * (1 + spreads[s] / 2)),
            volume_24h=float(value[s]),
        )
        for s in candles.symbols
    }
    listings = {s: Listing(s, listed_at=NOW - 4 * 365 * MS_PER_DAY) for s in candles.symbols}
    market = Market(candles, listings, tickers, newest=NOW)
    return Inputs("sample", NOW, market, Book(positions={}, orders={}, trades=()))


def _candles(rng: np.random.Generator) -> Candles:
    """Hourly candles: a market that is calm or wild by a Markov chain, and what each symbol does of its own."""
    bars = DAYS * HOURS_A_DAY
    symbols = sorted((*SYMBOLS, *MORE))
    price, beta, daily = (np.array([s[i] for s in symbols]) for i in (1, 2, 3))
    wild = np.cumsum(rng.random(bars) > STAY) % 2
    hour = np.sqrt(HOURS_A_DAY * TAIL / (TAIL - 2))
    market = rng.standard_t(TAIL, bars) * MARKET_VOLATILITY_A_DAY[wild] / hour
    own = rng.standard_t(TAIL, (bars, len(symbols))) * OWN_VOLATILITY_A_DAY / hour
    path = np.cumsum(market[:, None] * beta + own, axis=0)
    close: Panel = price * np.exp(path - path[-1])
    opened = np.vstack([close[:1], close[:-1]])
    reach = np.exp(np.abs(rng.standard_normal((2, *close.shape))) * MARKET_VOLATILITY_A_DAY[wild][:, None] / hour)
    return Candles(
        book="sample",
        cadence_ms=HOUR_MS,
        opened=NOW - HOUR_MS * np.arange(bars, 0, -1, dtype=np.int64),
        symbols=tuple(s[0] for s in symbols),
        open=opened,
        high=np.maximum(opened, close) * reach[0],
        low=np.minimum(opened, close) / reach[1],
        close=close,
        volume=daily / HOURS_A_DAY * np.exp(0.5 * rng.standard_normal(close.shape)) / close,
    )
