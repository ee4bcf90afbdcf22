"""A small catalogue with every kind of entity and every type, for tests of state."""

from __future__ import annotations

from typing import Annotated

from policy_dsl.catalogue import Catalogue, FactModel, Rows, catalogue_of, fact
from policy_dsl.types import (
    COUNT,
    DURATION,
    FLAG,
    LEVERAGE,
    MONEY,
    NUMBER,
    R_MULTIPLE,
    RATE,
    RATIO,
    TEXT,
    TIME,
    Levels,
    Reference,
)

VOLATILITY = Levels("volatility", ("LOW", "NORMAL", "HIGH", "EXTREME"))
TIER = Levels("tier", ("BLACKLIST", "CONDITIONAL", "EXPANSION", "CORE"))
SIDE = Levels("side", ("LONG", "SHORT"), ordered=False)
EFFECT = Levels("effect", ("OPEN", "INCREASE", "REDUCE", "CLOSE"), ordered=False)


class AccountFacts(FactModel, entity="account"):
    """The account."""

    equity: Annotated[float | None, MONEY] = fact("equity", owner="book", calm=100_000)
    drawdown: Annotated[float | None, RATIO] = fact("loss / peak", owner="book", low=0, high=1, max_age="5m", calm=0)
    net_exposure: Annotated[float | None, RATIO] = fact("signed notional / equity", owner="pba", calm=0)
    losing_streak: Annotated[int | None, COUNT] = fact("losses in a row", owner="book", calm=0)


class MarketFacts(FactModel, entity="market"):
    """The market."""

    volatility: Annotated[str | None, VOLATILITY] = fact("volatility", owner="msc", calm="NORMAL")
    data_age: Annotated[float | None, DURATION] = fact("age of the newest event", owner="feed", calm=1)


class ClockFacts(FactModel, entity="clock"):
    """The clock."""

    now: Annotated[str | None, TIME] = fact("now", owner="runtime")


class OperatorFacts(FactModel, entity="operator"):
    """Human controls."""

    stop_requested: Annotated[bool | None, FLAG] = fact("stop", owner="operator", calm=False)
    note: Annotated[str | None, TEXT] = fact("a word", owner="operator", calm="")


class SystemFacts(FactModel, entity="system"):
    """The machine."""

    errors_per_minute: Annotated[float | None, RATE] = fact("failures a minute", owner="healing", calm=0)


class SymbolFacts(FactModel, entity="symbol", rows=Rows.KEYED):
    """A symbol."""

    tier: Annotated[str | None, TIER] = fact("tier", owner="universe", calm="CORE")
    sector: Annotated[str | None, TEXT] = fact("sector", owner="universe", calm="L1")
    trend_t: Annotated[float | None, NUMBER] = fact("t of the mean return", owner="msc", calm=0)


class PositionFacts(FactModel, entity="position", rows=Rows.KEYED):
    """A position."""

    symbol: Annotated[str | None, Reference("symbol")] = fact("symbol", owner="pil", calm="BTCUSDT")
    side: Annotated[str | None, SIDE] = fact("side", owner="pil", calm="LONG")
    notional: Annotated[float | None, MONEY] = fact("notional", owner="pil", low=0, calm=1_000)
    r_multiple: Annotated[float | None, R_MULTIPLE] = fact("profit in R", owner="pil", calm=0)
    leverage: Annotated[float | None, LEVERAGE] = fact("leverage", owner="pil", low=0, high=125, calm=1)


class RequestFacts(FactModel, entity="request", rows=Rows.KEYED):
    """A request."""

    symbol: Annotated[str | None, Reference("symbol")] = fact("symbol", owner="book", calm="BTCUSDT")
    effect: Annotated[str | None, EFFECT] = fact("effect", owner="book", calm="OPEN")
    duplicate: Annotated[bool | None, FLAG] = fact("duplicate", owner="book", calm=False)


class TradeFacts(FactModel, entity="trade", rows=Rows.EVENT, time="closed_at"):
    """A closed trade."""

    symbol: Annotated[str | None, Reference("symbol")] = fact("symbol", owner="book", calm="BTCUSDT")
    r_multiple: Annotated[float | None, R_MULTIPLE] = fact("profit in R", owner="book", calm=0)
    closed_at: Annotated[str | None, TIME] = fact("when it closed", owner="book")


MODELS: tuple[type[FactModel], ...] = (
    AccountFacts,
    MarketFacts,
    ClockFacts,
    OperatorFacts,
    SystemFacts,
    SymbolFacts,
    PositionFacts,
    RequestFacts,
    TradeFacts,
)


def small_catalogue() -> Catalogue:
    """The catalogue of the models above."""
    return catalogue_of(MODELS)
