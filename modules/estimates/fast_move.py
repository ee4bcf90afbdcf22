"""How far the market has moved within the hour: what a fall of minutes shows before any statistic of hours does."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modules.estimates.hours import HOUR_MS
from modules.estimates.windows import Panel, middle
from modules.feeds.candles import Candles

FRESH_MS = 300_000
"""The oldest price that still says where a symbol stands."""

OLDEST_MS = 2 * HOUR_MS
"""The oldest close that still stands for an hour ago: with hourly bars, the newest is nearly two hours old at times."""

QUORUM = 0.5
"""Least share of the symbols whose move is known. Of fewer, the others may have fallen unseen."""


def closes_at(candles: Candles, ts: NDArray[np.int64], youngest: int, oldest: int) -> Panel:
    """For each time in `ts` (ms), the newest close of each symbol that is `youngest` to `oldest` ms old.

    Shape (times, symbols), NaN where there is none.
    """
    out = np.full((len(ts), len(candles.symbols)), np.nan)
    if len(candles.opened) == 0:
        return out
    has = np.isfinite(candles.close)
    newest = np.maximum.accumulate(np.where(has, np.arange(len(has))[:, None], -1), axis=0)
    bar = np.searchsorted(candles.closed, ts - youngest, side="right") - 1
    place = np.where((bar >= 0)[:, None], newest[np.maximum(bar, 0)], -1)
    there = (place >= 0) & (candles.closed[np.maximum(place, 0)] >= (ts - oldest)[:, None])
    column = np.broadcast_to(np.arange(out.shape[1]), out.shape)
    out[there] = candles.close[place[there], column[there]]
    return out


def before_the_hour(candles: Candles, ts: NDArray[np.int64]) -> Panel:
    """The newest close of each symbol that is an hour old or more at each time, shape (times, symbols)."""
    return closes_at(candles, ts, HOUR_MS, OLDEST_MS)


def median_move(before: Panel, now: Panel) -> Panel:
    """Median over symbols of price now / price before - 1, shape (times, 1).

    NaN where fewer than `QUORUM` of the symbols that have either price have both, or none has.
    """
    is_price = (before > 0) & (now > 0) & np.isfinite(before) & np.isfinite(now)
    move = np.divide(now, before, out=np.full(before.shape, np.nan), where=is_price) - 1
    known = is_price.sum(axis=1)
    either = (np.isfinite(before) | np.isfinite(now)).sum(axis=1)
    enough = (known > 0) & (known >= QUORUM * either)
    out: Panel = np.where(enough[:, None], middle(move), np.nan)
    return out


def recorded_moves(candles: Candles) -> Panel:
    """`median_move` at the close of each bar, prices those of candles, shape (bars, 1)."""
    now = closes_at(candles, candles.closed, 0, FRESH_MS)
    return median_move(before_the_hour(candles, candles.closed), now)
