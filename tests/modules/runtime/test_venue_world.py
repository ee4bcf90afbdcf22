"""The state of a fund at a venue: what it tells, what the ledger remembers, and what an outage costs."""

from __future__ import annotations

from typing import Any

import pytest

from modules.inputs import Request
from modules.runtime.controls import Controls
from modules.runtime.ledger import Ledger, Purpose
from modules.runtime.venue_world import VENUE, VenueWorld
from modules.venues.amounts import floored
from modules.venues.paper import PaperExchange
from modules.venues.venue import Kind, NewOrder, OrderState, Unreachable

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


def test_a_reset_by_hand_is_seen_once(venue: PaperExchange) -> None:
    controls = Controls()
    world = VenueWorld(venue, Ledger(), controls)
    controls.reset(venue.time(), "ada", "all is well")
    seen = [world.inputs(venue.time() + i, None, {}).machinery.operator.reset_requested for i in range(2)]
    assert seen == [True, False]
