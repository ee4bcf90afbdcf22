"""Small made-up candles for tests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modules.feeds.candles import Candles
from modules.market_state import Horizons

HOUR_MS = 3_600_000
START_MS = 1_735_689_600_000
"""2025-01-01T00:00:00Z."""

SHORT = Horizons(trend=12, trends=(4, 8), breadth=6, least=10)
"""Windows that a test fills quickly."""


def made_candles(seed: int, bars: int = 120, symbols: int = 4, volatility: float = 0.01) -> Candles:
    """A random walk of hourly candles, sound in every way."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0.0005, volatility, (bars, symbols)), axis=0))
    opened = np.vstack([np.full((1, symbols), 100.0), close[:-1]])
    wick = 1 + np.abs(rng.normal(0, volatility / 2, (2, bars, symbols)))
    return Candles(
        book="made",
        cadence_ms=HOUR_MS,
        opened=START_MS + HOUR_MS * np.arange(bars, dtype=np.int64),
        symbols=tuple(f"{name}USDT" for name in sorted(("ADA", "BTC", "ETH", "SOL", "UNI", "XRP")[:symbols])),
        open=opened,
        high=np.maximum(opened, close) * wick[0],
        low=np.minimum(opened, close) / wick[1],
        close=close,
        volume=rng.lognormal(8, 1, (bars, symbols)),
    )


def first_bars(candles: Candles, bars: int) -> Candles:
    """The same candles as they were known when only so many bars had closed."""
    panels = {n: getattr(candles, n)[:bars] for n in ("open", "high", "low", "close", "volume")}
    return replace(candles, opened=candles.opened[:bars], **panels)


def shaken_after(candles: Candles, bars: int, factor: float) -> Candles:
    """Other prices from the bar at index `bars` on."""
    panels = {n: getattr(candles, n).copy() for n in ("open", "high", "low", "close", "volume")}
    for panel in panels.values():
        panel[bars:] *= factor
    return replace(candles, **panels)
