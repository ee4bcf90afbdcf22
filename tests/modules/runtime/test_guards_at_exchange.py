"""Guards at an exchange that keeps stops apart from orders: what a fund knows of them, whatever happens to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from modules.inputs import Account, Inputs, Request
from modules.runtime.actions import Actions
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger
from modules.runtime.venue_world import VenueWorld
from modules.smart_execution import SmartExecution
from tests.modules.runtime.hands import JUDGE, UNKNOWN, allowed, answer
from tests.modules.venues.binance_server import Exchange, Fault, serving
from tests.modules.venues.binance_stops import NOW, TAKER_FEE
from tests.modules.venues.clients import venue
from tests.modules.venues.flaky import Flaky

SYMBOL = "BTCUSDT"
ENTRY, STOP, FELL = 99.95, 95.0, 94.0
FILL = 93.95
"""What a triggered stop trades at where the mark price fell to 94."""

QUANTITY = 2.0
OPENING_FEE = 0.0005
REFUSED = '{"code":-4999,"msg":"no"}'


class Killed(BaseException):
    """The process is gone: nothing of it runs any more."""


def kill(*_: object) -> None:
    raise Killed


@dataclass
class Live:
    """A fund at the exchange, kept in a folder."""

    exchange: Exchange
    venue: Flaky
    ledger: Ledger
    actions: Actions
    world: VenueWorld
    now: list[int]

    def look(self, **requests: Request) -> Inputs:
        return self.world.inputs(self.now[0], None, requests)

    def step(self, requests: dict[str, Request] | None = None, **outputs: Any) -> Inputs:
        self.now[0] += 1000
        seen = self.look(**(requests or {}))
        self.world.obey(answer(**outputs), seen)
        return seen

    def open(self) -> None:
        """Buy two at the mark price, with a stop at 95."""
        request = Request(SYMBOL, "LONG", self.now[0], QUANTITY * ENTRY, model="xgboost", stop=STOP)
        self.step({"open": request}, **{**allowed("open"), "aelm__max_participation": 10.0})

    def is_held(self) -> bool:
        """Whether the exchange has a position."""
        return self.exchange.position is not None

    def close(self) -> None:
        self.actions.execution.intents.close()
        self.ledger.close()


@pytest.fixture
def exchange() -> Iterator[Exchange]:
    with serving() as made:
        made.moves = True
        yield made


@pytest.fixture
def start(exchange: Exchange, tmp_path: Path) -> Iterator[Callable[[], Live]]:
    """Starts the fund of a folder; the one before it ends, if it has not."""
    running: list[Live] = []
    now = [NOW + 1_000_000]

    def started() -> Live:
        for fund in running:
            fund.close()
        known = Flaky(venue(exchange))
        execution = SmartExecution(
            known.as_venue(), decide=lambda *_: UNKNOWN, intents=tmp_path / "intents.jsonl", clock=lambda: now[0],
            wait=lambda _: None,
        )  # fmt: skip
        ledger = Ledger(tmp_path / "ledger.jsonl", fee=OPENING_FEE)
        actions = Actions(known.as_venue(), execution, ledger, _judge=JUDGE)
        world = VenueWorld(
            known.as_venue(), ledger, Controls(), ended=actions.ended, act=actions.obey, refused=actions.refused,
            wanted=actions.wanted, ticket_of=execution.intents.ticket_of, unsure=actions.unsure,
        )  # fmt: skip
        running.append(Live(exchange, known, ledger, actions, world, now))
        return running[-1]

    yield started
    for fund in running:
        fund.close()


def waiting(exchange: Exchange) -> list[tuple[str, str]]:
    """Trigger and quantity of the stops that wait."""
    return [(a["triggerPrice"], a["quantity"]) for a in exchange.algos.values() if a["algoStatus"] == "NEW"]


def profit(quantity: float = QUANTITY, at: float = FILL) -> float:
    """Of a long that was stopped: the fee of its opening by the fund's own reckoning, the other as the venue tells."""
    return quantity * (at - ENTRY) - quantity * ENTRY * OPENING_FEE - quantity * at * TAKER_FEE


def equity(seen: Inputs) -> float | None:
    """The equity by the fund's own record."""
    assert isinstance(seen.book.account, Account)
    return seen.book.account.own_equity


# --- placed and renewed ----------------------------------------------------------------------------------------------


def test_a_position_is_guarded_at_the_exchange_as_soon_as_it_is_opened(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    assert waiting(exchange) == [("95", "2")]
    for _ in range(2):
        fund.step()
    assert exchange.count("POST", "algoOrder") == 1
    assert fund.ledger.lots[SYMBOL].guard == next(iter(exchange.algos.values()))["clientAlgoId"]
    # All contracts are listed once; after that a contract alone is asked for, which costs far less.
    assert fund.look().book.orders == {}


def test_the_new_guard_is_placed_before_the_old_one_goes(exchange: Exchange, start: Callable[[], Live]) -> None:
    fund = start()
    fund.open()
    exchange.move(110.0)
    exchange.asked.clear()
    fund.step(pal__actions={SYMBOL: {"TIGHTEN_STOP": [0.5]}})
    assert waiting(exchange) == [("105", "2")]
    sent = [method for method, path in exchange.asked if path.endswith("algoOrder") and method != "GET"]
    assert sent == ["POST", "DELETE"]
    fund.step(pba__actions={SYMBOL: {"REDUCE": [0.25]}})
    assert waiting(exchange) == [("105", "1.5")]
    fund.step()
    assert fund.ledger.lots[SYMBOL].former == ()


def test_a_new_guard_that_is_refused_leaves_the_old_one(exchange: Exchange, start: Callable[[], Live]) -> None:
    fund = start()
    fund.open()
    exchange.move(110.0)
    exchange.faults.append(Fault("algoOrder", "POST", status=400, body=REFUSED))
    fund.step(pal__actions={SYMBOL: {"TIGHTEN_STOP": [0.5]}})
    assert waiting(exchange) == [("95", "2")]
    fund.step()
    assert waiting(exchange) == [("105", "2")]


# --- the process dies, answers are lost ------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", ["before it is sent", "before it is written down that it is there"])
@pytest.mark.parametrize("fell", [False, True])
def test_a_kill_between_placing_and_writing_down_places_no_second_and_loses_no_fill(
    exchange: Exchange, start: Callable[[], Live], monkeypatch: pytest.MonkeyPatch, moment: str, fell: bool
) -> None:
    fund = start()
    with monkeypatch.context() as dying:
        if moment == "before it is sent":
            fund.venue.before["place"] = [None, kill]
        else:
            dying.setattr(Ledger, "set_guard", kill)
        with pytest.raises(Killed):
            fund.open()
    was_sent = moment != "before it is sent"
    assert len(waiting(exchange)) == was_sent
    fund = start()
    if fell:
        exchange.move(FELL)
        fund.step()
        fund.look()
        at = FILL if was_sent else FELL
        (trade,) = fund.ledger.trades
        assert exchange.position is None
        assert trade.exit == "STOP_LOSS"
        # What the fund closes itself it reckons at its own fee.
        assert trade.profit == pytest.approx(profit(at=at), abs=0.03)
    else:
        fund.step()
        assert waiting(exchange) == [("95", "2")]
        assert exchange.count("POST", "algoOrder") == 1


@pytest.mark.parametrize("is_told", [True, False])
def test_a_time_out_after_acceptance_does_not_place_twice(
    exchange: Exchange, start: Callable[[], Live], is_told: bool
) -> None:
    fund = start()
    exchange.faults.append(Fault("algoOrder", "POST", after=True))
    if not is_told:
        exchange.faults.append(Fault("algoOrder", "GET", status=502, times=6))
    fund.open()
    assert (fund.ledger.lots[SYMBOL].guard is not None) is is_told
    fund.step()
    assert waiting(exchange) == [("95", "2")]
    assert exchange.count("POST", "algoOrder") == 1
    assert fund.ledger.lots[SYMBOL].guard is not None


def test_a_guard_that_the_venue_does_not_find_for_a_while_is_not_placed_again(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    exchange.faults += [
        Fault("openAlgoOrders", edit=lambda _: [], times=9),
        Fault("algoOrder", "GET", status=400, body='{"code":-2013,"msg":"Order does not exist."}', times=9),
    ]
    for _ in range(3):
        fund.step()
    assert len(exchange.algos) == 1
    exchange.faults.clear()
    fund.step()
    assert waiting(exchange) == [("95", "2")]


def test_a_position_that_is_as_it_was_before_has_a_guard_of_another_name(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    fund.step(pba__actions={SYMBOL: {"REDUCE": [0.5]}})
    fund.step()
    assert waiting(exchange) == [("95", "1")]
    request = Request(SYMBOL, "LONG", fund.now[0], 101.0, stop=STOP)
    fund.step({"more": request}, **{**allowed("more"), "aelm__max_participation": 10.0})
    assert waiting(exchange) == [("95", "2")]
    # The venue would take the name of the first one again, and then tell of either.
    assert len({a["clientAlgoId"] for a in exchange.algos.values()}) == len(exchange.algos) == 3


def test_a_guard_of_a_position_of_which_the_fund_knows_no_stop_stays(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    held, exchange.position = exchange.position, None
    fund.look()
    exchange.position = held
    fund.step()
    assert fund.ledger.lots[SYMBOL].stop is None
    assert waiting(exchange) == [("95", "2")]


def test_a_stop_of_somebody_in_a_contract_that_is_not_listed_keeps_no_position_from_its_guard(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    theirs = {"clientAlgoId": "theirs", "type": "STOP_MARKET", "side": "BUY", "quantity": "1", "triggerPrice": "120"}
    exchange.new_algo({**theirs, "symbol": "GONEUSDT"})
    fund = start()
    fund.open()
    exchange.position = None
    fund.step()
    assert waiting(exchange) == [("120", "1")]


def test_a_guard_that_somebody_cancelled_is_placed_again(exchange: Exchange, start: Callable[[], Live]) -> None:
    fund = start()
    fund.open()
    next(iter(exchange.algos.values()))["algoStatus"] = "CANCELED"
    fund.step()
    assert waiting(exchange) == [("95", "2")]
    assert len({a["clientAlgoId"] for a in exchange.algos.values()}) == 2


# --- triggered -------------------------------------------------------------------------------------------------------


def test_a_stop_that_was_hit_while_the_fund_was_down_is_a_trade_with_the_right_profit(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    fund.look()
    fund.close()
    exchange.move(FELL)
    assert exchange.position is None
    fund = start()
    before = fund.ledger.own_balance
    fund.look()
    (trade,) = fund.ledger.trades
    assert (trade.exit, trade.model) == ("STOP_LOSS", "xgboost")
    assert trade.profit == pytest.approx(profit())
    assert before is not None
    assert fund.ledger.own_balance == pytest.approx(before + profit() + QUANTITY * ENTRY * OPENING_FEE)
    fund.look()
    assert start().ledger.trades == [trade]


def test_a_stop_that_is_hit_while_the_fund_looks_is_no_gap(exchange: Exchange, start: Callable[[], Live]) -> None:
    fund = start()
    fund.open()
    fund.venue.before["positions"] = [lambda: exchange.move(FELL)]
    seen = fund.look()
    assert seen.book.positions == {}
    assert [t.profit for t in fund.ledger.trades] == [pytest.approx(profit())]


def test_a_fill_that_nobody_tells_of_yet_is_waited_for_and_not_called_unknown(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    assert equity(fund.look()) is not None
    exchange.move(FELL)
    exchange.faults.append(Fault("v1/order", "GET", status=400, body='{"code":-2013,"msg":"no"}', times=2))
    assert equity(fund.look()) is None
    assert fund.ledger.trades == []
    assert equity(fund.look()) is not None
    assert [t.profit for t in fund.ledger.trades] == [pytest.approx(profit())]


def test_the_fill_of_a_guard_that_was_to_be_cancelled_counts(exchange: Exchange, start: Callable[[], Live]) -> None:
    fund = start()
    fund.open()
    exchange.faults.append(Fault("algoOrder", "DELETE", status=502, times=3))
    fund.step(pba__actions={SYMBOL: {"REDUCE": [0.25]}})
    assert waiting(exchange) == [("95", "2"), ("95", "1.5")]
    exchange.move(FELL)
    assert [a["algoStatus"] for a in exchange.algos.values()] == ["FINISHED", "REJECTED"]
    fund.look()
    (trade,) = fund.ledger.trades
    taken = 0.5 * ENTRY * OPENING_FEE
    assert trade.profit == pytest.approx(profit(1.5) - taken - 0.5 * ENTRY * OPENING_FEE)


def test_a_stop_that_closed_a_part_leaves_the_rest_guarded(exchange: Exchange, start: Callable[[], Live]) -> None:
    fund = start()
    fund.open()
    exchange.fills = 0.5
    exchange.move(FELL)
    exchange.mark = 99.0
    assert exchange.position is not None
    exchange.position |= {"markPrice": "99.0"}
    fund.step()
    assert waiting(exchange) == [("95", "1")]
    assert fund.ledger.lots[SYMBOL].closed == 1.0


def test_a_stop_that_was_triggered_and_never_traded_is_replaced(exchange: Exchange, start: Callable[[], Live]) -> None:
    fund = start()
    fund.open()
    exchange.stuck = True
    exchange.move(FELL)
    exchange.move(99.0)
    assert waiting(exchange) == []
    fund.step()
    assert waiting(exchange) == [("95", "2")]


def test_a_price_that_has_reached_the_stop_closes_the_position_at_once(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    # The price falls after the snapshot, and is back at its end: only the venue says that the stop was reached.
    exchange.faults.append(Fault("algoOrder", "POST", status=400, body='{"code":-2021,"msg":"would trigger"}'))
    fund.open()
    assert exchange.position is None
    assert waiting(exchange) == []
    fund.look()
    assert [(t.exit, t.profit is not None) for t in fund.ledger.trades] == [("STOP_LOSS", True)]


def test_a_position_whose_stop_was_reached_and_that_could_not_be_closed_is_tried_again(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    exchange.faults.append(Fault("algoOrder", "POST", status=400, body='{"code":-2021,"msg":"no"}', times=9))
    fund.venue.after["place"] = [lambda: exchange.faults.append(Fault("v1/order", "POST", status=400, body=REFUSED))]
    fund.open()
    assert fund.is_held()
    fund.step()
    assert not fund.is_held()


# --- emergencies, and positions that are gone ------------------------------------------------------------------------


def test_an_emergency_stop_keeps_guards_until_the_position_is_flat(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    entry = {"clientAlgoId": "theirs", "type": "STOP_MARKET", "symbol": SYMBOL, "side": "BUY", "quantity": "1"}
    exchange.new_algo({**entry, "triggerPrice": "120"})
    exchange.faults.append(Fault("v1/order", "POST", status=400, body=REFUSED))
    stop: dict[str, Any] = {"ess__actions": {"CANCEL_ORDERS": [], "FLATTEN": []}}
    fund.step(**stop)
    assert fund.is_held()
    # What may add risk is cancelled, whoever placed it, and what only reduces stays.
    assert waiting(exchange) == [("95", "2")]
    fund.step(**stop)
    assert not fund.is_held()
    assert waiting(exchange) == []


def test_all_stops_are_listed_in_an_emergency_until_none_is_left_that_may_add_risk(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    entry = {"clientAlgoId": "theirs", "type": "STOP_MARKET", "symbol": SYMBOL, "side": "BUY", "quantity": "1"}
    exchange.new_algo({**entry, "triggerPrice": "120"})
    stop: dict[str, Any] = {"ess__actions": {"CANCEL_ORDERS": []}}
    exchange.faults.append(Fault("algoOrder", "DELETE", status=502, times=3))
    whole = []
    for outputs in (stop, stop, stop, stop, {}, stop):
        fund.venue.calls.clear()
        fund.step(**outputs)
        # A contract that is guarded is asked for as well.
        whole.append(fund.venue.calls["stops"] == 2)
    assert whole == [True, True, True, False, False, True]
    assert waiting(exchange) == [("95", "2")]


def test_orders_are_cancelled_where_the_venue_does_not_list_stops(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    exchange.hold = True
    exchange.place(
        {"newClientOrderId": "rests", "symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "quantity": "1", "price": "90"}
    )
    exchange.faults.append(Fault("openAlgoOrders", status=500, times=99))
    fund.step(ess__actions={"CANCEL_ORDERS": []})
    assert exchange.orders["rests"]["status"] == "CANCELED"
    assert waiting(exchange) == [("95", "2")]


def test_a_guard_whose_position_is_gone_is_cancelled(exchange: Exchange, start: Callable[[], Live]) -> None:
    fund = start()
    fund.open()
    exchange.position = None
    fund.step()
    assert waiting(exchange) == []
    # Somebody else has closed it: at what price nobody knows.
    assert [t.profit for t in fund.ledger.trades] == [None]


def test_a_guard_that_a_dead_process_left_without_a_position_is_cancelled(
    exchange: Exchange, start: Callable[[], Live]
) -> None:
    fund = start()
    fund.open()
    fund.close()
    exchange.position = None
    start().step()
    assert waiting(exchange) == []


def test_a_venue_that_takes_no_stops_is_said_to_have_none(
    exchange: Exchange, start: Callable[[], Live], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("modules.venues.ccxt_stops.DIALECTS", {})
    with capture_logs() as told:
        fund = start()
    assert [entry["event"] for entry in told] == ["stops are watched by the fund alone: the venue is given none"]
    fund.open()
    assert exchange.algos == {}
    exchange.move(FELL)
    fund.step()
    assert exchange.position is None
