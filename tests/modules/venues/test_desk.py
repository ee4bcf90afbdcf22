"""The desk: what it sends, what it never sends, and that it knows of every order what became of it."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from modules.inputs import Depth
from modules.venues import (
    ClockSkew,
    DuplicateClientId,
    Kind,
    Malformed,
    NewOrder,
    NotEnoughMargin,
    OutOfTime,
    RateLimited,
    Status,
    Unclear,
    UnknownOrder,
    Unreachable,
    VenueError,
)
from modules.venues.desk import Desk, Patience, Terms, Unsettled, outcome_of
from modules.venues.intents import Intents, Ticket, stem
from modules.venues.paper import PaperExchange
from modules.venues.paper_engine import Conditions
from tests.modules.venues.crashing import crash, killed, opened
from tests.modules.venues.flaky import Flaky
from tests.modules.venues.paper_markets import BOOK, MINUTE, A, Bar, at, market

FREE = Conditions(taker_fee=0.0, maker_fee=0.0, latency_ms=50)
IOC = Terms(Kind.IOC, 0.01, 0.1)
MARKET = Terms(Kind.MARKET, 0.01, 0.1)
LIMIT = Terms(Kind.LIMIT, 0.01, 0.1)
TICKET = Ticket("r1", A, "LONG", 1.0, 100.0, at(10), "LONG", traded=1_000_000.0)


def exchange(later: list[Bar] | None = None, books: dict[str, list[Depth]] | None = None) -> PaperExchange:
    return PaperExchange(market(later or [], books=books), start=at(10), conditions=FREE)


def desk(paper: PaperExchange, venue: Flaky | None = None, intents: Intents | None = None, **patience: Any) -> Desk:
    return Desk(
        venue.as_venue() if venue is not None else paper,
        intents or Intents(),
        paper.time,
        lambda seconds: paper.advance(paper.time() + int(seconds * 1000)),
        Patience(**patience),
    )


def work(on: Desk, ticket: Ticket = TICKET, terms: Terms = IOC) -> Any:
    return on.work(ticket, terms, on.venue.markets()[A])


# --- what is sent ----------------------------------------------------------------------------------------------------


def test_an_order_at_once_fills_by_the_book() -> None:
    found = work(desk(exchange()), replace(TICKET, quantity=7.0))
    # The design's example: 100.12857 against a mid of 99.95 is 17.9 basis points.
    assert (found.outcome, found.filled, found.why) == ("FILLED", 7.0, "")
    assert found.average == pytest.approx(700.9 / 7)
    assert found.slippage == pytest.approx(0.00178665, abs=1e-7)


def test_no_order_goes_without_a_price_inside_the_cap() -> None:
    for terms in (IOC, MARKET, LIMIT):
        paper = exchange()
        found = work(desk(paper, rounds=1), terms=replace(terms, max_slippage=0.001))
        # 99.95 x 1.001 = 100.04995, and ticks are 0.0001.
        assert {o.price for o in found.orders} <= {100.0499, 99.9}


def test_what_lies_beyond_the_cap_is_left() -> None:
    paper = exchange()
    found = work(desk(paper), replace(TICKET, quantity=7.0), replace(IOC, max_slippage=0.001))
    assert (found.outcome, found.filled) == ("PARTLY_FILLED", 2.0)
    assert "shows nothing up to the price" in found.why


def test_a_sale_is_the_mirror_image() -> None:
    bought = work(desk(exchange()), replace(TICKET, quantity=7.0))
    sold = work(desk(exchange()), replace(TICKET, quantity=7.0, side="SHORT"))
    # 2 at 99.9, 3 at 99.8 and 2 at 99.6: 698.4 / 7 + 0.8 / 7 = 99.771, and 17.9 basis points from the mid.
    assert sold.average == pytest.approx((2 * 99.9 + 3 * 99.8 + 2 * 99.6) / 7)
    assert sold.slippage == pytest.approx(bought.slippage)


def test_new_risk_never_takes_more_than_its_share_of_the_trading() -> None:
    # 10 % of 3,000 a five minutes at 100 is 3.
    found = work(desk(exchange()), replace(TICKET, quantity=7.0, traded=3_000.0))
    assert found.filled == 3.0
    assert "10.0% of what trades in five minutes" in found.why


def test_new_risk_is_not_sent_where_nobody_knows_what_trades() -> None:
    paper = exchange()
    found = work(desk(paper), replace(TICKET, traded=None))
    assert (found.outcome, found.filled, found.orders) == ("FAILED", 0.0, ())
    assert paper.positions() == {}


def test_an_exit_is_sent_whole_and_may_only_reduce() -> None:
    paper = exchange()
    paper.place(NewOrder("c0", A, "SHORT", 6.0, Kind.MARKET))
    exit_ = replace(TICKET, quantity=6.0, adds_risk=False, reduce_only=True, traded=None)
    found = work(desk(paper), exit_)
    assert (found.outcome, found.filled) == ("FILLED", 6.0)
    assert all(o.reduce_only for o in found.orders)


@pytest.mark.parametrize(
    "book",
    [
        Depth(at(10), (), BOOK.asks),
        Depth(at(10), BOOK.bids, ()),
        Depth(at(10), ((100.5, 1.0),), BOOK.asks),
        Depth(at(10), BOOK.bids, ((100.1, 1.0), (100.0, 1.0))),
    ],
)
def test_new_risk_needs_a_book_that_can_be(book: Depth) -> None:
    flaky = Flaky(exchange(books={A: [book]}))
    paper = flaky.inner
    assert isinstance(paper, PaperExchange)
    found = work(desk(paper, flaky))
    assert (found.outcome, found.filled) == ("FAILED", 0.0)
    assert "order book" in found.why
    assert flaky.calls["place"] == 0


def test_an_exit_goes_without_a_book_at_a_price_by_the_mark() -> None:
    paper = exchange()
    paper.place(NewOrder("c0", A, "SHORT", 1.0, Kind.MARKET))
    flaky = Flaky(paper)
    flaky.before["depth"] = [Unreachable("no answer")]
    found = work(desk(paper, flaky), replace(TICKET, adds_risk=False, reduce_only=True), MARKET)
    assert (found.outcome, found.orders[0].price) == ("FILLED", 101.0)


def test_a_price_of_the_caller_binds_too() -> None:
    found = work(desk(exchange()), replace(TICKET, quantity=7.0, worst=100.05))
    assert (found.filled, found.orders[0].price) == (2.0, 100.05)


def test_an_order_smaller_than_the_venue_takes_is_not_sent() -> None:
    flaky = Flaky(exchange())
    assert isinstance(flaky.inner, PaperExchange)
    found = work(desk(flaky.inner, flaky), replace(TICKET, quantity=0.04))
    assert (found.outcome, flaky.calls["place"]) == ("FAILED", 0)


@pytest.mark.parametrize(
    ("terms", "adds_risk", "filled"), [(IOC, True, 1.0), (MARKET, True, 1.0), (IOC, False, 1.0), (MARKET, False, 3.0)]
)
def test_only_an_urgent_exit_follows_the_price(terms: Terms, adds_risk: bool, filled: float) -> None:
    # The first order meets a thin book; a minute later the market is 2 % higher.
    thin = Depth(at(10), ((99.9, 9.0),), ((100.0, 1.0),))
    high = Depth(at(11), ((101.9, 9.0),), ((102.0, 9.0),))
    paper = exchange([(100.0, 102.0, 102.0)], {A: [thin, high]})
    paper.place(NewOrder("c0", A, "SHORT", 3.0, Kind.MARKET))
    flaky = Flaky(paper)
    flaky.after["place"] = [partial(paper.advance, at(11))]
    ticket = replace(TICKET, quantity=3.0, adds_risk=adds_risk)
    assert work(desk(paper, flaky), ticket, terms).filled == filled


def test_new_risk_does_not_follow_the_price_that_it_moves() -> None:
    found = work(desk(exchange()), replace(TICKET, quantity=20.0), replace(MARKET, max_slippage=0.005))
    # 99.95 x 1.005 = 100.449: the fourth level is beyond, however often it is tried.
    assert (found.filled, found.slippage < 0.005) == (10.0, True)


def test_a_limit_order_joins_its_side_and_is_cancelled_when_its_time_is_over() -> None:
    paper = exchange()
    found = work(desk(paper, rounds=1), terms=LIMIT)
    assert [(o.status, o.kind, o.price, o.filled) for o in found.orders] == [(Status.CANCELLED, Kind.LIMIT, 99.9, 0.0)]
    assert found.outcome == "CANCELLED"
    assert paper.open_orders() == []


def test_what_a_limit_order_filled_before_its_cancel_counts() -> None:
    paper = PaperExchange(market([(99.0, 100.0, 100.0)] * 2, volume=4.0), start=at(10), conditions=FREE)
    paper.advance(at(10) + MINUTE - 50)
    found = work(desk(paper, rounds=1, rest=60.0), terms=LIMIT)
    # A tenth of the 4 that the bar traded.
    assert (found.outcome, found.filled, found.average) == ("PARTLY_FILLED", 0.4, pytest.approx(99.9))
    assert found.orders[0].status is Status.CANCELLED


def test_an_order_that_fills_just_before_its_cancel_is_filled() -> None:
    paper = exchange([(99.0, 100.0, 100.0)] * 2)
    flaky = Flaky(paper)
    flaky.before["cancel"] = [lambda: paper.advance(at(12))]
    found = work(desk(paper, flaky), terms=LIMIT)
    assert (found.outcome, found.filled, found.average) == ("FILLED", 1.0, 99.9)


# --- lost answers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unreachable("x"), Malformed("x"), Unclear("x"), DuplicateClientId("x")])
def test_an_order_whose_answer_is_lost_is_found_and_not_sent_again(error: VenueError) -> None:
    paper = exchange()
    flaky = Flaky(paper)
    flaky.after["place"] = [error]
    found = work(desk(paper, flaky))
    assert (found.outcome, found.filled, flaky.calls["place"]) == ("FILLED", 1.0, 1)
    assert paper.positions()[A].quantity == 1.0


def test_an_order_that_never_arrived_is_known_to_be_none_once_it_cannot_arrive_any_more() -> None:
    paper = exchange()
    flaky = Flaky(paper)
    flaky.before["place"] = [Unreachable("x")]
    start = paper.time()
    found = work(desk(paper, flaky))
    assert (found.outcome, found.filled, found.why) == ("FAILED", 0.0, "it never arrived at the venue")
    assert paper.time() - start > FREE.latency_ms
    assert flaky.calls["place"] == 1


@pytest.mark.parametrize("error", [NotEnoughMargin("x"), RateLimited("x"), ClockSkew("x")])
def test_a_certain_refusal_ends_the_request_and_is_not_tried_again(error: VenueError) -> None:
    paper = exchange()
    flaky = Flaky(paper)
    flaky.before["place"] = [error]
    found = work(desk(paper, flaky))
    assert found.outcome == ("REJECTED" if isinstance(error, NotEnoughMargin) else "FAILED")
    assert (found.filled, found.why, flaky.calls["place"]) == (0.0, "x", 1)


def test_while_nobody_knows_it_is_said_so_and_nothing_more_is_added() -> None:
    paper = exchange()
    flaky = Flaky(paper)
    flaky.after["place"] = [Unreachable("x")]
    flaky.before["order"] = [Unreachable("y")] * 40
    on = desk(paper, flaky, asks=20)
    with pytest.raises(Unsettled, match="y"):
        work(on)
    with pytest.raises(Unsettled):
        work(on, replace(TICKET, request="r2"))
    assert flaky.calls["place"] == 1
    assert [request for request, _ in on.intents.unsettled()] == ["r1"]
    # An exit cannot add to what is not known.
    assert work(on, replace(TICKET, request="r3", side="SHORT", adds_risk=False, reduce_only=True)).outcome == "FILLED"
    assert [e.outcome for e in on.recover()] == ["FILLED"]
    assert on.intents.unsettled() == []


def test_a_request_is_worked_once() -> None:
    paper = exchange()
    on = desk(paper)
    first = work(on)
    assert work(on) == first
    assert work(on, replace(TICKET, quantity=5.0)) == first
    assert paper.positions()[A].quantity == 1.0


def test_client_ids_follow_from_the_request() -> None:
    found = work(desk(exchange()))
    assert [o.client_id for o in found.orders] == [f"{stem('r1')}0"]
    assert len(f"{stem('r1')}00") <= 36
    assert stem("r1") != stem("r2")


def test_a_cancel_that_fails_is_asked_for_again_until_the_order_has_ended() -> None:
    paper = exchange()
    flaky = Flaky(paper)
    flaky.before["cancel"] = [Unreachable("x"), Unreachable("x")]
    found = work(desk(paper, flaky, rounds=1), terms=LIMIT)
    assert (found.outcome, flaky.calls["cancel"]) == ("CANCELLED", 3)


def test_an_order_that_cannot_be_cancelled_stays_unsettled() -> None:
    paper = exchange()
    flaky = Flaky(paper)
    flaky.before["cancel"] = [Unreachable("x")] * 99
    on = desk(paper, flaky, rounds=1)
    with pytest.raises(Unsettled):
        work(on, terms=LIMIT)
    ((_, sent),) = on.intents.unsettled(A)
    assert not sent.is_settled
    flaky.before["cancel"] = []
    (ended,) = on.recover()
    assert (ended.outcome, outcome_of(on.intents.worked["r1"].orders[0])) == ("CANCELLED", "CANCELLED")


# --- after a crash ---------------------------------------------------------------------------------------------------


def test_what_the_log_holds_comes_back(tmp_path: Path) -> None:
    log = Intents(tmp_path / "intents.jsonl")
    paper = exchange()
    first = work(desk(paper, intents=log), replace(TICKET, quantity=7.0), replace(IOC, max_slippage=0.001))
    log.close()
    again = Intents(tmp_path / "intents.jsonl")
    assert again.worked["r1"].end == first
    assert again.worked == log.worked
    again.close()


@pytest.mark.parametrize(
    ("moment", "filled", "outcome", "placed"),
    [
        ("before the intent", 0.0, "FAILED", False),
        ("between intent and order", 0.0, "FAILED", False),
        ("between order and answer", 1.0, "FILLED", True),
        ("between answer and record", 1.0, "FILLED", True),
        ("between record and end", 1.0, "FILLED", True),
        ("while a limit order rests", 0.0, "CANCELLED", True),
    ],
)
def test_every_order_ends_in_a_known_state_after_a_kill(
    tmp_path: Path, moment: str, filled: float, outcome: str, placed: bool
) -> None:
    assert killed(partial(crash, tmp_path, moment))
    paper, on = opened(tmp_path)
    (ended,) = on.recover()
    assert (ended.filled, ended.outcome) == (filled, outcome)
    assert on.intents.unsettled() == []
    assert on.recover() == []
    assert paper.open_orders() == []
    assert sum(p.quantity for p in paper.positions().values()) == filled
    if placed:
        assert paper.order(A, f"{stem('r1')}0").filled == filled
    else:
        with pytest.raises(UnknownOrder):
            paper.order(A, f"{stem('r1')}0")
    # Asked for once more, the request is told and not done again.
    assert work(on).filled == filled
    on.intents.close()
    paper.close()


def test_once_the_time_for_questions_is_over_an_order_is_left_for_later_and_no_question_repeated() -> None:
    paper = exchange()
    venue = Flaky(paper)
    on = desk(paper, venue)
    venue.after["place"] = [Unreachable("no answer")]
    venue.before["order"] = [OutOfTime("the time is over")]
    with pytest.raises(Unsettled, match="the time is over"):
        work(on)
    assert venue.calls["order"] == 1
    # It was sent once, and what it filled is found later.
    (execution,) = on.recover()
    assert (execution.filled, venue.calls["place"]) == (1.0, 1)
