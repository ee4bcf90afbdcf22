"""Real prices and paper fills: what a venue shows is filled against, nothing is sent, and a crash forgets nothing."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest

from modules.venues import DuplicateClientId, Kind, NewOrder, NotEnoughMargin, Rejected, Status, UnknownOrder
from modules.venues.journal import JournalError
from modules.venues.paper import PaperExchange
from modules.venues.paper_fills import PaperFills, PaperTerms
from tests.modules.venues.binance_server import Exchange
from tests.modules.venues.clients import venue
from tests.modules.venues.paper_markets import A, at, market

FREE = PaperTerms(capital=1_000.0, leverage=10.0, taker_fee=0.0, maker_fee=0.0)


def seen(*later: tuple[float, float, float]) -> PaperExchange:
    """A venue to look at; what is ordered on paper must not reach it."""
    return PaperExchange(market(later), start=at(10))


@pytest.fixture
def real() -> PaperExchange:
    return seen((99.0, 101.0, 100.0), (80.0, 90.0, 85.0))


@pytest.fixture
def fills(real: PaperExchange, tmp_path: Path) -> Iterator[PaperFills]:
    made = PaperFills(real, FREE, tmp_path / "fills.jsonl")
    made.tickers()
    yield made
    made.close()


def order(name: str, side: str = "LONG", quantity: float = 1.0, **more: object) -> NewOrder:
    kind = Kind.MARKET if "price" not in more else Kind.IOC
    return NewOrder(name, A, side, quantity, **{"kind": kind, **more})  # type: ignore[arg-type]  # because a test gives any field


def test_an_order_takes_what_the_book_shows_and_nothing_is_sent(fills: PaperFills, real: PaperExchange) -> None:
    done = fills.place(order("one", quantity=4.0))
    assert (done.status, done.filled) == (Status.FILLED, 4.0)
    assert done.average == pytest.approx((2 * 100.0 + 2 * 100.1) / 4)
    assert fills.positions()[A].quantity == 4.0
    assert real.positions() == {}
    assert list(real.open_orders()) == []


def test_an_order_fills_no_worse_than_its_price(fills: PaperFills) -> None:
    taken = fills.place(order("ioc", quantity=4.0, price=100.0))
    assert (taken.status, taken.filled, taken.average) == (Status.EXPIRED, 2.0, 100.0)
    rests = fills.place(order("limit", quantity=1.0, kind=Kind.LIMIT, price=99.0))
    assert (rests.status, rests.filled) == (Status.OPEN, 0.0)
    assert [o.client_id for o in fills.open_orders()] == ["limit"]


def test_a_resting_order_fills_at_its_price_once_the_book_comes_to_it(fills: PaperFills, real: PaperExchange) -> None:
    fills.place(order("limit", kind=Kind.LIMIT, price=99.0))
    real.advance(at(12))
    done = fills.order(A, "limit")
    assert (done.status, done.average) == (Status.FILLED, 99.0)


def test_a_cancelled_order_has_ended(fills: PaperFills) -> None:
    fills.place(order("limit", kind=Kind.LIMIT, price=99.0))
    fills.cancel(A, "limit")
    assert fills.order(A, "limit").status is Status.CANCELLED
    with pytest.raises(UnknownOrder):
        fills.cancel(A, "limit")
    with pytest.raises(UnknownOrder):
        fills.order(A, "nobody")


def test_reduce_only_orders_only_reduce(fills: PaperFills) -> None:
    with pytest.raises(Rejected, match="nothing"):
        fills.place(order("early", "SHORT", reduce_only=True))
    fills.place(order("in", quantity=2.0))
    out = fills.place(order("out", "SHORT", 5.0, reduce_only=True))
    assert (out.filled, out.status) == (2.0, Status.EXPIRED)
    assert fills.positions() == {}


@pytest.mark.parametrize(
    ("bad", "error", "said"),
    [
        (order("x", quantity=0.0), Rejected, "quantity"),
        (order("x", quantity=math.nan), Rejected, "quantity"),
        (order("x", quantity=-1.0), Rejected, "quantity"),
        (order("x", price=-5.0), Rejected, "price"),
        (NewOrder("x", A, "LONG", 1.0, Kind.IOC), Rejected, "every other has one"),
        (NewOrder("x", A, "SHORT", 1.0, Kind.STOP, reduce_only=True, trigger=90.0), Rejected, "stops"),
        (NewOrder("x", "NOPE", "LONG", 1.0, Kind.MARKET), Rejected, "NOPE"),
        (order("x", quantity=1_000.0), NotEnoughMargin, "margin"),
    ],
)
def test_what_no_venue_would_take_is_rejected(
    fills: PaperFills, bad: NewOrder, error: type[Exception], said: str
) -> None:
    with pytest.raises(error, match=said):
        fills.place(bad)
    assert fills.account().equity == 1_000.0


def test_a_client_id_is_used_once(fills: PaperFills) -> None:
    fills.place(order("one"))
    with pytest.raises(DuplicateClientId):
        fills.place(order("one"))


def test_a_position_beyond_its_liquidation_price_is_gone_with_its_margin(
    fills: PaperFills, real: PaperExchange
) -> None:
    fills.place(order("one", quantity=2.0))
    real.advance(at(13))
    fills.tickers()
    assert fills.positions() == {}
    assert fills.account().balance == pytest.approx(1_000.0 - 20.0)


def test_a_crash_forgets_nothing_and_a_journal_has_one_owner(fills: PaperFills, tmp_path: Path) -> None:
    fills.place(order("one", quantity=2.0))
    fills.place(order("limit", kind=Kind.LIMIT, price=99.0))
    fills.set_leverage(A, 5.0)
    with pytest.raises(JournalError):
        PaperFills(fills.market, FREE, tmp_path / "fills.jsonl")
    before = fills.account(), fills.positions(), fills.order(A, "limit")
    fills.close()
    again = PaperFills(fills.market, FREE, tmp_path / "fills.jsonl")
    again.tickers()
    assert (again.account(), again.positions(), again.order(A, "limit")) == before
    again.close()


def test_the_prices_are_those_of_a_real_venue_without_keys_or_orders(exchange: Exchange) -> None:
    made = PaperFills(venue(exchange, live=False), FREE)
    assert set(made.markets()) == {"BTCUSDT", "ETHUSDT"}
    made.tickers()
    done = made.place(NewOrder("one", "BTCUSDT", "LONG", 1.0, Kind.MARKET))
    assert (done.filled, done.average) == (1.0, 100.0)
    assert exchange.orders == {}
    assert (made.name, made.is_live) == ("binanceusdm on paper", False)
