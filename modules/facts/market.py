"""Facts of the market as a whole and of each symbol and sector."""

from __future__ import annotations

from typing import Annotated

from modules.facts.levels import PERFORMANCE, REGIME, TIER, TREND_DIRECTION, VOLATILITY
from policy_dsl.catalogue import FactModel, Rows, fact
from policy_dsl.types import COUNT, DURATION, FLAG, MONEY, NUMBER, R_MULTIPLE, RATIO, TEXT


class MarketFacts(FactModel, entity="market", rows=Rows.ONE):
    """The market as a whole."""

    regime: Annotated[str | None, REGIME] = fact(
        "whether the market trends or ranges, from the filtered state of its mean return",
        owner="MSC AI", max_age="1h", calm="NORMAL",
    )  # fmt: skip
    volatility: Annotated[str | None, VOLATILITY] = fact(
        "rank of the volatility forecast among its own past year: LOW, NORMAL, HIGH or EXTREME",
        owner="MSC AI", max_age="1h", calm="NORMAL",
    )  # fmt: skip
    trend_strength: Annotated[float | None, RATIO] = fact(
        "|net move| / sum of |moves| of the market index over the trend window (efficiency ratio)",
        owner="MSC AI", low=0, high=1, max_age="1h", calm=0.2,
    )  # fmt: skip
    turbulence: Annotated[float | None, RATIO] = fact(
        "past turbulence scores below the present one / all past turbulence scores",
        owner="MSC AI", low=0, high=1, max_age="1h", calm=0.5,
    )  # fmt: skip
    breadth: Annotated[float | None, RATIO] = fact(
        "symbols above their mean close of the breadth window / symbols that have all its closes",
        owner="MSC AI", low=0, high=1, max_age="1h", calm=0.5,
    )  # fmt: skip
    hour_move: Annotated[float | None, RATIO] = fact(
        "median over symbols of last price / newest close that is an hour old or more - 1; negative when they fell",
        owner="feed", low=-1, high=10, max_age="5m", calm=0,
    )  # fmt: skip
    trend_t: Annotated[float | None, NUMBER] = fact(
        "mean return of the market index over the trend window / its standard error",
        owner="MSC AI", low=-1000, high=1000, max_age="1h", calm=0,
    )  # fmt: skip
    wild_probability: Annotated[float | None, RATIO] = fact(
        "filtered probability that the market is in the more variable of its two states",
        owner="MSC AI", low=0, high=1, max_age="1h", calm=0.1,
    )  # fmt: skip
    data_age: Annotated[float | None, DURATION] = fact(
        "time since the newest market event of any symbol", owner="feed", low=0, calm=0
    )


class SymbolFacts(FactModel, entity="symbol", rows=Rows.KEYED):
    """One tradable symbol, such as `symbol["BTCUSDT"]`."""

    tier: Annotated[str | None, TIER] = fact(
        "standing in the universe by volume, spread, age and record",
        owner="Universe OS", max_age="1h", calm="CORE",
    )  # fmt: skip
    in_universe: Annotated[bool | None, FLAG] = fact(
        "the symbol is listed, priced and part of the universe", owner="Universe OS", max_age="1h", calm=True
    )
    sector: Annotated[str | None, TEXT] = fact(
        "the sector that the symbol counts towards, such as L1", owner="Universe OS", calm="L1"
    )
    price_age: Annotated[float | None, DURATION] = fact(
        "time since the newest price of the symbol", owner="feed", low=0, calm=0
    )
    spread: Annotated[float | None, RATIO] = fact(
        "(best ask - best bid) / mid price", owner="feed", low=0, high=2, max_age="5m", calm=0.0002
    )
    volume_24h: Annotated[float | None, MONEY] = fact(
        "traded value of the last 24 hours, quote currency",
        owner="Universe OS", low=0, high=1_000_000_000_000, max_age="2h", calm=1_000_000_000,
    )  # fmt: skip
    atr: Annotated[float | None, RATIO] = fact(
        "average true range of 14 bars / price; missing where nothing moves",
        owner="MSC AI", low=0, max_age="2h", calm=0.01,
    )
    volatility: Annotated[str | None, VOLATILITY] = fact(
        "rank of the symbol's volatility forecast among its own past",
        owner="MSC AI", max_age="2h", calm="NORMAL",
    )  # fmt: skip
    volatility_rank: Annotated[float | None, RATIO] = fact(
        "past volatility forecasts of the symbol below the present one / its past forecasts",
        owner="MSC AI", low=0, high=1, max_age="2h", calm=0.5,
    )  # fmt: skip
    trend_strength: Annotated[float | None, RATIO] = fact(
        "|net move| / sum of |moves| of the symbol over the trend window (efficiency ratio)",
        owner="MSC AI", low=0, high=1, max_age="2h", calm=0.2,
    )  # fmt: skip
    trend_direction: Annotated[str | None, TREND_DIRECTION] = fact(
        "sign of the mean return where it is statistically clear, else FLAT",
        owner="MSC AI", max_age="2h", calm="FLAT",
    )  # fmt: skip
    trend_t: Annotated[float | None, NUMBER] = fact(
        "mean return of the trend window / its standard error", owner="MSC AI", low=-1000, high=1000, max_age="2h",
        calm=0,
    )  # fmt: skip
    trend_t_short: Annotated[float | None, NUMBER] = fact(
        "mean return of the short trend window / its standard error",
        owner="MSC AI", low=-1000, high=1000, max_age="2h", calm=0,
    )  # fmt: skip
    variance_ratio: Annotated[float | None, RATIO] = fact(
        "variance of a day's return / 24 x variance of an hour's, over the trend window; above 1 where moves go on",
        owner="MSC AI", low=0, high=1000, max_age="2h", calm=1,
    )  # fmt: skip
    volume_rank: Annotated[int | None, COUNT] = fact(
        "place of the symbol in the universe by volume_24h, 1 trades most",
        owner="Universe OS", low=1, high=100_000, max_age="2h", calm=1,
    )  # fmt: skip
    performance: Annotated[str | None, PERFORMANCE] = fact(
        "the fund's own record in the symbol: BAD or GOOD where the 95 % interval of its mean R excludes 0",
        owner="Universe OS", calm="NEUTRAL",
    )  # fmt: skip
    win_rate: Annotated[float | None, RATIO] = fact(
        "closed trades in profit / closed trades of the symbol", owner="Universe OS", low=0, high=1, calm=0.55
    )
    average_r: Annotated[float | None, R_MULTIPLE] = fact(
        "sum of R of the closed trades / closed trades of the symbol",
        owner="Universe OS", low=-1000, high=1000, calm=0.3,
    )  # fmt: skip
    trades: Annotated[int | None, COUNT] = fact(
        "closed trades of the symbol that win_rate and average_r rest on, of the last 180 days",
        owner="Universe OS", low=0, high=10_000_000, calm=50,
    )  # fmt: skip
    funding_rate: Annotated[float | None, RATIO] = fact(
        "funding that longs pay shorts at the next settlement / notional; negative when shorts pay",
        owner="feed", low=-1, high=1, max_age="8h", calm=0.0001,
    )  # fmt: skip
    opportunity_score: Annotated[float | None, RATIO] = fact(
        "weighted mean of the symbol's trend, volatility, liquidity, spread, record and regime scores, each 0 to 1",
        owner="OpportunityRanker", low=0, high=1, max_age="1h", calm=0.8,
    )  # fmt: skip
    opportunity_rank: Annotated[int | None, COUNT] = fact(
        "place of the symbol by opportunity_score, 1 is best; missing without a score",
        owner="OpportunityRanker", low=1, high=100_000, max_age="1h", calm=1,
    )  # fmt: skip
    exposure: Annotated[float | None, RATIO] = fact(
        "|signed notional held in the symbol| / equity",
        owner="PBA", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    pending_exposure: Annotated[float | None, RATIO] = fact(
        "notional of the symbol's unfilled orders that add risk / equity",
        owner="PBA", low=0, max_age="2m", calm=0,
    )  # fmt: skip


class SectorFacts(FactModel, entity="sector", rows=Rows.KEYED):
    """One sector, such as `sector["L1"]`."""

    exposure_share: Annotated[float | None, RATIO] = fact(
        "sum of |notional| held in the sector / equity",
        owner="PBA", low=0, max_age="2m", calm=0,
    )  # fmt: skip
