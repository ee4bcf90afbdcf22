"""The HAR forecast of volatility (Corsi 2009): tomorrow's variance from today's, this week's and this month's."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modules.estimates.windows import latest_rank, trailing_sum

LAGS = (1, 7, 30)
"""Days; a coin's week has seven."""

LEAST_PAST = 90
"""Days of earlier forecasts that a forecast is held against, at least; a year at most."""

MOST_PAST = 365


def forecasts(variance: NDArray[np.float64], bars_a_day: int) -> NDArray[np.float64] | None:
    """For each bar the forecast of the log of the next day's mean variance of a bar; NaN where a lag is not known.

    `variance` is that of one bar's return, shape (bars,). One regression over all bars of which the next day is known
    makes all forecasts, so the newest does not look ahead, and the older ones are what the same words would have said.
    None where the regression has fewer than `LEAST_PAST` days, or days that are all alike.
    """
    means = [trailing_sum(variance[:, None], n * bars_a_day)[:, 0] / (n * bars_a_day) for n in LAGS]
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.stack([np.where(m > 0, np.log(m), np.nan) for m in means], axis=1)
    design = np.column_stack([np.ones(len(logs)), logs])
    target = np.full(len(logs), np.nan)
    if len(logs) > bars_a_day:
        target[:-bars_a_day] = logs[bars_a_day:, 0]
    known = np.isfinite(design).all(axis=1)
    fits = known & np.isfinite(target)
    if fits.sum() < LEAST_PAST * bars_a_day:
        return None
    found, _, rank, _ = np.linalg.lstsq(design[fits], target[fits])
    if rank < design.shape[1]:
        return None
    out = np.full(len(logs), np.nan)
    out[known] = design[known] @ found
    return out


def forecast_rank(variance: NDArray[np.float64], bars_a_day: int) -> float | None:
    """Share of the past year's forecasts that lie below the newest one, 0 to 1; None where too little is known."""
    made = forecasts(variance, bars_a_day)
    if made is None:
        return None
    (rank,) = latest_rank(made[:, None], LEAST_PAST * bars_a_day, MOST_PAST * bars_a_day)
    return None if np.isnan(rank) else float(rank)
