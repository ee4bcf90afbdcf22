"""Liquidity: traded value, the tiers it makes, and what a trade would move."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modules.estimates.windows import UNKNOWN, Panel, cross_section_rank, trailing_sum
from modules.facts.levels import TIER

CUTS = (0.2, 0.8)
"""CORE is the upper fifth of the symbols by traded value, CONDITIONAL the lower fifth, EXPANSION what lies between."""


def traded_value(close: Panel, volume: Panel, bars: int) -> Panel:
    """Sum of close x volume of the last `bars` bars, quote currency."""
    return trailing_sum(close * volume, bars)


def tier_level(value: Panel) -> NDArray[np.int64]:
    """Rank of `tier` by traded value among the symbols of a bar; BLACKLIST where nothing trades, -1 where unknown."""
    blacklist, conditional, expansion, core = (TIER.rank(n) for n in ("BLACKLIST", "CONDITIONAL", "EXPANSION", "CORE"))
    share = cross_section_rank(value)
    low, high = CUTS
    level = np.where(share > high, core, np.where(share > low, expansion, conditional))
    level = np.where(value == 0, blacklist, level)
    return np.where(np.isfinite(value), level, UNKNOWN).astype(np.int64)


def impact(notional: float, daily_value: float, daily_volatility: float) -> float:
    """Expected cost of a trade as a ratio of price: volatility x sqrt(notional / traded value), both of a day.

    The square-root law (Bouchaud 2010, with its constant at 1); NaN where the traded value is unknown or nothing.
    """
    if not daily_value > 0:
        return float("nan")
    return daily_volatility * float(np.sqrt(notional / daily_value))
