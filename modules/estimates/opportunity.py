"""How good an opportunity each symbol is, from what candles tell: trend, volatility and liquidity."""

from __future__ import annotations

import numpy as np
from scipy.special import erf

from modules.estimates.windows import Panel, cross_section_rank

WEIGHTS = (0.4, 0.2, 0.4)
"""Of trend, volatility and liquidity."""


def opportunity_score(t: Panel, volatility_rank: Panel, value: Panel) -> Panel:
    """Weighted mean of three scores from 0 to 1; NaN where any part is unknown.

    Trend: the probability that the mean return has the sign it shows, from 0 (a coin) to 1. Volatility: 1 in the
    middle of its own past, 0 at either end. Liquidity: share of the symbols that trade no more. A source that knows
    spreads and a record of trades can say more; candles do not.
    """
    trend = erf(np.abs(t) / np.sqrt(2))
    calm = 1 - np.abs(2 * volatility_rank - 1)
    parts = (trend, calm, cross_section_rank(value))
    out: Panel = sum(w * p for w, p in zip(WEIGHTS, parts, strict=True))
    return out
