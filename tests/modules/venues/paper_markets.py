"""Small markets, made by hand, that a test can see through."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from modules.feeds.candles import Candles
from modules.inputs import Depth
from modules.venues.paper_market import FIRST_MS, PaperMarket

MINUTE = 60_000
A, B = "AAAUSDT", "BBBUSDT"
BOOK = Depth(
    FIRST_MS + 10 * MINUTE,
    bids=((99.9, 2.0), (99.8, 3.0), (99.6, 5.0), (99.1, 10.0)),
    asks=((100.0, 2.0), (100.1, 3.0), (100.3, 5.0), (100.8, 10.0)),
)
"""The asks of the design's example, with their mirror image as bids; the mid is 99.95."""

Bar = tuple[float, float, float]
"""Low, high, close."""


def at(bar: int) -> int:
    """The time at which the bar of that number opens."""
    return FIRST_MS + bar * MINUTE


def market(
    later: Sequence[Bar] = (), volume: float = 1_000.0, books: Mapping[str, Sequence[Depth]] | None = None
) -> PaperMarket:
    """Ten bars at 100 in two symbols, `later` ones of the first; by default the book of its tenth close is BOOK."""
    bars: list[Bar] = [(100.0, 100.0, 100.0)] * 10 + list(later)
    low, high, close = (np.array([[bar[n], 100.0] for bar in bars]) for n in range(3))
    opened = FIRST_MS + MINUTE * np.arange(len(bars), dtype=np.int64)
    first = np.vstack([close[:1], close[:-1]])
    candles = Candles("paper", MINUTE, opened, (A, B), first, high, low, close, np.full(close.shape, volume))
    return PaperMarket(candles, np.full(close.shape, 0.001), 7, {A: [BOOK]} if books is None else books)
