"""What was decided is done: orders are cancelled, positions closed, and only what is allowed is traded."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modules.inputs import Book, Inputs, Request
from modules.judge import Answer, Judge
from modules.runtime.actions import Actions
from modules.smart_execution import SmartExecution
from modules.venues.amounts import floored
from modules.venues.paper import PaperExchange
from modules.venues.venue import Kind, NewOrder, Unreachable

JUDGE = Judge()
UNKNOWN = JUDGE.answer(1_760_000_000_000, ())


def answer(**outputs: Any) -> Answer:
    """An answer with these outputs, and of the others those that nothing known gives."""
    named = {name.replace("__", "."): value for name, value in outputs.items()}
    return replace(UNKNOWN, outputs={**UNKNOWN.outputs, "ess.actions": {}, "verdict": {}, **named})


def terms(**verdicts: str) -> dict[str, Any]:
    return {
        "verdict": verdicts,
        "aelm__order_type": dict.fromkeys(verdicts, "IOC"),
        "aelm__max_slippage": dict.fromkeys(verdicts, 0.01),
        "aelm__max_participation": 0.1,
    }


@pytest.fixture
def venue() -> PaperExchange:
    return PaperExchange()


@pytest.fixture
def actions(venue: PaperExchange) -> Actions:
    return Actions(venue, SmartExecution(venue))


def inputs(venue: PaperExchange, **requests: Request) -> Inputs:
    return Inputs("main", venue.time(), book=Book(positions=venue.positions(), requests=requests))


def bought(venue: PaperExchange, symbol: str, notional: float = 2_000.0) -> float:
    """Buy at the market; the quantity that is held then."""
    quantity = floored(notional / venue.tickers()[symbol].price, venue.markets()[symbol].step)
    venue.place(NewOrder(f"buy-{symbol}", symbol, "LONG", quantity, Kind.MARKET))
    return venue.positions()[symbol].quantity


def rests(venue: PaperExchange, symbol: str) -> str:
    """A bid far below the market; its client id."""
    listing, price = venue.markets()[symbol], venue.tickers()[symbol].price
    low = floored(price * 0.9, listing.tick)
    venue.place(NewOrder("rests", symbol, "LONG", floored(500 / low, listing.step), Kind.LIMIT, low))
    return "rests"


def test_a_stop_cancels_what_rests_and_leaves_positions(venue: PaperExchange, actions: Actions) -> None:
    held = bought(venue, "BTCUSDT")
    rests(venue, "ETHUSDT")
    actions.obey(answer(ess__actions={"CANCEL_ORDERS": []}), inputs(venue))
    assert venue.open_orders() == []
    assert venue.positions()["BTCUSDT"].quantity == held
    assert [(o.client_id, p.why) for o, p in actions.ended()] == [("rests", "FORCED")]
    assert actions.ended() == []


def test_flattening_closes_every_position_after_the_orders_are_gone(venue: PaperExchange, actions: Actions) -> None:
    bought(venue, "BTCUSDT")
    bought(venue, "ETHUSDT")
    rests(venue, "BTCUSDT")
    actions.obey(answer(ess__actions={"CANCEL_ORDERS": [], "FLATTEN": []}), inputs(venue))
    assert venue.positions() == {}
    assert [(o.symbol, o.status, p.why) for o, p in actions.ended()] == [
        ("BTCUSDT", "CANCELLED", "FORCED"), ("BTCUSDT", "FILLED", "FORCED"), ("ETHUSDT", "FILLED", "FORCED"),
    ]  # fmt: skip


def test_what_is_allowed_is_traded_and_what_is_denied_is_not(venue: PaperExchange, actions: Actions) -> None:
    asked = {
        "yes": Request("BTCUSDT", "LONG", venue.time(), 1_000.0, model="xgboost", stop=1.0),
        "no": Request("ETHUSDT", "LONG", venue.time(), 1_000.0),
    }
    actions.obey(answer(**terms(yes="ALLOW", no="DENY")), inputs(venue, **asked))
    assert list(venue.positions()) == ["BTCUSDT"]
    assert {(p.stop, p.model) for _, p in actions.ended()} == {(1.0, "xgboost")}


def test_a_request_that_cannot_be_carried_out_leaves_the_next_one_its_turn(
    venue: PaperExchange, actions: Actions
) -> None:
    asked = {
        "a": Request("NOSUCHUSDT", "LONG", venue.time(), 1_000.0),
        "b": Request("BTCUSDT", "LONG", venue.time(), None),
        "c": Request("BTCUSDT", "LONG", venue.time(), 1_000.0),
    }
    actions.obey(answer(**terms(a="ALLOW", b="ALLOW", c="ALLOW")), inputs(venue, **asked))
    assert list(venue.positions()) == ["BTCUSDT"]


def test_a_venue_that_is_gone_stops_nothing_else(
    venue: PaperExchange, actions: Actions, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = bought(venue, "BTCUSDT")
    orders = venue.open_orders

    def gone() -> Any:
        raise Unreachable("no answer")

    monkeypatch.setattr(venue, "open_orders", gone)
    actions.obey(answer(ess__actions={"CANCEL_ORDERS": [], "FLATTEN": []}), inputs(venue))
    assert held > 0
    assert venue.positions() == {}
    assert list(orders()) == []
