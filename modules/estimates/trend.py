"""Trend: the t-statistic of the mean return and the efficiency ratio, and the words for them.

The t-statistic of a regression of price on time finds a trend in nine of ten driftless random walks; that of the mean
return is right in nineteen of twenty.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modules.estimates.windows import UNKNOWN, Panel, trailing_sum
from modules.facts.levels import REGIME, TREND_DIRECTION

CLEAR = 1.959963984540054
"""|t| that one in twenty driftless random walks exceeds (normal distribution, two-sided)."""

STILL = 0.3186393639643752
"""|t| that three in four driftless random walks exceed."""


def trend_t(returns: Panel, bars: int) -> Panel:
    """sqrt(n) x mean / standard deviation of the last n = `bars` log returns; NaN without variation."""
    mean = trailing_sum(returns, bars) / bars
    square = trailing_sum(returns**2, bars) / bars
    variance = (square - mean**2) * bars / (bars - 1)
    # Rounding leaves a variance of about 1e-16 of the square where there is none.
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(variance > 1e-12 * square, np.sqrt(bars) * mean / np.sqrt(variance), np.nan)


def efficiency(returns: Panel, bars: int) -> Panel:
    """|net move| / sum of |moves| of the last `bars` log returns, 0 to 1 (Kaufman 1995); NaN without any move."""
    way = trailing_sum(np.abs(returns), bars)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.minimum(np.abs(trailing_sum(returns, bars)) / way, 1.0)
    return np.where(way > 0, ratio, np.nan)


def variance_ratio(returns: Panel, bars: int) -> NDArray[np.float64]:
    """Variance of `bars`-bar returns / (`bars` x variance of one bar's), shape (symbols,) (Lo and MacKinlay 1988).

    1 for a random walk, more where moves go on, less where they are taken back. Overlapping and without bias; NaN
    where a return of the window is not known, where nothing moves, and with fewer than two such returns.
    """
    n = len(returns)
    if n < 2 * bars:
        return np.full(returns.shape[1], np.nan)
    mean = returns.mean(axis=0)
    one = ((returns - mean) ** 2).sum(axis=0) / (n - 1)
    long = ((trailing_sum(returns, bars)[bars - 1 :] - bars * mean) ** 2).sum(axis=0)
    long = long / (bars * (n - bars + 1) * (1 - bars / n))
    with np.errstate(invalid="ignore", divide="ignore"):
        # Rounding leaves a variance of about 1e-16 of the square where there is none.
        return np.where(one > 1e-12 * (returns**2).mean(axis=0), long / one, np.nan)


def rolling_variance_ratio(returns: Panel, bars: int, window: int) -> Panel:
    """`variance_ratio` of the last `window` returns at each bar, shape (bars, symbols)."""
    if window < 2 * bars:
        return np.full(returns.shape, np.nan)
    mean, square = trailing_sum(returns, window) / window, trailing_sum(returns**2, window)
    one = (square - window * mean**2) / (window - 1)
    moves, count = trailing_sum(returns, bars), window - bars + 1
    long = trailing_sum(moves**2, count) - 2 * bars * mean * trailing_sum(moves, count) + count * (bars * mean) ** 2
    long = long / (bars * count * (1 - bars / window))
    with np.errstate(invalid="ignore", divide="ignore"):
        # Rounding leaves a variance of about 1e-16 of the square where there is none.
        return np.where(one > 1e-12 * square / window, long / one, np.nan)


def direction_level(t: Panel) -> NDArray[np.int64]:
    """Rank of `trend_direction`: UP or DOWN where t is clear, else FLAT; -1 where unknown."""
    up, flat, down = (TREND_DIRECTION.rank(name) for name in ("UP", "FLAT", "DOWN"))
    level = np.where(t > CLEAR, up, np.where(t < -CLEAR, down, flat))
    return np.where(np.isfinite(t), level, UNKNOWN).astype(np.int64)


def regime_level(t: Panel) -> NDArray[np.int64]:
    """Rank of `regime`: TRENDING where |t| is clear, RANGING where it is in the lowest quarter of what chance gives."""
    ranging, normal, trending = (REGIME.rank(name) for name in ("RANGING", "NORMAL", "TRENDING"))
    size = np.abs(t)
    level = np.where(size > CLEAR, trending, np.where(size < STILL, ranging, normal))
    return np.where(np.isfinite(t), level, UNKNOWN).astype(np.int64)


def agreeing(t: Panel, others: tuple[Panel, ...]) -> NDArray[np.int64]:
    """How many of the trends over other windows have the sign of `t`, itself counted; 0 where `t` is unknown."""
    sign = np.sign(t)
    votes = sum((np.sign(other) == sign).astype(np.int64) for other in others) + 1
    return np.where(np.isfinite(t), votes, 0)


def breadth(close: Panel, bars: int) -> Panel:
    """Symbols above the mean close of their last `bars` bars / symbols that have one; shape (bars, 1)."""
    mean = trailing_sum(close, bars) / bars
    known = np.isfinite(mean)
    count = known.sum(axis=1)
    above = (known & (close > mean)).sum(axis=1)
    return np.where(count > 0, above / np.maximum(count, 1), np.nan)[:, None]
