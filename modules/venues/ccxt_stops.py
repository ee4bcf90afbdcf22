"""Stops that wait at an exchange, as ccxt carries them: which exchanges take them, and what becomes of one.

A stop is placed by the mark price, as the fund watches it, and trades at any price once that has reached its trigger.
At Binance it is no order until then, and is kept apart from orders; what it has become is an order of another number,
and only that tells what was filled.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from modules.venues import ccxt_records as records
from modules.venues.venue import Kind, Malformed, NewOrder, OrderState, Status


@dataclass(frozen=True, slots=True)
class Dialect:
    """What ccxt has no common words for: the exchange's own names of how a stop stands, and of the order it became."""

    status: str
    order_id: str
    statuses: Mapping[str, Status]
    triggered: frozenset[str]
    """Of the statuses, those of a stop whose trigger was reached; only its order tells its end."""

    params: Mapping[str, Any] = field(default_factory=dict)
    """Sent with a stop, so that the mark price triggers it."""


DIALECTS: Mapping[str, Dialect] = {
    "binanceusdm": Dialect(
        "algoStatus",
        "actualOrderId",
        {
            "NEW": Status.OPEN, "TRIGGERING": Status.OPEN, "TRIGGERED": Status.OPEN, "FINISHED": Status.OPEN,
            "CANCELED": Status.CANCELLED, "EXPIRED": Status.EXPIRED, "REJECTED": Status.REJECTED,
        },
        frozenset({"TRIGGERING", "TRIGGERED", "FINISHED"}),
        {"workingType": "MARK_PRICE"},
    )
}  # fmt: skip
"""By the exchange's id. Elsewhere nobody here knows what a stop becomes, and the fund watches its stops."""

NEEDED = (
    ("createOrder", "stopLossPrice"), ("createOrder", "triggerPriceType"), ("fetchOrder", "trigger"),
    ("fetchOpenOrders", "trigger"),
)  # fmt: skip
"""What ccxt must say that it can do with the linear contracts of an exchange."""

FINISHED = "FINISHED"


def dialect_of(exchange: Any) -> Dialect | None:
    """How an exchange of ccxt speaks of stops; None where ccxt or we do not know enough to place any."""
    known = DIALECTS.get(exchange.id)
    features = ((exchange.features or {}).get("swap") or {}).get("linear") or {}
    told = {(call, what): (features.get(call) or {}).get(what) for call, what in NEEDED}
    by_mark = (told["createOrder", "triggerPriceType"] or {}).get("mark")
    is_able = all(told.values()) and by_mark and exchange.has.get("cancelOrder") and exchange.has.get("fetchMyTrades")
    return known if is_able else None


def params(order: NewOrder, dialect: Dialect) -> dict[str, Any]:
    """What is sent with a market order that is to wait for its trigger."""
    return {
        "clientOrderId": order.client_id, "reduceOnly": True, "stopLossPrice": order.trigger, **dialect.params
    }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Stop:
    """A stop as the exchange tells it, and the id of the order that it became; None as long as there is none."""

    state: OrderState
    order_id: str | None


def closes_a_position(told: Mapping[str, Any]) -> bool:
    """Whether it is a stop of somebody else that closes whatever there is: it has no quantity, and adds no risk."""
    info = told.get("info")
    return isinstance(info, Mapping) and info.get("closePosition") in {True, "true"}


def stop(exchange_id: str, dialect: Dialect, told: Mapping[str, Any], symbol: str) -> Stop:
    """A stop as ccxt tells it. Raises Malformed where it contradicts itself or does not say how it stands."""
    client_id, side = told.get("clientOrderId"), {"buy": "LONG", "sell": "SHORT"}.get(str(told.get("side")))
    if not isinstance(client_id, str) or side is None or not records.is_told(exchange_id, "stop", told):
        raise Malformed("a stop without client id, side or quantity")
    info = told["info"]
    word, order_id = str(info.get(dialect.status)), str(info.get(dialect.order_id) or "")
    status = dialect.statuses.get(word)
    quantity = records.positive(told.get("amount"))
    if status is None or math.isnan(quantity):
        raise Malformed(f"the stop `{client_id}` is {word} with the quantity {told.get('amount')!r}")
    has_order = order_id not in {"", "0"}
    if word == FINISHED and not has_order:
        raise Malformed(f"the stop `{client_id}` is finished, and has no order that tells what was filled")
    placed = records.moment(told.get("timestamp"), f"the time of `{client_id}`")
    changed = told.get("lastUpdateTimestamp")
    trigger = records.positive(told.get("triggerPrice"))
    state = OrderState(
        client_id, symbol, side, quantity, 0.0, None, status, Kind.STOP, None, told.get("reduceOnly") is True, placed,
        changed if isinstance(changed, int) and changed > 0 else placed, None if math.isnan(trigger) else trigger,
        triggered=word in dialect.triggered or has_order,
    )  # fmt: skip
    return Stop(state, order_id if has_order else None)


def became(stop: OrderState, order: OrderState) -> OrderState:
    """The stop with what the order filled that it became. Raises Malformed for an order that cannot be its own."""
    most = stop.quantity * (1 + records.SAME)
    if order.side != stop.side or order.filled > most:
        raise Malformed(f"the order of the stop `{stop.client_id}` is another one's")
    return replace(stop, filled=order.filled, average=order.average, status=order.status, updated=order.updated)


def fee_of(trades: Sequence[Mapping[str, Any]], filled: float, quote: str) -> float | None:
    """What trades that come to `filled` cost in `quote`; None where they do not, or were paid for otherwise."""
    fees = [trade.get("fee") or {} for trade in trades]
    costs = [records.figure(fee.get("cost")) for fee in fees]
    amounts = [records.positive(trade.get("amount")) for trade in trades]
    if not math.isclose(math.fsum(amounts), filled, rel_tol=records.SAME):
        return None
    # What trades at any price is charged for. A cost below zero is no rebate but a sign that is not understood.
    is_known = all(fee.get("currency") == quote and cost >= 0 for fee, cost in zip(fees, costs, strict=True))
    return math.fsum(costs) if is_known else None
