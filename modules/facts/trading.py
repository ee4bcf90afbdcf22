"""Facts of each open position and of each request to trade."""

from __future__ import annotations

from typing import Annotated

from modules.facts.account import MOST_MONEY
from modules.facts.levels import CATEGORY, EFFECT, SIDE, URGENCY
from policy_dsl.catalogue import FactModel, Rows, fact
from policy_dsl.types import COUNT, DURATION, FLAG, LEVERAGE, MONEY, R_MULTIPLE, RATIO, Reference

FURTHEST = 100
"""Largest distance / price at which a liquidation price is believable: further away is safer, and unknown is strict."""


class PositionFacts(FactModel, entity="position", rows=Rows.KEYED):
    """One open position, by its id."""

    symbol: Annotated[str | None, Reference("symbol")] = fact("what is held", owner="book", calm="BTCUSDT")
    side: Annotated[str | None, SIDE] = fact("LONG or SHORT", owner="book", calm="LONG")
    notional: Annotated[float | None, MONEY] = fact(
        "|quantity| x mark price, quote currency", owner="book", low=0, high=MOST_MONEY, max_age="2m", calm=5_000
    )
    original_notional: Annotated[float | None, MONEY] = fact(
        "|quantity first opened| x first entry price, quote currency",
        owner="book", low=0, high=MOST_MONEY, calm=5_000,
    )  # fmt: skip
    scaled: Annotated[float | None, RATIO] = fact(
        "notional added since the opening / original notional",
        owner="PIL", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    r_multiple: Annotated[float | None, R_MULTIPLE] = fact(
        "profit of the position per unit / (entry price - first stop), signed",
        owner="PIL", low=-1000, high=1000, max_age="2m", calm=0,
    )  # fmt: skip
    peak_r: Annotated[float | None, R_MULTIPLE] = fact(
        "highest r_multiple since the opening, at least 0", owner="PIL", low=0, high=1000, max_age="2m", calm=0
    )
    drawdown_from_peak: Annotated[float | None, RATIO] = fact(
        "(peak profit - profit) / peak profit; 0 before any profit; above 1 where the profit has turned into a loss",
        owner="PIL", low=0, max_age="2m", calm=0,
    )  # fmt: skip
    unrealized: Annotated[float | None, RATIO] = fact(
        "unrealised profit / notional at the average entry price, signed",
        owner="book", max_age="2m", calm=0,
    )  # fmt: skip
    category: Annotated[str | None, CATEGORY] = fact(
        "how the position does, by its r_multiple",
        owner="PIL", max_age="2m", calm="BREAKEVEN",
    )  # fmt: skip
    age: Annotated[float | None, DURATION] = fact(
        "time since the opening", owner="book", low=0, calm=3600
    )
    leverage: Annotated[float | None, LEVERAGE] = fact(
        "notional / margin set aside for it", owner="book", low=0, calm=2
    )
    risk: Annotated[float | None, MONEY] = fact(
        "loss from here if the stop is hit, quote currency; missing without a stop",
        owner="book", low=0, high=MOST_MONEY, max_age="2m", calm=100,
    )  # fmt: skip
    stop_distance: Annotated[float | None, RATIO] = fact(
        "|mark price - stop price| / mark price; missing without a stop",
        owner="book", low=0, max_age="2m", calm=0.02,
    )  # fmt: skip
    liquidation_distance: Annotated[float | None, RATIO] = fact(
        "|mark price - liquidation price| / mark price",
        owner="PBA", low=0, high=FURTHEST, max_age="2m", calm=0.5,
    )  # fmt: skip
    liquidation_probability_7d: Annotated[float | None, RATIO] = fact(
        "probability of touching the liquidation price within 7 days, driftless, from the volatility forecast",
        owner="PBA", low=0, high=1, max_age="1h", calm=0,
    )  # fmt: skip


class RequestFacts(FactModel, entity="request", rows=Rows.KEYED):
    """One signal or order that asks to trade, by its id; the facts named after say what the book would be."""

    symbol: Annotated[str | None, Reference("symbol")] = fact("what to trade", owner="caller", calm="BTCUSDT")
    side: Annotated[str | None, SIDE] = fact("side of the position that it acts on", owner="caller", calm="LONG")
    effect: Annotated[str | None, EFFECT] = fact("what it does to the position", owner="caller", calm="OPEN")
    model: Annotated[str | None, Reference("model")] = fact("who proposes it", owner="caller", calm="xgboost")
    confidence: Annotated[float | None, RATIO] = fact(
        "probability that the proposer gives its own success", owner="caller", low=0, high=1, calm=0.9
    )
    votes: Annotated[int | None, COUNT] = fact(
        "models that propose the same side", owner="caller", low=0, high=1000, calm=4
    )
    urgency: Annotated[str | None, URGENCY] = fact("how soon it must be done", owner="caller", calm="NORMAL")
    notional: Annotated[float | None, MONEY] = fact(
        "quantity x mark price, quote currency", owner="caller", low=0, high=MOST_MONEY, calm=1_000
    )
    leverage: Annotated[float | None, LEVERAGE] = fact("notional / margin", owner="caller", low=0, calm=2)
    risk: Annotated[float | None, MONEY] = fact(
        "loss from its price to its stop, fees where they are stated, quote currency; missing where none is lost there",
        owner="caller", low=0, high=MOST_MONEY, calm=20,
    )
    margin: Annotated[float | None, MONEY] = fact(
        "margin that it would set aside, quote currency", owner="caller", low=0, high=MOST_MONEY, calm=500
    )
    kelly_notional: Annotated[float | None, MONEY] = fact(
        "notional whose loss at the stop is Kelly's fraction of equity, by the lower 10 % of its proposer's win rate",
        owner="Trading Mathematician", low=0, high=MOST_MONEY, calm=1_000_000,
    )  # fmt: skip
    kelly_trades: Annotated[int | None, COUNT] = fact(
        "closed trades of its proposer that request.kelly_notional rests on, 0 before the first one",
        owner="Trading Mathematician", low=0, high=10_000_000, calm=100,
    )  # fmt: skip
    reward_risk: Annotated[float | None, RATIO] = fact(
        "distance from price to target / distance from price to stop, as the caller states them",
        owner="Trading Mathematician", low=0, high=1_000_000, calm=2,
    )  # fmt: skip
    safe_leverage: Annotated[float | None, LEVERAGE] = fact(
        "leverage at which its liquidation price is twice as far away as its stop, by the venue's margin tiers",
        owner="Trading Mathematician", low=0, high=200, calm=20,
    )  # fmt: skip
    stop_ranges: Annotated[float | None, RATIO] = fact(
        "distance from price to stop / average true range of the symbol",
        owner="Trading Mathematician", low=0, high=1_000_000, calm=2,
    )  # fmt: skip
    liquidation_distance: Annotated[float | None, RATIO] = fact(
        "|price - liquidation price| / price of the position that it would leave in its symbol",
        owner="PBA", low=0, high=FURTHEST, calm=0.5,
    )  # fmt: skip
    price_deviation: Annotated[float | None, RATIO] = fact(
        "|limit price - mark price| / mark price; 0 for a market order",
        owner="AELM", low=0, calm=0,
    )  # fmt: skip
    impact: Annotated[float | None, RATIO] = fact(
        "(price walked through the order book - mid price) / mid price, against the trader",
        owner="AELM", low=0, calm=0.0002,
    )  # fmt: skip
    duplicate: Annotated[bool | None, FLAG] = fact("its client order id has been seen before", owner="AELM", calm=False)
    crosses_own_order: Annotated[bool | None, FLAG] = fact(
        "it could trade with an open order of the fund itself", owner="AELM", calm=False
    )
    repeats_last_minute: Annotated[int | None, COUNT] = fact(
        "requests of the last minute with its symbol, side and effect, itself not counted",
        owner="AELM", low=0, calm=0,
    )  # fmt: skip
    exposure_after: Annotated[float | None, RATIO] = fact(
        "sum of |notional| of the book after it / equity, pending and already granted requests counted",
        owner="PBA", low=0, calm=0.01,
    )  # fmt: skip
    sector_share_after: Annotated[float | None, RATIO] = fact(
        "sum of |notional| in its symbol's sector after it / equity, pending and already granted requests counted",
        owner="PBA", low=0, calm=0.01,
    )  # fmt: skip
    symbol_share_after: Annotated[float | None, RATIO] = fact(
        "|notional| in its symbol after it / equity, pending and already granted requests counted",
        owner="PBA", low=0, calm=0.01,
    )  # fmt: skip
    risk_after: Annotated[float | None, RATIO] = fact(
        "sum of loss if every stop is hit after it / equity, pending and already granted requests counted",
        owner="PBA", low=0, calm=0.001,
    )  # fmt: skip
    leverage_after: Annotated[float | None, LEVERAGE] = fact(
        "sum of |notional| of the book after it / sum of margin set aside after it",
        owner="PBA", low=0, calm=2,
    )  # fmt: skip
    correlated_after: Annotated[float | None, RATIO] = fact(
        "sum of |notional| of the cluster of correlated positions that it joins, after it / equity",
        owner="PBA", low=0, calm=0.01,
    )  # fmt: skip
    correlated_positions_after: Annotated[int | None, COUNT] = fact(
        "positions in that cluster after it, pending and already granted requests counted",
        owner="PBA", low=0, calm=1,
    )  # fmt: skip
    free_margin_after: Annotated[float | None, MONEY] = fact(
        "free margin after it, quote currency", owner="PBA", low=-MOST_MONEY, high=MOST_MONEY, calm=99_500
    )
