"""What came of a bar: where each symbol went over the bars after it, and what a trade on that would have made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modules.estimates.windows import Panel
from modules.feeds.candles import Candles
from modules.learning.features import volatility

COST = 0.001
"""What a trade costs, there and back, as a share of its notional: two taker fees of five basis points."""

STOP = 2.0
"""How far a trade's stop is from its entry, in standard deviations of the move over the horizon: one R."""

Floats = NDArray[np.float64]


def rises(close: Panel, horizon: int) -> Panel:
    """1 where the close `horizon` bars on is higher, 0 where it is not; NaN where that is not known yet."""
    out = np.full(close.shape, np.nan)
    if len(close) > horizon:
        now, then = close[:-horizon], close[horizon:]
        out[:-horizon] = np.where(np.isfinite(now) & np.isfinite(then), then > now, np.nan)
    return out


def stops(candles: Candles, horizon: int) -> Panel:
    """Distance of a stop from its entry at each bar's close, as a share of price; NaN where it is not known."""
    out: Panel = STOP * np.sqrt(horizon) * volatility(candles)
    return out


def made(sign: int, entry: float, stop: float, path: Candles, symbol: int) -> float:
    """R of a trade from `entry` over the bars of `path`, after costs: at its stop where a bar got there, or at the end.

    `sign` is 1 for a long and -1 for a short, `stop` its distance as a share of price, `symbol` the column. NaN where
    the stop or a bar is not known.
    """
    worst = path.low[:, symbol].min() if sign > 0 else path.high[:, symbol].max()
    end = path.close[-1, symbol]
    if not (np.isfinite([worst, end, stop]).all() and stop > 0):
        return float("nan")
    stopped = sign * (worst / entry - 1) <= -stop
    move = -stop if stopped else sign * (end / entry - 1)
    return float((move - COST) / stop)
