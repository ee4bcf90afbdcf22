"""Real requests of ccxt to a server on this machine that speaks as Binance futures do, and misbehaves."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from evaluators.decision import Decision
from modules.inputs import MarginTier, Request
from modules.judge import Answer
from modules.smart_execution import SmartExecution
from modules.venues import (
    ClockSkew,
    DuplicateClientId,
    Kind,
    NewOrder,
    NotEnoughMargin,
    NotPermitted,
    RateLimited,
    Rejected,
    Status,
    Unclear,
    UnknownOrder,
    Unreachable,
)
from modules.venues.ccxt_asking import Manners
from modules.venues.ccxt_venue import CcxtVenue
from modules.venues.credentials import Credentials
from modules.venues.desk import Patience
from tests.modules.venues.binance_server import KEY, SECRET, Exchange, Fault
from tests.modules.venues.binance_stops import NOW, open_position
from tests.modules.venues.clients import AT_ONCE, BUY, KEYS, SHORT, venue

# --- what is told ----------------------------------------------------------------------------------------------------


def test_a_listing_tells_steps_age_and_margin_tiers(exchange: Exchange) -> None:
    found = venue(exchange).markets()["BTCUSDT"]
    assert (found.tick, found.step, found.least_notional) == (0.1, 0.001, 5.0)
    assert found.listed_at == 1569398400000
    # 50,000 x (0.5 % - 0.4 %) = 50: the margin goes on without a jump.
    assert found.tiers == (MarginTier(50_000, 0.004, 125, 0.0), MarginTier(250_000, 0.005, 100, 50.0))


def test_a_ticker_joins_last_price_quotes_and_mark(exchange: Exchange) -> None:
    found = venue(exchange).tickers()["ETHUSDT"]
    assert (found.at, found.last, found.bid, found.ask) == (NOW, 100.0, 99.9, 100.0)
    assert (found.mark, found.volume_24h) == (99.95, 100_000.0)


def test_depth_candles_and_funding_are_told(exchange: Exchange) -> None:
    asked = venue(exchange)
    assert asked.depth("BTCUSDT").asks == ((100.0, 2.0), (100.1, 3.0), (100.3, 5.0), (100.8, 10.0))
    candles = asked.candles("BTCUSDT", NOW - 120_000)
    assert candles.opened.tolist() == [NOW - 120_000, NOW - 60_000]
    assert candles.close.tolist() == [[100.5], [100.5]]
    assert asked.funding() == {"BTCUSDT": 0.0001, "ETHUSDT": 0.0001}


def test_hours_are_asked_for_as_hours_and_those_that_are_not_over_are_left_out(exchange: Exchange) -> None:
    start = (NOW // 3_600_000 - 2) * 3_600_000
    now = time.time_ns() // 1_000_000
    asked = venue(exchange)
    exchange.faults.append(
        Fault("klines", edit=lambda rows: [[at, *rows[0][1:]] for at in (start, start + 3_600_000, now - 60_000)])
    )
    found = asked.hours("BTCUSDT", 0)
    assert found.cadence_ms == 3_600_000
    assert found.opened.tolist() == [start, start + 3_600_000]


def test_a_candle_that_has_not_closed_is_left_out(exchange: Exchange) -> None:
    def with_an_open_one(rows: Any) -> Any:
        now = time.time_ns() // 1_000_000
        return [*rows, [now - 30_000, *rows[0][1:]]]

    exchange.faults.append(Fault("klines", edit=with_an_open_one))
    assert len(venue(exchange).candles("BTCUSDT", 0).opened) == 2


def test_the_account_tells_balance_equity_and_margin_and_no_peak(exchange: Exchange) -> None:
    found = venue(exchange).account()
    assert (found.balance, found.equity, found.used_margin, found.venue_equity) == (1000, 1050, 200, 1050)
    assert found.peak_equity != found.peak_equity


def test_a_short_position_has_a_positive_quantity(exchange: Exchange) -> None:
    exchange.position = open_position("-2")
    found = venue(exchange).positions()["BTCUSDT"]
    assert (found.side, found.quantity, found.entry, found.mark) == ("SHORT", 2.0, 110.0, 99.95)
    # 2 x 99.95 of notional on 39.98 of margin.
    assert found.leverage == pytest.approx(5.0)


def test_an_empty_position_is_none(exchange: Exchange) -> None:
    exchange.position = open_position("0")
    assert venue(exchange).positions() == {}


# --- orders ----------------------------------------------------------------------------------------------------------


def test_an_order_lives_by_its_client_id(exchange: Exchange) -> None:
    asked = venue(exchange)
    placed = asked.place(NewOrder("rf-2", "BTCUSDT", "SHORT", 1.5, Kind.LIMIT, 101.0, reduce_only=True))
    assert (placed.status, placed.filled, placed.average, placed.reduce_only) == (Status.OPEN, 0.0, None, True)
    assert [o.client_id for o in asked.open_orders()] == ["rf-2"]
    # A sale that may only reduce acts on the long position.
    assert asked.open_orders()[0].as_order().side == "LONG"
    asked.cancel("BTCUSDT", "rf-2")
    assert asked.order("BTCUSDT", "rf-2").status is Status.CANCELLED
    assert asked.open_orders() == []


def test_what_an_order_filled_and_at_what_price_is_told(exchange: Exchange) -> None:
    found = venue(exchange).place(NewOrder("rf-3", "BTCUSDT", "LONG", 1.0, Kind.IOC, 100.1))
    assert (found.status, found.kind, found.filled, found.average) == (Status.FILLED, Kind.IOC, 1.0, 100.1)


def test_an_order_that_the_venue_does_not_know_is_unknown(exchange: Exchange) -> None:
    asked = venue(exchange)
    with pytest.raises(UnknownOrder):
        asked.order("BTCUSDT", "rf-none")
    with pytest.raises(UnknownOrder):
        asked.cancel("BTCUSDT", "rf-none")


def test_a_client_id_of_an_open_order_is_a_duplicate(exchange: Exchange) -> None:
    asked = venue(exchange)
    resting = NewOrder("rf-4", "BTCUSDT", "LONG", 1.0, Kind.LIMIT, 99.0)
    asked.place(resting)
    with pytest.raises(DuplicateClientId):
        asked.place(resting)


def test_an_order_that_the_account_cannot_carry_is_rejected(exchange: Exchange) -> None:
    with pytest.raises(NotEnoughMargin):
        venue(exchange).place(NewOrder("rf-5", "BTCUSDT", "LONG", 101.0, Kind.MARKET))


@pytest.mark.parametrize(
    "order",
    [
        NewOrder("rf-6", "BTCUSDT", "LONG", 1.00001, Kind.MARKET),
        NewOrder("rf-6", "BTCUSDT", "LONG", 1.0, Kind.LIMIT, 100.05),
        NewOrder("rf-6", "BTCUSDT", "LONG", 1.0, Kind.LIMIT),
        NewOrder("rf-6", "BTCUSDT", "LONG", 1.0, Kind.MARKET, 100.0),
        NewOrder("rf-6", "DOGEUSDT", "LONG", 1.0, Kind.MARKET),
        NewOrder("", "BTCUSDT", "LONG", 1.0, Kind.MARKET),
    ],
)
def test_an_order_that_would_be_sent_as_another_one_is_not_sent(exchange: Exchange, order: NewOrder) -> None:
    with pytest.raises(Rejected):
        venue(exchange).place(order)
    assert exchange.count("POST", "order") == 0


# --- permission and secrets ------------------------------------------------------------------------------------------


def test_nothing_is_traded_unless_live_trading_is_on(exchange: Exchange) -> None:
    asked = venue(exchange, live=False)
    with pytest.raises(NotPermitted, match="off"):
        asked.place(BUY)
    with pytest.raises(NotPermitted, match="off"):
        asked.cancel("BTCUSDT", "rf-1")
    assert exchange.asked == []


def test_live_trading_needs_keys() -> None:
    with pytest.raises(NotPermitted, match="keys"):
        CcxtVenue(live=True)


def test_keys_that_the_venue_refuses_are_not_permitted(exchange: Exchange) -> None:
    wrong = Credentials(SecretStr(KEY), SecretStr("wrong"))
    asked = CcxtVenue(credentials=wrong, endpoint=exchange.url, manners=Manners(timeout=1), config=AT_ONCE)
    with pytest.raises(NotPermitted):
        asked.account()


def test_the_keys_are_in_no_log_error_or_repr(exchange: Exchange, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    asked = venue(exchange)
    told = [repr(asked), str(asked), repr(KEYS), str(KEYS)]
    asked.account()
    exchange.faults.append(Fault("order", status=500))
    with pytest.raises(Unreachable) as error:
        asked.place(BUY)
    told += [str(error.value), repr(error.value), caplog.text]
    assert not [text for text in told if KEY in text or SECRET in text]
    assert "signature" not in str(error.value)


def test_an_endpoint_is_encrypted_or_on_this_machine() -> None:
    with pytest.raises(ValueError, match="https"):
        CcxtVenue(endpoint="http://example.com")


def test_an_exchange_that_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="knows no exchange"):
        CcxtVenue("no_such_exchange")


# --- trouble ---------------------------------------------------------------------------------------------------------


def test_a_read_is_tried_again_with_growing_delays(exchange: Exchange) -> None:
    delays: list[float] = []
    exchange.faults += [Fault("depth", hang=SHORT + 0.5), Fault("depth", status=503, body="<html>")]
    assert venue(exchange, delays=delays, timeout=SHORT).depth("BTCUSDT").bids
    assert exchange.count("GET", "depth") == 3
    assert delays == [0.5, 1.0]


def test_delays_are_as_the_jitter_says(exchange: Exchange) -> None:
    delays: list[float] = []
    exchange.faults.append(Fault("depth", status=503))
    venue(exchange, delays=delays, jitter=lambda: 0.25).depth("BTCUSDT")
    assert delays == [0.125]


def test_a_read_gives_up_in_the_end(exchange: Exchange) -> None:
    exchange.faults.append(Fault("depth", status=502, times=99))
    with pytest.raises(Unreachable):
        venue(exchange).depth("BTCUSDT")
    assert exchange.count("GET", "depth") == 3


@pytest.mark.parametrize(
    "fault",
    [
        Fault("order", "POST", hang=SHORT + 0.5, after=True),
        Fault("order", "POST", after=True),
        Fault("order", "POST", status=503, body='{"code":-1008,"msg":"busy"}', after=True),
        Fault("order", "POST", status=502, body="<html>bad gateway</html>", after=True),
    ],
)
def test_an_order_whose_answer_is_lost_is_sent_once_and_found_by_its_client_id(
    exchange: Exchange, fault: Fault
) -> None:
    asked = venue(exchange, timeout=SHORT)
    exchange.faults.append(fault)
    with pytest.raises((Unreachable, Unclear)) as error:
        asked.place(BUY)
    assert not error.value.is_certain
    assert exchange.count("POST", "order") == 1
    assert asked.order("BTCUSDT", "rf-1").filled == 1.0


@pytest.mark.parametrize("code", [-1000, -1001, -1006, -1007])
def test_an_execution_status_unknown_is_not_taken_for_a_refusal(exchange: Exchange, code: int) -> None:
    exchange.faults.append(Fault("order", "POST", status=400, body=f'{{"code":{code},"msg":"status unknown"}}'))
    with pytest.raises(Unclear) as error:
        venue(exchange).place(BUY)
    assert not error.value.is_certain


def test_a_refusal_of_a_kind_that_nobody_knows_is_one_all_the_same(exchange: Exchange) -> None:
    exchange.faults.append(Fault("order", "POST", status=400, body='{"code":-4999,"msg":"no"}'))
    with pytest.raises(Rejected):
        venue(exchange).place(BUY)


def test_a_cancel_is_tried_again(exchange: Exchange) -> None:
    asked = venue(exchange)
    asked.place(NewOrder("rf-7", "BTCUSDT", "LONG", 1.0, Kind.LIMIT, 99.0))
    exchange.faults.append(Fault("order", "DELETE", status=502))
    asked.cancel("BTCUSDT", "rf-7")
    assert asked.order("BTCUSDT", "rf-7").status is Status.CANCELLED


@pytest.mark.parametrize("status", [418, 429])
def test_a_rate_limit_is_kept_quiet_for_as_long_as_the_venue_asks(exchange: Exchange, status: int) -> None:
    now = [1_000_000]
    asked = venue(exchange, clock=lambda: now[0])
    asked.depth("BTCUSDT")
    exchange.faults.append(Fault("depth", status=status, headers={"Retry-After": "7"}))
    with pytest.raises(RateLimited) as error:
        asked.depth("BTCUSDT")
    assert error.value.retry_after == 7.0
    now[0] += 6_999
    with pytest.raises(RateLimited, match="silence"):
        asked.depth("BTCUSDT")
    assert exchange.count("GET", "depth") == 2
    now[0] += 1
    assert asked.depth("BTCUSDT").bids
    assert exchange.count("GET", "depth") == 3


def test_a_rate_limit_of_an_order_is_certain_and_not_tried_again(exchange: Exchange) -> None:
    exchange.faults.append(Fault("order", "POST", status=429, body='{"code":-1003,"msg":"Too many"}'))
    with pytest.raises(RateLimited) as error:
        venue(exchange).place(BUY)
    assert error.value.is_certain
    assert exchange.count("POST", "order") == 1
    assert exchange.orders == {}


def test_no_order_is_sent_while_the_clocks_are_apart(exchange: Exchange) -> None:
    exchange.offset = 3_000
    with pytest.raises(ClockSkew, match=r"[23]\.\d+ s apart"):
        venue(exchange).place(BUY)
    assert exchange.count("POST", "order") == 0


def test_the_skew_is_measured_again_after_the_venue_complains(exchange: Exchange) -> None:
    asked = venue(exchange)
    asked.place(BUY)
    assert exchange.count("GET", "time") == 1
    exchange.faults.append(Fault("order", "POST", status=400, body='{"code":-1021,"msg":"Timestamp"}'))
    with pytest.raises(ClockSkew):
        asked.place(NewOrder("rf-8", "BTCUSDT", "LONG", 1.0, Kind.MARKET))
    asked.place(NewOrder("rf-9", "BTCUSDT", "LONG", 1.0, Kind.MARKET))
    assert exchange.count("GET", "time") == 2


# --- the whole way ---------------------------------------------------------------------------------------------------


def allowed(key: str, _request: Request) -> Answer:
    """What rules might say, without any."""
    said = {"verdict": "ALLOW", "aelm.order_type": "IOC", "aelm.max_slippage": 0.005}
    outputs = {**{name: {key: value} for name, value in said.items()}, "aelm.max_participation": 1.0}
    return Answer(Decision("main", NOW, {}, ()), outputs, {})


def test_an_order_is_found_when_its_answer_is_lost_and_no_key_is_written_down(
    exchange: Exchange, tmp_path: Path
) -> None:
    log = tmp_path / "intents.jsonl"
    on = SmartExecution(venue(exchange, timeout=2.0), decide=allowed, intents=log)
    exchange.faults.append(Fault("order", "POST", status=502, body="<html>", after=True))
    found = on.execute_order(symbol="BTCUSDT", side="buy", size=1.0)
    assert (found.outcome, found.filled, found.average) == ("FILLED", 1.0, 100.1)
    assert exchange.count("POST", "order") == 1
    on.intents.close()
    assert KEY not in log.read_text()
    assert SECRET not in log.read_text()


def test_a_limit_order_is_cancelled_and_verified_at_a_real_client(exchange: Exchange, tmp_path: Path) -> None:
    def waits(key: str, request: Request) -> Answer:
        said = allowed(key, request)
        return replace(said, outputs={**said.outputs, "aelm.order_type": {key: "LIMIT"}})

    on = SmartExecution(
        venue(exchange), decide=waits, intents=tmp_path / "i", patience=Patience(rounds=1), wait=lambda _: None
    )
    found = on.execute_order(symbol="BTCUSDT", side="buy", size=1.0)
    assert [(o.status, o.price) for o in found.orders] == [(Status.CANCELLED, 99.9)]
    assert found.outcome == "CANCELLED"
    on.intents.close()
