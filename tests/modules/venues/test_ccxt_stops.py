"""Stops at an exchange: real requests of ccxt to a server that keeps them apart from orders, as Binance does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ccxt.async_support as ccxt
import pytest

from modules.venues import (
    DuplicateClientId,
    Kind,
    Malformed,
    NewOrder,
    NotEnoughMargin,
    NotPermitted,
    OrderState,
    RateLimited,
    Rejected,
    Status,
    Unclear,
    UnknownOrder,
    Unreachable,
    VenueError,
    WouldTrigger,
)
from modules.venues.ccxt_stops import fee_of
from modules.venues.ccxt_venue import CcxtVenue
from tests.modules.venues.binance_server import Exchange, Fault
from tests.modules.venues.binance_stops import TAKER_FEE, open_position
from tests.modules.venues.clients import SHORT, venue

STOP = NewOrder("rf-s", "BTCUSDT", "SHORT", 2.0, Kind.STOP, reduce_only=True, trigger=95.0)


def edited(**changed: Any) -> Callable[[Any], Any]:
    return lambda body: {**body, **changed}


def found(asked: CcxtVenue, client_id: str = "rf-s") -> OrderState:
    return asked.order("BTCUSDT", client_id, Kind.STOP)


# --- which exchanges -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("exchange_id", "takes"),
    [
        ("binanceusdm", True),
        # What it lists without a contract is of its spot market.
        ("binance", False),
        # ccxt cannot list stops that wait there, or nobody here knows what they become: the fund watches them.
        ("aster", False),
        ("krakenfutures", False),
        ("bybit", False),
        ("okx", False),
    ],
)
def test_stops_are_placed_only_where_it_is_known_how(exchange_id: str, takes: bool) -> None:
    assert CcxtVenue(exchange_id).takes_stops is takes


def test_what_ccxt_does_not_say_that_an_exchange_can_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = ccxt.binanceusdm.describe

    def without(self: Any) -> Any:
        told = plain(self)
        return self.deep_extend(told, {"has": {"cancelOrder": False}})

    monkeypatch.setattr(ccxt.binanceusdm, "describe", without)
    assert not CcxtVenue().takes_stops


def test_where_stops_are_watched_none_is_placed_listed_or_known(exchange: Exchange) -> None:
    asked = CcxtVenue("bybit")
    assert asked.stops() == []
    asked = venue(exchange)
    asked._dialect = None
    for refused in (lambda: asked.place(STOP), lambda: found(asked), lambda: asked.cancel("BTCUSDT", "x", Kind.STOP)):
        with pytest.raises((Rejected, UnknownOrder)):
            refused()
    assert [path for _, path in exchange.asked if "lgo" in path] == []


# --- placing, listing, cancelling ------------------------------------------------------------------------------------


def test_a_stop_waits_for_the_mark_price_may_only_reduce_and_is_no_order(exchange: Exchange) -> None:
    asked = venue(exchange)
    placed = asked.place(STOP)
    assert (placed.status, placed.kind, placed.trigger, placed.filled) == (Status.OPEN, Kind.STOP, 95.0, 0.0)
    assert (placed.quantity, placed.side, placed.reduce_only, placed.waits) == (2.0, "SHORT", True, True)
    (sent,) = exchange.algos.values()
    assert (sent["orderType"], sent["workingType"], sent["reduceOnly"]) == ("STOP_MARKET", "MARK_PRICE", True)
    assert asked.open_orders() == []
    assert [o.client_id for o in asked.stops("BTCUSDT")] == ["rf-s"]
    assert [o.client_id for o in asked.stops()] == ["rf-s"]
    assert asked.stops("ETHUSDT") == []
    assert found(asked) == placed


def test_a_stop_that_is_cancelled_has_ended_and_filled_nothing(exchange: Exchange) -> None:
    asked = venue(exchange)
    asked.place(STOP)
    asked.cancel("BTCUSDT", "rf-s", Kind.STOP)
    assert (found(asked).status, found(asked).filled) == (Status.CANCELLED, 0.0)
    assert asked.stops() == []
    with pytest.raises(UnknownOrder):
        asked.cancel("BTCUSDT", "rf-s", Kind.STOP)


def test_stops_and_orders_are_kept_apart(exchange: Exchange) -> None:
    asked = venue(exchange)
    asked.place(STOP)
    asked.place(NewOrder("rf-1", "BTCUSDT", "LONG", 1.0, Kind.LIMIT, 99.0))
    for client_id, kind in (("rf-s", None), ("rf-1", Kind.STOP), ("rf-none", Kind.STOP)):
        with pytest.raises(UnknownOrder):
            asked.order("BTCUSDT", client_id, kind)


@pytest.mark.parametrize(
    ("code", "raised"),
    [
        (-2021, WouldTrigger),
        (-4142, WouldTrigger),
        (-4164, Rejected),
        (-1111, Rejected),
        (-4045, Rejected),
        (-2022, Rejected),
        (-4120, Rejected),
        (-4116, DuplicateClientId),
        (-20132, DuplicateClientId),
        (-2019, NotEnoughMargin),
    ],
)
def test_what_the_venue_refuses_is_certain(exchange: Exchange, code: int, raised: type[VenueError]) -> None:
    exchange.faults.append(Fault("algoOrder", "POST", status=400, body=f'{{"code":{code},"msg":"no"}}'))
    with pytest.raises(raised) as error:
        venue(exchange).place(STOP)
    assert type(error.value) is raised
    assert error.value.is_certain
    assert exchange.algos == {}


def test_a_stop_that_the_price_has_reached_already_would_trigger(exchange: Exchange) -> None:
    exchange.move(94.9)
    with pytest.raises(WouldTrigger):
        venue(exchange).place(STOP)


def test_a_name_is_taken_as_long_as_its_stop_waits(exchange: Exchange) -> None:
    asked = venue(exchange)
    asked.place(STOP)
    with pytest.raises(DuplicateClientId):
        asked.place(STOP)
    assert len(exchange.algos) == 1


def test_a_stop_of_little_worth_is_taken_since_it_only_reduces(exchange: Exchange) -> None:
    small = NewOrder("rf-s", "BTCUSDT", "SHORT", 0.001, Kind.STOP, reduce_only=True, trigger=95.0)
    assert venue(exchange).place(small).quantity == 0.001


@pytest.mark.parametrize(
    "order",
    [
        NewOrder("rf-s", "BTCUSDT", "SHORT", 2.0, Kind.STOP, trigger=95.0),
        NewOrder("rf-s", "BTCUSDT", "SHORT", 2.0, Kind.STOP, reduce_only=True),
        NewOrder("rf-s", "BTCUSDT", "SHORT", 2.0, Kind.STOP, 94.0, reduce_only=True, trigger=95.0),
        NewOrder("rf-s", "BTCUSDT", "SHORT", 2.0001, Kind.STOP, reduce_only=True, trigger=95.0),
        NewOrder("rf-s", "BTCUSDT", "SHORT", 2.0, Kind.STOP, reduce_only=True, trigger=95.05),
        NewOrder("rf-s", "DOGEUSDT", "SHORT", 2.0, Kind.STOP, reduce_only=True, trigger=95.0),
        NewOrder("rf-s", "BTCUSDT", "SHORT", 2.0, Kind.LIMIT, 101.0, trigger=95.0),
        NewOrder("", "BTCUSDT", "SHORT", 2.0, Kind.STOP, reduce_only=True, trigger=95.0),
    ],
)
def test_a_stop_that_would_be_sent_as_another_one_is_not_sent(exchange: Exchange, order: NewOrder) -> None:
    with pytest.raises(Rejected):
        venue(exchange).place(order)
    assert exchange.algos == {}
    assert exchange.orders == {}


def test_no_stop_is_placed_unless_live_trading_is_on(exchange: Exchange) -> None:
    asked = venue(exchange, live=False)
    with pytest.raises(NotPermitted):
        asked.place(STOP)
    with pytest.raises(NotPermitted):
        asked.cancel("BTCUSDT", "rf-s", Kind.STOP)
    assert exchange.asked == []


# --- what becomes of it ----------------------------------------------------------------------------------------------


def test_a_triggered_stop_tells_what_its_order_filled_at_what_price_and_for_what_fee(exchange: Exchange) -> None:
    asked = venue(exchange)
    exchange.position = open_position("2")
    asked.place(STOP)
    exchange.move(94.0)
    state = found(asked)
    assert (state.status, state.filled, state.average, state.triggered) == (Status.FILLED, 2.0, 93.95, True)
    assert state.fee == pytest.approx(2.0 * 93.95 * TAKER_FEE)
    assert (state.client_id, state.kind, state.waits) == ("rf-s", Kind.STOP, False)
    assert asked.stops() == []


def test_a_stop_that_closed_what_was_left_of_a_position_has_filled_that_much(exchange: Exchange) -> None:
    asked = venue(exchange)
    exchange.position = open_position("1.5")
    asked.place(STOP)
    exchange.move(94.0)
    assert (found(asked).status, found(asked).filled) == (Status.EXPIRED, 1.5)


def test_a_stop_on_its_way_to_the_market_waits_no_longer_and_has_filled_nothing(exchange: Exchange) -> None:
    asked = venue(exchange)
    exchange.position, exchange.stuck = open_position("2"), True
    asked.place(STOP)
    exchange.move(94.0)
    state = found(asked)
    assert (state.is_open, state.triggered, state.waits, state.filled) == (True, True, False, 0.0)
    with pytest.raises(UnknownOrder):
        asked.cancel("BTCUSDT", "rf-s", Kind.STOP)


def test_a_stop_that_the_market_did_not_take_has_ended_and_filled_nothing(exchange: Exchange) -> None:
    asked = venue(exchange)
    asked.place(STOP)
    exchange.move(94.0)
    assert (found(asked).status, found(asked).filled) == (Status.REJECTED, 0.0)


def test_a_fee_in_another_currency_or_of_fills_that_are_not_all_there_is_not_known(exchange: Exchange) -> None:
    asked = venue(exchange)
    exchange.position = open_position("2")
    asked.place(STOP)
    exchange.fee_in = "BNB"
    exchange.move(94.0)
    assert (found(asked).filled, found(asked).fee) == (2.0, None)
    exchange.trades = [{**trade, "commissionAsset": "USDT"} for trade in exchange.trades]
    exchange.faults.append(Fault("userTrades", edit=lambda rows: rows[:1]))
    assert found(asked).fee is None
    exchange.faults.append(Fault("userTrades", status=200, body='{"no": "list"}'))
    assert found(asked).fee is None
    assert found(asked).fee == pytest.approx(2.0 * 93.95 * TAKER_FEE)


def test_a_cost_below_zero_is_no_fee() -> None:
    paid = {"amount": 1.0, "fee": {"currency": "USDT", "cost": -0.1}}
    assert fee_of([paid], 1.0, "USDT") is None


def test_an_order_that_the_venue_does_not_find_yet_is_no_end_of_the_stop(exchange: Exchange) -> None:
    asked = venue(exchange)
    exchange.position = open_position("2")
    asked.place(STOP)
    exchange.move(94.0)
    exchange.faults.append(Fault("v1/order", "GET", status=400, body='{"code":-2013,"msg":"Order does not exist."}'))
    with pytest.raises(Unclear):
        found(asked)
    assert found(asked).filled == 2.0


# --- trouble ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        Fault("algoOrder", "POST", hang=SHORT + 0.5, after=True),
        Fault("algoOrder", "POST", after=True),
        Fault("algoOrder", "POST", status=503, body='{"code":-1008,"msg":"busy"}', after=True),
        Fault("algoOrder", "POST", status=502, body="<html>bad gateway</html>", after=True),
        Fault("algoOrder", "POST", status=200, body="<html>", after=True),
        Fault("algoOrder", "POST", status=400, body='{"code":-1007,"msg":"timeout"}', after=True),
    ],
)
def test_a_stop_whose_answer_is_lost_is_sent_once_and_found_by_its_name(exchange: Exchange, fault: Fault) -> None:
    asked = venue(exchange, timeout=SHORT)
    exchange.faults.append(fault)
    with pytest.raises((Unreachable, Unclear, Malformed)) as error:
        asked.place(STOP)
    assert not error.value.is_certain
    assert exchange.count("POST", "algoOrder") == 1
    assert found(asked).waits


@pytest.mark.parametrize("status", [418, 429])
def test_a_rate_limit_of_a_stop_is_certain_and_not_tried_again(exchange: Exchange, status: int) -> None:
    exchange.faults.append(
        Fault("algoOrder", "POST", status=status, body='{"code":-1003,"msg":"Too many"}', headers={"Retry-After": "3"})
    )
    with pytest.raises(RateLimited) as error:
        venue(exchange).place(STOP)
    assert (error.value.is_certain, error.value.retry_after) == (True, 3.0)
    assert exchange.count("POST", "algoOrder") == 1
    assert exchange.algos == {}


WRONG_ANSWERS: tuple[dict[str, Any], ...] = (
    {"clientAlgoId": "another"}, {"clientAlgoId": None}, {"symbol": "ETHUSDT"}, {"quantity": "1"}, {"quantity": None},
    {"side": "BUY"}, {"side": None}, {"triggerPrice": "94.0"}, {"triggerPrice": None}, {"reduceOnly": False},
    {"algoStatus": "HAPPY"}, {"algoStatus": None}, {"algoStatus": "FINISHED"}, {"createTime": None, "updateTime": None},
    {"quantity": "0"},
)  # fmt: skip


def test_a_stop_that_is_told_as_another_one_is_not_taken_for_it(exchange: Exchange) -> None:
    asked = venue(exchange)
    for number, changed in enumerate(WRONG_ANSWERS):
        exchange.faults.append(Fault("algoOrder", "POST", edit=edited(**changed)))
        name = f"rf-{number}"
        with pytest.raises(Malformed) as error:
            asked.place(NewOrder(name, "BTCUSDT", "SHORT", 2.0, Kind.STOP, reduce_only=True, trigger=95.0))
        assert not error.value.is_certain
        assert found(asked, name).waits


@pytest.mark.parametrize(
    "changed",
    [
        {"executedQty": "3"}, {"executedQty": None}, {"avgPrice": "0", "cumQuote": None}, {"side": "BUY"},
        {"symbol": "ETHUSDT"}, {"status": "HAPPY"}, {"origQty": None},
    ],
)  # fmt: skip
def test_an_order_that_cannot_be_that_of_the_stop_is_no_fill(exchange: Exchange, changed: dict[str, Any]) -> None:
    asked = venue(exchange)
    exchange.position = open_position("2")
    asked.place(STOP)
    exchange.move(94.0)
    exchange.faults.append(Fault("v1/order", "GET", edit=edited(**changed)))
    with pytest.raises(Malformed):
        found(asked)


@pytest.mark.parametrize(
    "body", ["", "{", "nonsense", "{}", "null", "3", '"text"', "[[]]", '[{"symbol": "BTCUSDT", "quantity": "1"}]']
)
def test_a_list_of_stops_that_cannot_be_read_is_malformed(exchange: Exchange, body: str) -> None:
    asked = venue(exchange)
    asked.markets()
    exchange.faults.append(Fault("openAlgoOrders", status=200, body=body, times=9))
    with pytest.raises(Malformed):
        asked.stops()


def test_stops_of_other_people_are_told_as_what_they_are(exchange: Exchange) -> None:
    asked = venue(exchange)
    asked.place(STOP)
    theirs = exchange.new_algo(
        {"clientAlgoId": "entry", "type": "STOP_MARKET", "symbol": "BTCUSDT", "side": "BUY", "quantity": "1",
         "triggerPrice": "120"}
    )  # fmt: skip
    exchange.new_algo(
        {"clientAlgoId": "all", "type": "STOP_MARKET", "symbol": "BTCUSDT", "side": "SELL", "quantity": "0",
         "triggerPrice": "80"}
    )["closePosition"] = True  # fmt: skip
    assert not theirs["reduceOnly"]
    told = {o.client_id: o.is_guard for o in asked.stops()}
    # What closes a position whatever its size has no quantity, and adds no risk.
    assert told == {"rf-s": True, "entry": False}


# --- leverage --------------------------------------------------------------------------------------------------------


def test_leverage_is_set_in_whole_numbers(exchange: Exchange) -> None:
    venue(exchange).set_leverage("BTCUSDT", 7.5)
    assert exchange.leverages == {"BTCUSDT": 7}


def test_leverage_that_the_account_or_the_venue_does_not_carry_is_refused(exchange: Exchange) -> None:
    asked = venue(exchange)
    exchange.least_leverage = 5
    with pytest.raises(NotEnoughMargin):
        asked.set_leverage("BTCUSDT", 2.0)
    exchange.faults.append(Fault("leverage", "POST", status=400, body='{"code":-4161,"msg":"isolated"}'))
    with pytest.raises(Rejected):
        asked.set_leverage("BTCUSDT", 6.0)
    with pytest.raises(Rejected):
        asked.set_leverage("BTCUSDT", 126.0)
    for wrong in (0.5, float("nan"), float("inf")):
        with pytest.raises(Rejected):
            asked.set_leverage("BTCUSDT", wrong)
    assert exchange.leverages == {}


@pytest.mark.parametrize("changed", [{"leverage": 9}, {"leverage": None}, {"symbol": "ETHUSDT"}])
def test_leverage_that_is_told_as_another_one_is_not_taken_for_set(exchange: Exchange, changed: dict[str, Any]) -> None:
    exchange.faults.append(Fault("leverage", "POST", edit=edited(**changed)))
    with pytest.raises(Malformed):
        venue(exchange).set_leverage("BTCUSDT", 7.0)


def test_leverage_is_not_set_unless_live_trading_is_on(exchange: Exchange) -> None:
    with pytest.raises(NotPermitted):
        venue(exchange, live=False).set_leverage("BTCUSDT", 2.0)
    assert exchange.asked == []
