"""Volatility: what a bar realised, what is forecast, and where the forecast stands among its own past."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.estimates.windows import UNKNOWN, Panel, smoothed, smoothed_on, trailing_sum

HALF_LIVES = (6.0, 24.0, 120.0)
"""Bars; a short, a middle and a long horizon."""

CUTS = (0.25, 0.90, 0.99)
"""LOW is the lower quarter of the past forecasts, HIGH their upper tenth, EXTREME their upper hundredth: what the words
mean, chosen."""


def bar_variance(opened: Panel, high: Panel, low: Panel, close: Panel) -> Panel:
    """Variance of one bar's log return: its range, ln(high / low)^2 / (4 ln 2) (Parkinson 1980), and the gap before it.

    The gap is ln(open / close of the bar before)^2, nothing where that bar is not known.
    """
    out: Panel = high / low
    np.log(out, out=out)
    np.square(out, out=out)
    out /= 4 * np.log(2)
    gap = opened[1:] / close[:-1]
    np.log(gap, out=gap)
    np.square(gap, out=gap)
    out[1:] += np.nan_to_num(gap, copy=False)
    return out


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a forecast stands after some bars, so that it can be carried on.

    `means` are those of the horizons, shape (horizons, symbols), NaN before a symbol's first known bar; `seen` counts
    its known bars, shape (symbols,).
    """

    means: Panel
    seen: NDArray[np.int64]


def forecast_variance(realised: Panel, least: int) -> Panel:
    """Forecast of the next bar's variance; NaN until `least` bars are known, and where the bar itself is not.

    A cascade of horizons as in the HAR model (Corsi 2009) with the mean of the logarithms of three exponentially
    weighted variances instead of fitted coefficients, so that it needs no fit and cannot see ahead. Bars without any
    range count as the smallest variance that a double can carry a logarithm of, and so pull the forecast down hard.
    """
    return begun_forecast(realised, least)[0]


def begun_forecast(realised: Panel, least: int) -> tuple[Panel, Standing]:
    """`forecast_variance`, and where it stands after the last bar."""
    means = (smoothed(realised, half_life) for half_life in HALF_LIVES)
    return _cascade(realised, least, means, np.zeros(realised.shape[1], dtype=np.int64))


def carried_forecast(realised: Panel, least: int, before: Standing) -> Panel:
    """`forecast_variance` of bars that follow those after which it stood so."""
    each = zip(HALF_LIVES, before.means, strict=True)
    means = (smoothed_on(realised, half_life, mean, before.seen) for half_life, mean in each)
    return _cascade(realised, least, means, before.seen)[0]


def _cascade(realised: Panel, least: int, means: Iterable[Panel], before: NDArray[np.int64]) -> tuple[Panel, Standing]:
    """The forecast that the means of the horizons make, in their order; `before` counts known bars before the first."""
    floor = np.finfo(np.float64).tiny
    known = np.isfinite(realised)
    # Panels are large: what is written over costs no memory, which takes longer than the arithmetic.
    forecast, last = np.zeros(realised.shape), []
    for mean in means:
        last.append(mean[-1].copy() if len(mean) else np.full(mean.shape[1], np.nan))
        np.maximum(mean, floor, out=mean)
        forecast += np.log(mean, out=mean)
    forecast /= len(HALF_LIVES)
    np.exp(forecast, out=forecast)
    forecast[~known] = np.nan
    for start in np.unique(before).tolist():
        forecast[: max(0, least - 1 - start), before == start] = np.nan
    holed = ~known.all(axis=0)
    seen = before[holed] + known[:, holed].cumsum(axis=0)
    forecast[:, holed] = np.where(seen >= least, forecast[:, holed], np.nan)
    return forecast, Standing(np.array(last), before + known.sum(axis=0))


def frozen(realised: Panel) -> NDArray[np.bool_]:
    """Which symbols have not moved at all in these bars, shape (symbols,). They are not calm: nothing is known."""
    return np.asarray(~(realised > 0).any(axis=0))


def volatility_level(rank: Panel) -> NDArray[np.int64]:
    """Rank of `volatility` (0 LOW to 3 EXTREME) from a forecast's share of its past; -1 where unknown."""
    level = np.searchsorted(np.array(CUTS), rank, side="right")
    return np.where(np.isfinite(rank), level, UNKNOWN).astype(np.int64)


def turbulence_score(returns: Panel, variance: Panel) -> Panel:
    """Mean over the symbols of return^2 / variance forecast a bar before, shape (bars, 1); NaN without any.

    The diagonal form of the turbulence index of Kritzman and Li (2010): 1 where a bar is as wild as forecast.
    """
    before = np.full(variance.shape, np.nan)
    before[1:] = variance[:-1]
    # A bar that moves after bars without any range is beyond all measure; it says nothing of the others.
    with np.errstate(over="ignore"):
        ratios = returns**2 / before
    known = np.isfinite(ratios)
    count = known.sum(axis=1)
    total = np.where(known, ratios, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)[:, None]


def average_range(high: Panel, low: Panel, close: Panel, bars: int = 14) -> Panel:
    """Average true range of the last `bars` bars / close (Wilder 1978, plain mean)."""
    before = np.full(close.shape, np.nan)
    before[1:] = close[:-1]
    true_range = np.maximum(high, before) - np.minimum(low, before)
    return trailing_sum(true_range, bars) / bars / close


def present_variance(realised: Panel, least: int) -> NDArray[np.float64]:
    """The last row of `forecast_variance`, shape (symbols,), without the rows before it."""
    known = np.isfinite(realised)
    filled = np.where(known, realised, 0.0)
    later = known[::-1].cumsum(axis=0)[::-1] - known
    floor = np.finfo(np.float64).tiny
    logs = []
    for half_life in HALF_LIVES:
        weights = np.where(known, 0.5 ** (later / half_life), 0.0)
        total = weights.sum(axis=0)
        mean = np.divide((weights * filled).sum(axis=0), total, out=np.full(total.shape, np.nan), where=total > 0)
        logs.append(np.log(np.maximum(mean, floor)))
    enough = known.any(axis=0) & (known.sum(axis=0) >= least)
    newest = known[-1] if len(known) else np.zeros(realised.shape[1], dtype=np.bool_)
    forecast: NDArray[np.float64] = np.where(enough & newest, np.exp(np.mean(logs, axis=0)), np.nan)
    return forecast
