"""How good an opportunity each symbol is: from what candles alone tell, and from all that the fund knows."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf, ndtr

from modules.estimates.windows import Panel, cross_section_rank

WEIGHTS = (0.4, 0.2, 0.4)
"""Of trend, volatility and liquidity, where candles are all there is."""

PARTS: Mapping[str, float] = MappingProxyType(
    {"trend": 0.25, "volatility": 0.20, "liquidity": 0.20, "spread": 0.10, "record": 0.10, "regime": 0.15}
)
"""Weights of what the fund knows: the predecessor's, its twentieth for noise given to liquidity."""

TREND_WANTED: Mapping[str, float] = MappingProxyType({"RANGING": 0.0, "NORMAL": 0.5, "TRENDING": 1.0})
"""By name of `regime`, how much a symbol fits the market by going its way, and how little by standing still."""

Row = NDArray[np.float64]
"""One number a symbol, NaN where unknown."""


def opportunity_score(t: Panel, volatility_rank: Panel, value: Panel) -> Panel:
    """Weighted mean of three scores from 0 to 1; NaN where any part is unknown.

    Trend: the probability that the mean return has the sign it shows, from 0 (a coin) to 1. Volatility: 1 in the
    middle of its own past, 0 at either end. Liquidity: share of the symbols that trade no more. A source that knows
    spreads and a record of trades can say more; candles do not.
    """
    trend, volatility, liquidity = WEIGHTS
    return (
        trend * trend_score(t) + volatility * volatility_score(volatility_rank) + liquidity * cross_section_rank(value)
    )


def trend_score(t: Row) -> Row:
    """Probability that the mean return has the sign it shows, from 0 (a coin) to 1; the same up and down."""
    out: Row = erf(np.abs(t) / np.sqrt(2))
    return out


def volatility_score(rank: Row) -> Row:
    """1 in the middle of a symbol's own past, 0 at either end, whatever the length of the bars."""
    return 1 - np.abs(2 * rank - 1)


def share_below(values: Row) -> Row:
    """Share of the symbols with a value whose value is no higher, 1/n to 1."""
    return cross_section_rank(values[None, :])[0] if len(values) else values


def regime_score(t: Row, market_t: float, regime: str) -> Row:
    """How a symbol fits the market, 0 to 1.

    In a market that trends by the probability that the symbol goes the market's way, in one that ranges by how little
    it goes anywhere, and between the two by the mean of both. A mirrored market gives the same scores.
    """
    wanted = TREND_WANTED[regime]
    out: Row = wanted * ndtr(np.sign(market_t) * t) + (1 - wanted) * (1 - trend_score(t))
    return out


def weighted(parts: Mapping[str, Row]) -> Row:
    """The weighted mean of all of `PARTS`; NaN where one is unknown."""
    out: Row = sum((weight * parts[part] for part, weight in PARTS.items()), start=np.zeros(1))
    return out
