"""The state of a fund at a venue: what it tells, what the ledger remembers, and what an outage costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modules.inputs import Request
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger, Purpose
from modules.runtime.venue_world import VENUE, VenueWorld
from modules.sources import FeedSource
from modules.venues.amounts import floored
from modules.venues.intents import Ticket
from modules.venues.paper import PaperExchange
from modules.venues.venue import Kind, NewOrder, OrderState, Rejected, Status, Unreachable
from tests.modules.runtime.hands import scene
from tests.modules.venues.paper_markets import A

MINUTE = 60_000


@pytest.fixture
def venue() -> PaperExchange:
    return PaperExchange()


def buy(venue: PaperExchange, id: str = "a") -> OrderState:
    price, step = venue.tickers()["BTCUSDT"].price, venue.markets()["BTCUSDT"].step
    return venue.place(NewOrder(id, "BTCUSDT", "LONG", floored(2_000 / price, step), Kind.MARKET))


def test_everything_that_the_venue_tells_is_there(venue: PaperExchange) -> None:
    world = VenueWorld(venue, Ledger(), Controls())
    asked = {"r": Request("BTCUSDT", "LONG", venue.time(), 100.0)}
    found = world.inputs(venue.time(), None, asked)
    assert found.market.listings is not None
    assert set(found.market.tickers) == set(found.market.listings)
    assert set(found.market.depths) == {"BTCUSDT"}
    assert found.book.positions == {}
    assert found.book.orders == {}
    assert found.book.account is not None
    assert found.book.account.peak_equity == found.book.account.equity == found.book.account.own_equity
    assert found.machinery.services is not None
    assert found.machinery.services[VENUE].answers is True


def test_a_position_has_the_stop_of_the_order_that_opened_it(venue: PaperExchange) -> None:
    ended = [(buy(venue), Purpose(stop=1.0, model="xgboost"))]
    world = VenueWorld(venue, Ledger(), Controls(), ended=lambda: [ended.pop()] if ended else [])
    (held,) = (world.inputs(venue.time(), None, {}).book.positions or {}).values()
    assert (held.first_stop, held.stop) == (1.0, 1.0)
    assert held.first_quantity == held.quantity
    (again,) = (world.inputs(venue.time() + 1, None, {}).book.positions or {}).values()
    assert again == held


def test_one_price_of_a_wrong_clock_does_not_hide_that_the_others_have_gone_quiet(
    venue: PaperExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    quiet = dict(venue.tickers())
    later = venue.time() + 400_000
    odd = {**quiet, "BTCUSDT": replace(quiet["BTCUSDT"], at=later * 1000)}
    monkeypatch.setattr(venue, "tickers", lambda: odd)
    seen = VenueWorld(venue, Ledger(), Controls()).inputs(later, None, {})
    told = FeedSource().compute(seen)
    assert told.single["market.data_age"] >= 400
    assert "price_age" not in told.row("symbol", "BTCUSDT")
    monkeypatch.setattr(venue, "tickers", lambda: {"BTCUSDT": odd["BTCUSDT"]})
    alone = FeedSource().compute(VenueWorld(venue, Ledger(), Controls()).inputs(later, None, {}))
    assert "market.data_age" not in alone.single
    assert "a clock is wrong" in alone.reasons["market.data_age"]


def test_what_the_venue_does_not_answer_is_unknown_and_a_failure(
    venue: PaperExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Any:
        raise Unreachable("no answer")

    ended = [(buy(venue), Purpose(stop=1.0))]
    world = VenueWorld(venue, Ledger(), Controls(), ended=lambda: [ended.pop()] if ended else [])
    with monkeypatch.context() as broken:
        broken.setattr(venue, "account", gone)
        found = world.inputs(venue.time(), None, {})
    assert found.book.account is None
    assert found.book.trades is None
    assert found.machinery.services is not None
    assert found.machinery.services[VENUE].is_degraded
    assert [f.kind for f in found.machinery.failures] == ["Unreachable"]
    # The fill that nobody could book meanwhile is booked once the venue answers again.
    (held,) = (world.inputs(venue.time() + MINUTE, None, {}).book.positions or {}).values()
    assert held.stop == 1.0


def test_requests_are_remembered_for_a_minute(venue: PaperExchange) -> None:
    world = VenueWorld(venue, Ledger(), Controls())
    now = venue.time()
    first = Request("BTCUSDT", "LONG", now, 100.0)
    assert world.inputs(now, None, {"r": first}).book.recent == ()
    assert world.inputs(now + MINUTE - 1, None, {}).book.recent == (first,)
    assert world.inputs(now + MINUTE, None, {}).book.recent == ()


def test_what_an_earlier_process_was_asked_counts_for_its_minute(venue: PaperExchange) -> None:
    now = venue.time()
    first, asked = Request("BTCUSDT", "LONG", now - 50_000, 100.0), []

    def before(since: int, until: int) -> list[Request]:
        asked.append((since, until))
        return [first]

    world = VenueWorld(venue, Ledger(), Controls(), asked_before=before)
    assert world.inputs(now, None, {}).book.recent == (first,)
    assert world.inputs(now + 9_999, None, {}).book.recent == (first,)
    assert world.inputs(now + 10_000, None, {}).book.recent == ()
    assert asked == [(now - MINUTE + 1, now)]


def test_what_nobody_knows_that_was_asked_is_not_known_for_a_minute(venue: PaperExchange) -> None:
    world = VenueWorld(venue, Ledger(), Controls(), asked_before=lambda _since, _until: None)
    now = venue.time()
    first = Request("BTCUSDT", "LONG", now, 100.0)
    assert world.inputs(now, None, {"r": first}).book.recent is None
    assert world.inputs(now + MINUTE - 2, None, {}).book.recent is None
    assert world.inputs(now + MINUTE - 1, None, {}).book.recent == (first,)


def test_a_reset_by_hand_is_seen_once(venue: PaperExchange) -> None:
    controls = Controls()
    world = VenueWorld(venue, Ledger(), controls)
    controls.reset(venue.time(), "ada", "all is well")
    seen = [world.inputs(venue.time() + i, None, {}).machinery.operator.reset_requested for i in range(2)]
    assert seen == [True, False]


def test_a_person_may_let_the_peak_count_anew(venue: PaperExchange) -> None:
    controls, ledger = Controls(), Ledger()
    world = VenueWorld(venue, ledger, controls)
    now = venue.time()
    world.inputs(now, None, {})
    ledger.peak_equity = 150_000.0
    controls.reset_peak(now + 1, "ada", "a withdrawal")
    account = world.inputs(now + 2, None, {}).book.account
    assert account is not None
    assert account.peak_equity == account.equity == 100_000.0


def test_an_open_order_tells_the_leverage_and_stop_that_it_was_asked_for_with(venue: PaperExchange) -> None:
    listing, price = venue.markets()["BTCUSDT"], venue.tickers()["BTCUSDT"].price
    low = floored(price * 0.9, listing.tick)
    venue.place(NewOrder("rests", "BTCUSDT", "LONG", floored(500 / low, listing.step), Kind.LIMIT, low))
    ticket = Ticket("r", "BTCUSDT", "LONG", 1.0, price, 0, "LONG", leverage=3.0, stop=low * 0.95)
    world = VenueWorld(venue, Ledger(), Controls(), ticket_of={"rests": ticket}.get)
    (order,) = (world.inputs(venue.time(), None, {}).book.orders or {}).values()
    assert (order.leverage, order.stop) == (3.0, low * 0.95)
    (unknown,) = (VenueWorld(venue, Ledger(), Controls()).inputs(venue.time(), None, {}).book.orders or {}).values()
    assert (unknown.leverage, unknown.stop) == (None, None)


@pytest.mark.parametrize(
    ("status", "filled", "outcome"),
    [
        (Status.FILLED, 1.0, "FILLED"),
        (Status.CANCELLED, 0.0, "CANCELLED"),
        (Status.CANCELLED, 0.5, "PARTLY_FILLED"),
        (Status.EXPIRED, 0.5, "PARTLY_FILLED"),
        (Status.EXPIRED, 0.0, "EXPIRED"),
    ],
)
def test_how_an_order_ended_is_told_in_the_words_of_the_facts(
    venue: PaperExchange, status: Status, filled: float, outcome: str
) -> None:
    average = 90.0 if filled else None
    order = OrderState(
        "a", "BTCUSDT", "LONG", 1.0, filled, average, status, Kind.MARKET, None, reduce_only=False, placed=1, updated=2
    )
    world = VenueWorld(venue, Ledger(), Controls(), ended=iter([[(order, Purpose())]]).__next__)
    (end,) = world.inputs(venue.time(), None, {}).machinery.orders_ended
    assert end.outcome == outcome
    assert end.notional > 0


def test_an_order_that_never_was_at_the_venue_is_an_end_too() -> None:
    fund = scene()
    fund.venue.before["place"] = [Rejected("busy")]
    fund.propose(4)
    (end,) = fund.look().machinery.orders_ended
    assert (end.symbol, end.side, end.outcome) == (A, "LONG", "REJECTED")
    assert end.notional == pytest.approx(400.0, rel=0.01)
    assert fund.look().machinery.orders_ended == []


def test_what_the_venue_lists_is_asked_for_in_the_rhythm_of_the_universe(
    venue: PaperExchange, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = VenueWorld(venue, Ledger(), Controls())
    now = venue.time()
    first = world.inputs(now, None, {}).market.listings
    monkeypatch.setattr(venue, "markets", dict)
    assert world.inputs(now + 15 * MINUTE - 1, None, {}).market.listings == first
    assert world.inputs(now + 15 * MINUTE, None, {}).market.listings is None
