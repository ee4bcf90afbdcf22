"""Answers that no sound exchange gives are errors, never values that somebody made up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from modules.venues import Kind, Malformed, NewOrder
from modules.venues.ccxt_venue import CcxtVenue
from tests.modules.venues.binance_server import Exchange, Fault
from tests.modules.venues.binance_stops import NOW, open_position
from tests.modules.venues.clients import venue

ASKED: dict[str, Callable[[CcxtVenue], object]] = {
    "exchangeInfo": lambda v: v.markets(),
    "ticker/24hr": lambda v: v.tickers(),
    "depth": lambda v: v.depth("BTCUSDT"),
    "klines": lambda v: v.candles("BTCUSDT", 0),
    "premiumIndex": lambda v: v.funding(),
    "account": lambda v: v.account(),
    "time": lambda v: v.time(),
    "positionRisk": lambda v: v.positions(),
    "openOrders": lambda v: v.open_orders(),
}


NO_JSON = ("", "{", "nonsense", '{"a": NaN}', "<html>")
NO_SHAPE = ("{}", "[]", "null", "3", '"text"', '{"symbols": 3}', "[[]]", '[{"symbol": "BTCUSDT"}]')
MAY_BE_EMPTY = {"klines", "premiumIndex"}


def malformed(exchange: Exchange, asked: CcxtVenue, path: str, body: str) -> bool:
    """Whether the venue says so when the path answers that body."""
    exchange.faults[:] = [Fault(path, status=200, body=body, times=99)]
    try:
        ASKED[path](asked)
    except Malformed:
        return True
    return False


@pytest.mark.parametrize("path", ASKED)
def test_a_body_that_is_no_json_is_malformed(exchange: Exchange, path: str) -> None:
    asked = venue(exchange)
    asked.markets()
    assert [body for body in NO_JSON if not malformed(exchange, asked, path, body)] == []


@pytest.mark.parametrize("path", [p for p in ASKED if p not in MAY_BE_EMPTY])
def test_json_of_another_shape_is_malformed(exchange: Exchange, path: str) -> None:
    asked = venue(exchange)
    asked.markets()
    taken = [body for body in NO_SHAPE if not malformed(exchange, asked, path, body)]
    # An account has positions and orders more often than not, and none is what an empty list says.
    assert taken == (["[]"] if path in {"positionRisk", "openOrders"} else [])


def edited(**changed: Any) -> Any:
    return lambda body: {**body, **changed}


@pytest.mark.parametrize(
    "edit",
    [
        edited(asks=[["99.0", "1"]]),
        edited(asks=[["100.0", "0"]]),
        edited(asks=[["100.2", "1"], ["100.1", "1"]]),
        edited(asks=[]),
        edited(asks=[["abc", "1"]]),
        edited(asks=[["-100", "1"]]),
    ],
)
def test_an_order_book_that_cannot_be_is_malformed(exchange: Exchange, edit: Any) -> None:
    exchange.faults.append(Fault("depth", edit=edit))
    if edit({})["asks"] == [["100.2", "1"], ["100.1", "1"]]:
        # ccxt sorts the levels, which is no harm.
        assert venue(exchange).depth("BTCUSDT").asks == ((100.1, 1.0), (100.2, 1.0))
        return
    with pytest.raises(Malformed):
        venue(exchange).depth("BTCUSDT")


CONTRADICTIONS: tuple[dict[str, Any], ...] = (
    {"executedQty": "5"}, {"executedQty": "-1"}, {"executedQty": None}, {"executedQty": "0.4"}, {"status": "HAPPY"},
    {"status": None}, {"avgPrice": "0", "cumQuote": None}, {"clientOrderId": "another"}, {"symbol": "ETHUSDT"},
    {"origQty": None}, {"origQty": "2"}, {"side": None}, {"updateTime": None, "time": None},
)  # fmt: skip


def test_an_order_that_contradicts_itself_is_no_fill(exchange: Exchange) -> None:
    asked = venue(exchange)
    for number, changed in enumerate(CONTRADICTIONS):
        exchange.faults.append(Fault("order", "POST", edit=edited(**changed)))
        name = f"rf-{number}"
        with pytest.raises(Malformed) as error:
            asked.place(NewOrder(name, "BTCUSDT", "LONG", 1.0, Kind.MARKET))
        assert not error.value.is_certain
        assert asked.order("BTCUSDT", name).filled == 1.0


@pytest.mark.parametrize(
    "edit",
    [
        lambda rows: [rows[1], rows[0]],
        lambda rows: [[rows[0][0], "100", "90", "99", "100", "1"]],
        lambda rows: [[rows[0][0], "100", "101", "99", None, "1"]],
        lambda rows: [[rows[0][0], "100", "101", "99", "100", "-1"]],
    ],
)
def test_candles_that_cannot_be_are_malformed(exchange: Exchange, edit: Any) -> None:
    exchange.faults.append(Fault("klines", edit=edit))
    asked = venue(exchange)
    if edit([[1], [2]]) == [[2], [1]]:
        # ccxt sorts the bars, which is no harm.
        assert asked.candles("BTCUSDT", 0).opened.tolist() == [NOW - 120_000, NOW - 60_000]
        return
    with pytest.raises(Malformed):
        asked.candles("BTCUSDT", 0)


def test_an_account_without_its_figures_is_malformed(exchange: Exchange) -> None:
    def without(name: str) -> Any:
        return lambda body: {**body, "assets": [{k: v for k, v in body["assets"][0].items() if k != name}]}

    asked = venue(exchange)
    for name in ("walletBalance", "marginBalance", "initialMargin"):
        exchange.faults.append(Fault("account", edit=without(name)))
        if name == "walletBalance":
            with pytest.raises(Malformed, match="wallet"):
                asked.account()
            continue
        with pytest.raises(Malformed):
            asked.account()


@pytest.mark.parametrize("changed", [{"entryPrice": "0"}, {"markPrice": "x"}, {"updateTime": 0}, {"notional": None}])
def test_a_position_without_its_figures_is_malformed(exchange: Exchange, changed: dict[str, Any]) -> None:
    exchange.position = open_position(**changed)
    with pytest.raises(Malformed):
        venue(exchange).positions()


def test_both_sides_of_one_contract_are_refused(exchange: Exchange) -> None:
    exchange.faults.append(
        Fault("positionRisk", edit=lambda _: [open_position("1", positionSide="LONG"), open_position("-1")])
    )
    with pytest.raises(Malformed, match="one-way"):
        venue(exchange).positions()


def test_a_symbol_without_a_price_has_no_ticker_and_the_others_have(exchange: Exchange) -> None:
    exchange.faults.append(Fault("ticker/24hr", edit=lambda rows: [{**rows[0], "lastPrice": None}, rows[1]]))
    assert list(venue(exchange).tickers()) == ["ETHUSDT"]


def test_a_quote_that_is_not_told_is_not_known(exchange: Exchange) -> None:
    exchange.faults.append(Fault("ticker/bookTicker", edit=lambda rows: rows[1:]))
    found = venue(exchange).tickers()["BTCUSDT"]
    assert found.bid != found.bid
    assert found.last == 100.0
