"""Facts of things that happened: each event has the time of its happening and may be counted over windows."""

from __future__ import annotations

from typing import Annotated

from modules.facts.account import MOST_MONEY
from modules.facts.levels import ORDER_OUTCOME, SIDE, TRADE_EXIT
from policy_dsl.catalogue import FactModel, Rows, fact
from policy_dsl.types import MONEY, R_MULTIPLE, RATIO, TEXT, TIME, Reference


class TradeEvent(FactModel, entity="trade", rows=Rows.EVENT, time="closed_at"):
    """A trade that was closed."""

    symbol: Annotated[str | None, Reference("symbol")] = fact("what was traded", owner="book", calm="BTCUSDT")
    side: Annotated[str | None, SIDE] = fact("LONG or SHORT", owner="book", calm="LONG")
    exit: Annotated[str | None, TRADE_EXIT] = fact("why it was closed", owner="book", calm="SIGNAL")
    profit: Annotated[float | None, MONEY] = fact(
        "realised profit after fees, quote currency, signed", owner="book", low=-MOST_MONEY, high=MOST_MONEY, calm=10
    )
    profit_ratio: Annotated[float | None, RATIO] = fact(
        "realised profit after fees / notional at the opening, signed", owner="book", low=-1000, high=1000, calm=0.01
    )
    r_multiple: Annotated[float | None, R_MULTIPLE] = fact(
        "realised profit / amount first at risk, signed", owner="book", low=-1000, high=1000, calm=0.1
    )
    closed_at: Annotated[float | None, TIME] = fact(
        "the time of the closing, which is the time of the event",
        owner="book", low=0, high=4_102_444_800, calm=1_767_787_200,
    )  # fmt: skip


class ErrorEvent(FactModel, entity="error", rows=Rows.EVENT):
    """A request or a service that failed."""

    service: Annotated[str | None, Reference("service")] = fact(
        "the service that failed", owner="Self-Healing", calm="execution"
    )
    kind: Annotated[str | None, TEXT] = fact("what failed, such as timeout", owner="Self-Healing", calm="timeout")


class OrderEvent(FactModel, entity="order", rows=Rows.EVENT):
    """An order that reached its end."""

    symbol: Annotated[str | None, Reference("symbol")] = fact("what was ordered", owner="AELM", calm="BTCUSDT")
    side: Annotated[str | None, SIDE] = fact("side of the position that it acted on", owner="AELM", calm="LONG")
    notional: Annotated[float | None, MONEY] = fact(
        "ordered quantity x mark price, quote currency", owner="AELM", low=0, high=MOST_MONEY, calm=1_000
    )
    outcome: Annotated[str | None, ORDER_OUTCOME] = fact("how it ended", owner="AELM", calm="FILLED")
