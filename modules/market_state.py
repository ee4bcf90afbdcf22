"""The market, bar by bar: every statistic that facts, and the paper book, take from candles."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modules.estimates import fast_move, liquidity, opportunity, trend, volatility
from modules.estimates.windows import Panel, log_returns, middle, over_symbols, past_rank, place_from_top
from modules.feeds.candles import Candles
from policy_dsl.quantities import MS_PER_DAY

Ranks = NDArray[np.int64]

YEAR_DAYS = 365


@dataclass(frozen=True, slots=True)
class Horizons:
    """Window lengths in bars. `trends` are looked at together, `trend` is the one that direction and regime rest on.

    The second of `trends` is the short trend, and the first the horizon of the variance ratio over `trend`.

    A volatility forecast needs `least` bars, and its level as many earlier forecasts.
    """

    trend: int = 336
    trends: tuple[int, ...] = (24, 72, 168)
    breadth: int = 168
    least: int = 168


@dataclass(frozen=True, slots=True)
class MarketState:
    """What is known at the close of each bar.

    Panels have shape (bars, symbols); those of the market as a whole (bars, 1). Ratios are fractions, values quote
    currency, variances of one bar's log return; levels are ranks, -1 where unknown.
    """

    candles: Candles
    returns: Panel
    variance: Panel
    atr: Panel
    volatility: Ranks
    trend_t: Panel
    trend_t_short: Panel
    variance_ratio: Panel
    trend_strength: Panel
    trend_direction: Ranks
    votes: Ranks
    volume_24h: Panel
    liquidity_place: Ranks
    tier: Ranks
    opportunity_score: Panel
    opportunity_rank: Ranks
    market_volatility: Ranks
    market_regime: Ranks
    market_trend_strength: Panel
    market_turbulence: Panel
    market_breadth: Panel
    market_hour_move: Panel

    @property
    def bars_a_day(self) -> float:
        """Bars in 24 hours."""
        return MS_PER_DAY / self.candles.cadence_ms


def market_state(candles: Candles, horizons: Horizons = Horizons()) -> MarketState:
    """The statistics of every bar, each from candles closed by then.

    The market's variance of a bar is the median over its symbols, its return their mean.
    """
    year = int(YEAR_DAYS * MS_PER_DAY / candles.cadence_ms)
    bars_a_day = max(1, round(MS_PER_DAY / candles.cadence_ms))
    returns = log_returns(candles.close)
    realised = volatility.bar_variance(candles.open, candles.high, candles.low, candles.close)
    variance = volatility.forecast_variance(realised, horizons.least)
    rank = past_rank(variance, horizons.least, year)
    t = trend.trend_t(returns, horizons.trend)
    value = liquidity.traded_value(candles.close, candles.volume, bars_a_day)
    score = opportunity.opportunity_score(t, rank, value)
    index = over_symbols(returns, np.nanmean)
    market_variance = volatility.forecast_variance(middle(realised), horizons.least)
    turbulence = volatility.turbulence_score(returns, variance)
    return MarketState(
        candles=candles,
        returns=returns,
        variance=variance,
        atr=volatility.average_range(candles.high, candles.low, candles.close),
        volatility=volatility.volatility_level(rank),
        trend_t=t,
        trend_t_short=trend.trend_t(returns, horizons.trends[1]),
        variance_ratio=trend.rolling_variance_ratio(returns, horizons.trends[0], horizons.trend),
        trend_strength=trend.efficiency(returns, horizons.trend),
        trend_direction=trend.direction_level(t),
        votes=trend.agreeing(t, tuple(trend.trend_t(returns, n) for n in horizons.trends)),
        volume_24h=value,
        liquidity_place=place_from_top(value),
        tier=liquidity.tier_level(value),
        opportunity_score=score,
        opportunity_rank=place_from_top(score),
        market_volatility=volatility.volatility_level(past_rank(market_variance, horizons.least, year)),
        market_regime=trend.regime_level(trend.trend_t(index, horizons.trend)),
        market_trend_strength=trend.efficiency(index, horizons.trend),
        market_turbulence=past_rank(turbulence, horizons.least, year),
        market_breadth=trend.breadth(candles.close, horizons.breadth),
        market_hour_move=fast_move.recorded_moves(candles),
    )
