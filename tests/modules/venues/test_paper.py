"""The paper exchange: fills worked by hand, refusals, margin, liquidation, and what is there after a crash."""

from __future__ import annotations

import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.venues import (
    DuplicateClientId,
    Kind,
    NewOrder,
    NotEnoughMargin,
    Rejected,
    Status,
    UnknownOrder,
    Unreachable,
)
from modules.venues.journal import JournalError
from modules.venues.paper import PaperExchange
from modules.venues.paper_engine import Conditions
from modules.venues.paper_market import simulated_market
from tests.modules.venues.crashing import forked
from tests.modules.venues.paper_markets import BOOK, MINUTE, A, B, Bar, at, market

FREE = Conditions(taker_fee=0.0, maker_fee=0.0, latency_ms=0)


def exchange(later: list[Bar] | None = None, conditions: Conditions = FREE, **more: Any) -> PaperExchange:
    return PaperExchange(market(later or []), start=at(10), conditions=conditions, **more)


def order(name: str = "c1", quantity: float = 1.0, **changed: Any) -> NewOrder:
    return replace(NewOrder(name, A, "LONG", quantity, Kind.MARKET), **changed)


# --- fills -----------------------------------------------------------------------------------------------------------


def test_a_market_order_walks_the_book() -> None:
    # 2 at 100.0, 3 at 100.1 and 2 at 100.3: 700.9 / 7.
    found = exchange().place(order(quantity=7.0))
    assert (found.status, found.filled) == (Status.FILLED, 7.0)
    assert found.average == pytest.approx(700.9 / 7)


def test_a_market_order_beyond_the_book_fills_what_there_is() -> None:
    found = exchange().place(order(quantity=50.0))
    assert (found.status, found.filled) == (Status.EXPIRED, 20.0)


def test_what_is_taken_is_gone_until_the_next_book() -> None:
    paper = exchange([(100.0, 100.0, 100.0)])
    paper.place(order("c1", 4.0))
    assert paper.depth(A).asks == ((100.1, 1.0), (100.3, 5.0), (100.8, 10.0))
    assert paper.depth(A).bids == BOOK.bids
    assert paper.place(order("c2", 1.0)).average == pytest.approx(100.1)
    paper.advance(at(11))
    assert paper.depth(A).at == at(11)
    assert paper.depth(A).asks[0][0] != 100.3


def test_an_order_at_once_stops_at_its_price() -> None:
    found = exchange().place(order(quantity=7.0, kind=Kind.IOC, price=100.1))
    assert (found.status, found.filled) == (Status.EXPIRED, 5.0)
    assert found.average == pytest.approx(500.3 / 5)


def test_an_order_at_once_below_the_book_fills_nothing() -> None:
    found = exchange().place(order(kind=Kind.IOC, price=99.9))
    assert (found.status, found.filled, found.average) == (Status.EXPIRED, 0.0, None)


def test_a_limit_order_takes_what_it_crosses_and_rests_with_the_remainder() -> None:
    paper = exchange()
    found = paper.place(order(quantity=6.0, kind=Kind.LIMIT, price=100.0))
    assert (found.status, found.filled, found.average) == (Status.OPEN, 2.0, 100.0)
    assert [o.client_id for o in paper.open_orders()] == ["c1"]


def test_a_resting_order_fills_only_once_the_price_goes_through_it() -> None:
    paper = exchange([(99.0, 100.0, 100.0), (98.9, 100.0, 100.0)])
    paper.place(order(kind=Kind.LIMIT, price=99.0))
    paper.advance(at(11))
    assert paper.order(A, "c1").filled == 0.0
    paper.advance(at(12))
    found = paper.order(A, "c1")
    assert (found.status, found.average, found.updated) == (Status.FILLED, 99.0, at(12))


def test_a_resting_order_does_not_fill_on_what_happened_before_it_came() -> None:
    paper = exchange([(90.0, 100.0, 100.0), (100.0, 100.0, 100.0)])
    paper.advance(at(10) + MINUTE // 2)
    paper.place(order(kind=Kind.LIMIT, price=95.0))
    paper.advance(at(12))
    assert paper.order(A, "c1").is_open


def test_a_resting_order_fills_no_more_than_a_share_of_the_bar() -> None:
    paper = PaperExchange(
        market([(90.0, 100.0, 100.0)] * 2, volume=10.0), start=at(10), conditions=FREE, capital=1_000_000
    )
    paper.place(order(quantity=1.5, kind=Kind.LIMIT, price=95.0))
    paper.advance(at(11))
    assert paper.order(A, "c1").filled == 1.0
    paper.advance(at(12))
    assert paper.order(A, "c1").status is Status.FILLED


def test_a_cancelled_order_keeps_what_it_filled() -> None:
    paper = exchange([(90.0, 100.0, 100.0)])
    paper.place(order(quantity=6.0, kind=Kind.LIMIT, price=100.0))
    paper.cancel(A, "c1")
    paper.advance(at(11))
    found = paper.order(A, "c1")
    assert (found.status, found.filled) == (Status.CANCELLED, 2.0)
    with pytest.raises(UnknownOrder):
        paper.cancel(A, "c1")


def test_an_order_arrives_late_and_meets_the_book_of_then() -> None:
    paper = exchange([(100.0, 110.0, 110.0)], replace(FREE, latency_ms=MINUTE))
    found = paper.place(order())
    assert found.placed == at(11)
    assert found.average is not None
    assert found.average > 109


# --- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"symbol": "ZZZUSDT"},
        {"quantity": 0.0},
        {"quantity": -1.0},
        {"quantity": float("nan")},
        {"quantity": float("inf")},
        {"quantity": 1.0001},
        {"kind": Kind.LIMIT},
        {"price": 100.0},
        {"kind": Kind.LIMIT, "price": 100.00001},
        {"kind": Kind.LIMIT, "price": -1.0},
        {"kind": Kind.LIMIT, "price": float("nan")},
        {"quantity": 0.04},
        {"reduce_only": True},
        {"client_id": ""},
    ],
)
def test_an_order_that_cannot_be_is_refused_and_leaves_nothing(changed: dict[str, Any]) -> None:
    paper = exchange()
    with pytest.raises(Rejected):
        paper.place(order(**changed))
    assert paper.open_orders() == []
    assert paper.positions() == {}


def test_a_client_id_is_taken_once() -> None:
    paper = exchange()
    paper.place(order())
    with pytest.raises(DuplicateClientId):
        paper.place(order())
    assert paper.positions()[A].quantity == 1.0


def test_some_sound_orders_are_refused_the_same_ones_every_time() -> None:
    def refused() -> list[int]:
        paper = exchange(conditions=replace(FREE, reject_rate=0.5), seed=3)
        out = []
        for number in range(20):
            try:
                paper.place(order(f"c{number}", 0.1))
            except Rejected:
                out.append(number)
        return out

    assert 0 < len(refused()) < 20
    assert refused() == refused()


def test_a_price_that_nobody_knows_is_no_price() -> None:
    paper = PaperExchange(market(), start=at(0), conditions=FREE)
    assert paper.tickers() == {}
    with pytest.raises(Unreachable):
        paper.depth(A)
    with pytest.raises(Rejected):
        paper.place(order())


# --- money -----------------------------------------------------------------------------------------------------------


def test_fees_profit_and_margin_are_booked() -> None:
    paper = exchange(conditions=replace(FREE, taker_fee=0.001), capital=10_000)
    paper.place(order(quantity=2.0))
    account = paper.account()
    assert account.balance == pytest.approx(10_000 - 0.2)
    assert account.used_margin == pytest.approx(20.0)
    paper.place(order("c2", 2.0, side="SHORT"))
    # Sold at 99.9: 0.2 lost, and 0.1998 paid.
    assert paper.account().balance == pytest.approx(10_000 - 0.2 - 0.2 - 0.1998)
    assert paper.account().used_margin == 0
    assert paper.positions() == {}


def test_an_order_against_a_larger_one_turns_the_position_over() -> None:
    paper = exchange()
    paper.place(order(quantity=1.0))
    paper.place(order("c2", 2.0, side="SHORT"))
    found = paper.positions()[A]
    assert found.side == "SHORT"
    assert [found.quantity, found.entry] == pytest.approx([1.0, 99.9])


def test_an_order_that_may_only_reduce_does_not_turn_the_position_over() -> None:
    paper = exchange()
    paper.place(order(quantity=1.0))
    found = paper.place(order("c2", 2.0, side="SHORT", reduce_only=True))
    assert (found.status, found.filled) == (Status.EXPIRED, 1.0)
    assert paper.positions() == {}


def test_a_resting_order_that_may_only_reduce_ends_with_the_position() -> None:
    paper = exchange([(100.0, 130.0, 100.0)])
    paper.place(order(quantity=1.0))
    paper.place(order("c2", 1.0, side="SHORT", reduce_only=True, kind=Kind.LIMIT, price=120.0))
    paper.place(order("c3", 1.0, side="SHORT", reduce_only=True))
    paper.advance(at(11))
    assert paper.order(A, "c2").status is Status.EXPIRED
    assert paper.positions() == {}


def test_margin_that_is_not_there_is_not_lent() -> None:
    paper = exchange(capital=100)
    with pytest.raises(NotEnoughMargin):
        paper.place(order(quantity=11.0))
    paper.place(order("c2", 5.0, kind=Kind.LIMIT, price=90.0))
    # 45 is set aside for what rests, and 55 left.
    with pytest.raises(NotEnoughMargin):
        paper.place(order("c3", 6.0, kind=Kind.LIMIT, price=99.0))


def test_an_exit_needs_no_margin() -> None:
    paper = exchange(capital=101)
    paper.place(order(quantity=10.0))
    assert paper.place(order("c2", 10.0, side="SHORT")).status is Status.FILLED


def test_a_position_whose_margin_is_gone_is_liquidated_and_loses_no_more() -> None:
    # Entry 100 at 10 times: liquidated at 100 x (0.1 - 1) / (0.005 - 1) = 90.45.
    paper = exchange([(90.5, 100.0, 100.0), (50.0, 100.0, 60.0)], capital=10_000)
    paper.place(order(quantity=2.0))
    paper.advance(at(11))
    assert A in paper.positions()
    paper.advance(at(12))
    assert paper.positions() == {}
    assert paper.liquidated == [(at(12), A)]
    assert paper.account().balance == pytest.approx(10_000 - 20.0)


def test_a_short_is_liquidated_above() -> None:
    paper = exchange([(100.0, 109.0, 100.0), (100.0, 112.0, 100.0)], capital=10_000)
    paper.place(order(quantity=1.0, side="SHORT"))
    paper.advance(at(12))
    assert paper.liquidated == [(at(12), A)]


def test_the_clock_does_not_go_back() -> None:
    with pytest.raises(ValueError, match="cannot go back"):
        exchange().advance(at(9))


def test_candles_are_those_that_have_closed() -> None:
    paper = exchange([(100.0, 101.0, 100.5)])
    assert paper.candles(A, at(8)).opened.tolist() == [at(8), at(9)]
    paper.advance(at(11))
    assert paper.candles(A, at(8)).close.ravel().tolist() == [100.0, 100.0, 100.5]
    assert len(paper.candles(B, at(20)).opened) == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(0, 5))
def test_fills_do_not_depend_on_the_steps_of_the_clock(steps: list[int], seed: int) -> None:
    def after(times: list[int]) -> tuple[object, ...]:
        paper = PaperExchange(SIMULATED, conditions=replace(FREE, latency_ms=50), seed=seed)
        start = paper.time()
        for symbol, listing in list(paper.markets().items())[:4]:
            low = paper.depth(symbol).bids[1][0]
            paper.place(NewOrder(f"c-{symbol}", symbol, "LONG", 100 * (listing.step or 1.0), Kind.LIMIT, low))
        for time in times:
            paper.advance(max(paper.time(), start + time * MINUTE))
        return paper.account(), paper.positions(), [paper.order(s, f"c-{s}") for s in list(paper.markets())[:4]]

    ends = [sum(steps[: n + 1]) for n in range(len(steps))]
    assert repr(after(ends)) == repr(after(ends[-1:]))


SIMULATED = simulated_market(seed=1, bars=1100)


def test_the_same_seed_makes_the_same_market_and_another_one_another() -> None:
    assert simulated_market(1, bars=1100).fingerprint == SIMULATED.fingerprint
    assert simulated_market(2, bars=1100).fingerprint != SIMULATED.fingerprint
    assert SIMULATED.depth("BTCUSDT", at(800)) == simulated_market(1, bars=1100).depth("BTCUSDT", at(800))


# --- after a crash ---------------------------------------------------------------------------------------------------


def test_everything_is_there_when_the_exchange_is_opened_again(tmp_path: Path) -> None:
    later = [(95.0, 101.0, 100.0)] * 3
    first = exchange(later, replace(FREE, latency_ms=50, reject_rate=0.3), journal=tmp_path / "paper.jsonl")
    for number in range(12):
        with_price: dict[str, Any] = {"kind": Kind.LIMIT, "price": 96.0} if number % 3 == 0 else {}
        try:
            first.place(order(f"c{number}", 0.5, side="SHORT" if number % 4 == 1 else "LONG", **with_price))
        except Rejected:
            continue
        first.advance(first.time() + MINUTE // 6)
    before = repr((first.account(), first.positions(), first.open_orders()))
    end = first.time()
    first.close()
    again = exchange(later, replace(FREE, latency_ms=50, reject_rate=0.3), journal=tmp_path / "paper.jsonl")
    again.advance(end)
    assert repr((again.account(), again.positions(), again.open_orders())) == before
    assert again.positions()[A].quantity > 0
    again.close()


def test_a_journal_belongs_to_its_market_and_terms(tmp_path: Path) -> None:
    exchange(journal=tmp_path / "paper.jsonl").close()
    with pytest.raises(JournalError, match="another market or terms"):
        exchange(conditions=replace(FREE, leverage=5.0), journal=tmp_path / "paper.jsonl")
    with pytest.raises(JournalError, match="another market or terms"):
        exchange([(1.0, 1.0, 1.0)], journal=tmp_path / "paper.jsonl")


def place_for_ever(journal: Path, said: int) -> None:
    paper = exchange(journal=journal)
    for number in range(100_000):
        paper.place(order(f"c{number}", 0.1, side="LONG" if number % 2 else "SHORT"))
        os.write(said, f"{number}\n".encode())


def test_what_was_acknowledged_is_there_after_a_kill(tmp_path: Path) -> None:
    journal = tmp_path / "paper.jsonl"
    heard, said = os.pipe()
    child = forked(lambda: place_for_ever(journal, said))
    os.close(said)
    with os.fdopen(heard) as lines:
        seen = [int(lines.readline()) for _ in range(25)]
        os.kill(child, signal.SIGKILL)
        seen += [int(line) for line in lines]
    os.waitpid(child, 0)
    again = exchange(journal=journal)
    assert len(seen) >= 25
    assert {again.order(A, f"c{number}").filled for number in seen} == {0.1}
    # What was written and not yet acknowledged may be there too: one order at most.
    with pytest.raises(UnknownOrder):
        again.order(A, f"c{seen[-1] + 2}")
    again.close()


# --- stops, leverage, hours -------------------------------------------------------------------------------------------


def stop(name: str = "s1", trigger: float = 95.0, quantity: float = 2.0, **changed: Any) -> NewOrder:
    return replace(NewOrder(name, A, "SHORT", quantity, Kind.STOP, reduce_only=True, trigger=trigger), **changed)


def test_a_stop_waits_for_its_trigger_and_trades_there() -> None:
    paper = exchange([(96.0, 100.0, 97.0), (94.0, 97.0, 96.0)])
    paper.place(order(quantity=2.0))
    assert paper.place(stop()).is_open
    paper.advance(at(11))
    assert paper.order(A, "s1").is_open
    paper.advance(at(12))
    found = paper.order(A, "s1")
    assert (found.status, found.filled, found.average) == (Status.FILLED, 2.0, 95.0)
    assert paper.positions() == {}


def test_a_stop_that_came_in_the_midst_of_a_bar_gets_what_there_is_at_its_end() -> None:
    paper = exchange([(100.0, 100.0, 100.0), (90.0, 100.0, 92.0)])
    paper.place(order(quantity=2.0))
    paper.advance(at(11) + 1)
    paper.place(stop())
    paper.advance(at(12))
    assert paper.order(A, "s1").average == 92.0


def test_a_stop_of_a_short_is_a_buy_above() -> None:
    paper = exchange([(100.0, 100.0, 100.0), (100.0, 106.0, 101.0)])
    paper.place(order(quantity=2.0, side="SHORT"))
    paper.place(stop(side="LONG", trigger=105.0))
    paper.advance(at(12))
    assert (paper.order(A, "s1").average, paper.positions()) == (105.0, {})


def test_a_stop_takes_off_no_more_than_there_is_and_ends() -> None:
    paper = exchange([(100.0, 100.0, 100.0), (94.0, 100.0, 96.0)])
    paper.place(order(quantity=1.0))
    paper.place(stop(quantity=2.0))
    paper.advance(at(12))
    found = paper.order(A, "s1")
    assert (found.status, found.filled) == (Status.EXPIRED, 1.0)
    assert paper.positions() == {}


@pytest.mark.parametrize(
    "changed",
    [
        {"trigger": None}, {"trigger": 95.00001}, {"trigger": 101.0}, {"trigger": -1.0}, {"trigger": float("nan")},
        {"reduce_only": False}, {"price": 95.0}, {"kind": Kind.MARKET}, {"quantity": 0.0}, {"symbol": "NOSUCHUSDT"},
    ],
)  # fmt: skip
def test_a_stop_that_cannot_be_is_refused_and_leaves_nothing(changed: dict[str, Any]) -> None:
    paper = exchange()
    paper.place(order(quantity=2.0))
    with pytest.raises(Rejected):
        paper.place(stop(**changed))
    assert paper.open_orders() == []


def test_a_stop_is_there_after_the_exchange_is_opened_again(tmp_path: Path) -> None:
    later: list[Bar] = [(100.0, 100.0, 100.0), (94.0, 100.0, 96.0)]
    paper = exchange(later, journal=tmp_path / "paper.jsonl")
    paper.place(order(quantity=2.0))
    paper.place(stop())
    paper.set_leverage(A, 5.0)
    paper.close()
    again = exchange(later, journal=tmp_path / "paper.jsonl")
    assert again.positions()[A].leverage == 5.0
    assert [o.trigger for o in again.open_orders()] == [95.0]
    again.advance(at(12))
    assert again.positions() == {}
    again.close()


def test_lower_leverage_takes_margin_and_moves_the_liquidation_away() -> None:
    paper = exchange(capital=1_000.0)
    paper.place(order(quantity=2.0))
    before = paper.ledger.liquidation(A)
    used = paper.account().used_margin
    paper.set_leverage(A, 5.0)
    assert paper.account().used_margin == pytest.approx(2 * used)
    assert paper.ledger.liquidation(A) < before
    assert paper.positions()[A].leverage == 5.0
    with pytest.raises(NotEnoughMargin):
        exchange_with_little(paper).set_leverage(A, 1.0)


def exchange_with_little(paper: PaperExchange) -> PaperExchange:
    paper.ledger.balance = paper.ledger.used_margin
    return paper


@pytest.mark.parametrize("leverage", [0.5, 0.0, -1.0, 21.0, float("nan"), float("inf")])
def test_a_leverage_that_cannot_be_is_refused(leverage: float) -> None:
    paper = exchange()
    with pytest.raises(Rejected):
        paper.set_leverage(A, leverage)
    with pytest.raises(Rejected):
        paper.set_leverage("NOSUCHUSDT", 2.0)


def test_hours_are_those_that_are_over() -> None:
    paper = PaperExchange()
    found = paper.hours("BTCUSDT", 0)
    assert len(found.opened) == 12
    assert (found.cadence_ms, found.symbols) == (3_600_000, ("BTCUSDT",))
    assert int(found.closed[-1]) <= paper.time()
    assert paper.hours("BTCUSDT", int(found.opened[-1])).opened.tolist() == [int(found.opened[-1])]
    assert len(paper.hours("BTCUSDT", int(found.closed[-1])).opened) == 0
    with pytest.raises(Rejected):
        paper.hours("NOSUCHUSDT", 0)
