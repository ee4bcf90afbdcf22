"""Candles of any cadence up to an hour as candles of an hour, so that a window is a stretch of time and not of bars."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from modules.feeds.candles import PRICES, Candles, Panel
from policy_dsl.quantities import MS_PER_DAY

HOUR_MS = 3_600_000
HOURS_A_DAY = MS_PER_DAY // HOUR_MS

STALE_MS = 2 * HOUR_MS
"""Candles of which the newest closed longer ago say nothing of now."""

SLACK = 1.02
"""A window of bars may take this much longer than its bars do, for the hours in which a venue had none."""


def newest(candles: Candles, now: int, days: float) -> Candles:
    """The bars that have closed by `now` (ms), of its last `days`."""
    first, last = np.searchsorted(candles.closed, (now - days * MS_PER_DAY, now), side="right")
    return _bars(candles, slice(int(first), int(last)))


def hourly(candles: Candles) -> Candles:
    """One bar for each hour (UTC) of which there are candles; the last hour only once it is over.

    A symbol's bar is made of the candles that it has in the hour, and is not there if it has none. Candles of an hour,
    or longer ones, are left as they are.
    """
    if candles.cadence_ms >= HOUR_MS or len(candles.opened) == 0:
        return candles
    hour = candles.opened // HOUR_MS
    over = (hour + 1) * HOUR_MS <= candles.closed[-1]
    candles = _bars(candles, slice(0, int(over.sum())))
    if len(candles.opened) == 0:
        return replace(candles, cadence_ms=HOUR_MS)
    hours, starts = np.unique(candles.opened // HOUR_MS, return_index=True)
    place = np.arange(len(candles.opened))[:, None]
    known = np.isfinite(candles.close)
    first = np.minimum.reduceat(np.where(known, place, len(place)), starts, axis=0)
    last = np.maximum.reduceat(np.where(known, place, -1), starts, axis=0)
    column = np.arange(len(candles.symbols))[None, :]
    there = last >= 0
    return Candles(
        candles.book,
        HOUR_MS,
        hours * HOUR_MS,
        candles.symbols,
        open=np.where(there, candles.open[np.minimum(first, len(place) - 1), column], np.nan),
        high=np.fmax.reduceat(candles.high, starts, axis=0),
        low=np.fmin.reduceat(candles.low, starts, axis=0),
        close=np.where(there, candles.close[last, column], np.nan),
        volume=np.where(there, np.add.reduceat(np.nan_to_num(candles.volume), starts, axis=0), np.nan),
    )


def covers(candles: Candles, bars: int) -> bool:
    """Whether the newest `bars` bars are there and lie together."""
    if len(candles.opened) < bars:
        return False
    took = int(candles.closed[-1] - candles.opened[-bars])
    return bool(took <= SLACK * bars * candles.cadence_ms + candles.cadence_ms)


def of_days(candles: Candles, days: int) -> Candles:
    """The bars of the day (UTC) of the newest bar, and of the `days` days before it."""
    if len(candles.opened) == 0:
        return candles
    first = int(np.searchsorted(candles.opened, _midnight(candles) - days * MS_PER_DAY))
    return _bars(candles, slice(first, None))


def at_midnight(candles: Candles) -> tuple[Candles, Candles]:
    """At least one bar, as those before the day (UTC) of the newest one, and those of that day."""
    middle = int(np.searchsorted(candles.opened, _midnight(candles)))
    return _bars(candles, slice(0, middle)), _bars(candles, slice(middle, None))


def _midnight(candles: Candles) -> int:
    return int(candles.opened[-1]) // MS_PER_DAY * MS_PER_DAY


def alike(one: Candles, other: Candles) -> bool:
    """Whether two are the same bars of the same symbols, to the last digit of each price."""
    if (one.cadence_ms, one.symbols) != (other.cadence_ms, other.symbols):
        return False
    return np.array_equal(one.opened, other.opened) and all(
        _same_bits(getattr(one, name), getattr(other, name)) for name in PRICES
    )


def _same_bits(one: Panel, other: Panel) -> bool:
    if one.shape == other.shape and one.strides == other.strides and one.ctypes.data == other.ctypes.data:
        return True  # the same place in memory, as from one hour to the next
    # NaN is no number that equals itself; its bits do.
    return np.array_equal(one.view(np.int64), other.view(np.int64))


def _bars(candles: Candles, which: slice) -> Candles:
    return Candles(
        candles.book,
        candles.cadence_ms,
        candles.opened[which],
        candles.symbols,
        candles.open[which],
        candles.high[which],
        candles.low[which],
        candles.close[which],
        candles.volume[which],
    )
