"""Where the mean of figures that follow one another in time lies, allowing for what they have in common."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST = 30
"""Figures below which nothing is said of their mean."""

CHANCE = 0.05


def mean_interval(values: NDArray[np.float64]) -> tuple[float, float] | None:
    """95 % interval of the mean of `values`, oldest first, with a HAC variance (Newey and West 1987).

    The lags are 4 (n / 100)^(2/9), rounded down, and the interval is Student's. None below 30 values, and where one of
    them is not finite.
    """
    n = len(values)
    if n < LEAST or not np.isfinite(values).all():
        return None
    from statsmodels.regression.linear_model import OLS  # noqa: PLC0415 -- a young model has no interval to wait for

    lags = int(4 * (n / 100) ** (2 / 9))
    ones = np.ones((n, 1))
    settings = {"maxlags": lags, "use_correction": True}
    found = OLS(values, ones).fit(cov_type="HAC", cov_kwds=settings, use_t=True)
    low, high = np.asarray(found.conf_int(alpha=CHANCE))[0]
    return (float(low), float(high)) if np.isfinite([low, high]).all() else None
