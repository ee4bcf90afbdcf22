"""AELM: facts of requests worked by hand, and orders that go as the rules say."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modules.facts import CATALOGUE
from modules.grounds import Grounds
from modules.inputs import Book, Depth, Inputs, Machinery, Market, Order, OrderEnd, Position, Request, Ticker
from modules.judge import RULES as PACKAGED
from modules.judge import Answer, Judge
from modules.module import Module
from modules.smart_execution import SmartExecution, terms_of
from modules.venues import Kind, NotPermitted, Rejected, Unreachable, Venue, VenueError
from modules.venues.desk import Patience
from modules.venues.intents import stem
from modules.venues.paper import PaperExchange
from modules.venues.paper_engine import Conditions
from policy_dsl.bundle import load
from tests.modules.venues.flaky import Flaky
from tests.modules.venues.paper_markets import BOOK, A, at, market

RULES = Path(__file__).parent / "venues" / "rules"
TS = at(10)
BUY = Request(A, "LONG", TS, notional=700.0)
TICKER = Ticker(TS, 100.0, 99.9, 100.0, mark=100.0)
EMPTY = Book(positions={}, orders={})


@cache
def judge() -> Judge:
    return Judge(load(RULES, CATALOGUE))


@cache
def module() -> SmartExecution:
    return SmartExecution()


def exchange(**changed: Any) -> PaperExchange:
    free = Conditions(taker_fee=0.0, maker_fee=0.0, latency_ms=50)
    return PaperExchange(**{"market": market(), "start": TS, "conditions": free, **changed})


def facts(requests: dict[str, Request], book: Book = EMPTY, **seen: Any) -> dict[str, dict[str, Any]]:
    found = Market(**{"tickers": {A: TICKER}, "depths": {A: BOOK}, **seen})
    supply = module().compute(Inputs("main", TS, found, replace(book, requests=requests)))
    return {
        key: {**row, **{path.split(".")[1]: why for path, why in supply.reasons.items() if f'"{key}"' in path}}
        for key, row in supply.rows["request"].items()
    }


def of(request: Request, fact: str, book: Book = EMPTY, **seen: Any) -> Any:
    return facts({"r1": request}, book, **seen)["r1"][fact]


# --- facts -----------------------------------------------------------------------------------------------------------


def test_it_is_a_module() -> None:
    assert isinstance(module(), Module)
    assert (module().name, module().owners) == ("aelm", ("AELM",))


def test_it_supplies_every_fact_of_its_owner_and_no_other() -> None:
    supply = module().compute(
        Inputs(
            "main", TS, Market(tickers={A: TICKER}, depths={A: BOOK}), replace(EMPTY, requests={"r1": BUY}),
            Machinery(orders_ended=[OrderEnd(TS, A, "LONG", 700.0, "FILLED")]),
        )
    )  # fmt: skip
    mine = {f"{e.name}.{f.name}" for e in CATALOGUE.entities.values() for f in e.facts.values() if f.owner == "AELM"}
    made = {f"request.{name}" for name in supply.rows["request"]["r1"]} | {
        f"order.{n}" for n in supply.events["order"][0]
    }
    assert made == mine
    assert supply.reasons == {}


def test_impact_is_the_walk_of_the_notional_at_the_mark() -> None:
    # 700 at 100 are 7: the design's example.
    assert of(BUY, "impact") * 1e4 == pytest.approx(17.87, abs=0.01)
    assert of(replace(BUY, side="SHORT"), "impact") == pytest.approx(of(BUY, "impact"))


@pytest.mark.parametrize(
    ("request_", "seen", "why"),
    [
        (replace(BUY, notional=2_001.0), {}, "not known as deep"),
        (replace(BUY, notional=None), {}, "does not say how much"),
        (replace(BUY, notional=0.0), {}, "does not say how much"),
        (BUY, {"depths": {}}, "is not known"),
        (BUY, {"depths": {A: replace(BOOK, at=TS - 300_001)}}, "300 s old"),
        (BUY, {"depths": {A: replace(BOOK, at=TS + 60_001)}}, "dated ahead"),
        (BUY, {"depths": {A: Depth(TS, (), ())}}, "empty on a side"),
        (BUY, {"depths": {A: Depth(TS, ((100.0, 1.0),), ((99.0, 1.0),))}}, "crossed"),
        (BUY, {"tickers": {}}, "has no price"),
        (BUY, {"tickers": {A: replace(TICKER, mark=0.0)}}, "has no price"),
        (BUY, {"tickers": {A: Ticker(TS, float("nan"))}}, "has no price"),
    ],
)
def test_impact_that_nobody_can_tell_is_missing_with_the_reason(request_: Request, seen: Any, why: str) -> None:
    assert why in of(request_, "impact", **seen)


def test_price_deviation_is_from_the_mark_and_nothing_for_a_market_order() -> None:
    assert of(replace(BUY, price=103.0), "price_deviation") == pytest.approx(0.03)
    assert of(replace(BUY, price=97.0), "price_deviation") == pytest.approx(0.03)
    assert of(BUY, "price_deviation", tickers={}) == 0.0
    assert "no price" in of(replace(BUY, price=97.0), "price_deviation", tickers={})


def resting(side: str = "SHORT", **changed: Any) -> Order:
    return replace(Order("o1", A, side, True, 1.0, 0.0, 100.5, TS - 1), **changed)


def own(*orders: Order) -> Book:
    return Book(positions={}, orders={o.client_id: o for o in orders})


@pytest.mark.parametrize(
    ("price", "order", "crosses"),
    [
        (None, resting(), True),
        (100.5, resting(), True),
        (100.4, resting(), False),
        (100.6, resting("LONG"), False),
        (100.6, resting("LONG", adds_risk=False), True),
        (100.6, resting(adds_risk=False), False),
        (100.6, resting(symbol="BBBUSDT"), False),
        (100.6, resting(filled=1.0), False),
        (100.0, resting(price=None), True),
        (None, resting(price=None), False),
    ],
)
def test_a_request_that_could_meet_an_order_of_the_fund_crosses_it(
    price: float | None, order: Order, crosses: bool
) -> None:
    assert of(replace(BUY, price=price), "crosses_own_order", own(order)) is crosses


def test_a_sale_crosses_a_bid_at_its_price_or_above() -> None:
    sale = replace(BUY, side="SHORT", price=100.5)
    assert of(sale, "crosses_own_order", own(resting("LONG"))) is True
    assert of(replace(sale, price=100.6), "crosses_own_order", own(resting("LONG"))) is False


def test_orders_that_nobody_knows_may_cross_or_repeat() -> None:
    unknown = Book(positions={}, orders=None)
    assert "not known" in of(BUY, "crosses_own_order", unknown)
    assert "not known" in of(BUY, "duplicate", unknown)


def test_a_client_id_that_was_seen_is_a_duplicate() -> None:
    mine = replace(BUY, client_id="a")
    assert of(mine, "duplicate") is False
    assert of(mine, "duplicate", own(resting(client_id="a"))) is True
    assert of(mine, "duplicate", own(resting(client_id=f"{stem('a')}0"))) is True
    assert of(mine, "duplicate", own(resting(client_id=f"{stem('b')}0"))) is False
    assert of(mine, "duplicate", Book(positions={}, orders=None, recent=[mine])) is True


def test_a_client_id_that_was_ever_carried_out_is_a_duplicate() -> None:
    on = aelm()
    on.execute_order(symbol=A, side="buy", size=1.0, client_id="mine")
    later = replace(BUY, at=TS + 10 * 86_400_000, client_id="mine")
    book = replace(EMPTY, requests={"r1": later, "r2": replace(later, client_id="other")})
    rows = on.compute(Inputs("main", later.at, Market(tickers={A: TICKER}, depths={A: BOOK}), book)).rows["request"]
    assert (rows["r1"]["duplicate"], rows["r2"]["duplicate"]) == (True, False)


def test_of_two_requests_with_one_client_id_the_later_is_the_duplicate() -> None:
    first, second = replace(BUY, client_id="a"), replace(BUY, client_id="a", at=TS + 1)
    found = facts({"r2": first, "r1": second})
    assert (found["r1"]["duplicate"], found["r2"]["duplicate"]) == (True, False)
    same_time = facts({"r2": first, "r1": first})
    assert (same_time["r1"]["duplicate"], same_time["r2"]["duplicate"]) == (False, True)


def test_repeats_are_requests_before_it_that_would_do_the_same() -> None:
    ago = replace(BUY, at=TS - 59_999)
    others = [replace(ago, side="SHORT"), replace(ago, symbol="BBBUSDT"), replace(ago, at=TS - 60_000)]
    assert of(BUY, "repeats_last_minute", replace(EMPTY, recent=[ago, ago, *others])) == 2
    found = facts({"r1": BUY, "r2": BUY, "r3": BUY})
    assert [found[key]["repeats_last_minute"] for key in ("r1", "r2", "r3")] == [0, 1, 2]


def test_a_request_of_another_effect_is_no_repeat() -> None:
    held = {"p1": Position(A, "SHORT", 5.0, 100.0, 100.0, TS - 1)}
    book = Book(positions=held, orders={}, recent=[replace(BUY, notional=500.0), replace(BUY, notional=100.0)])
    # Buying 500 closes the short of 500, and buying 100 reduces it.
    assert of(replace(BUY, notional=500.0), "repeats_last_minute", book) == 1


def test_repeats_of_what_nobody_can_tell_are_missing() -> None:
    assert "not known" in of(BUY, "repeats_last_minute", Book(positions=None, orders={}))
    assert "before a restart" in of(BUY, "repeats_last_minute", replace(EMPTY, recent=None))


def test_no_requests_are_no_rows() -> None:
    assert facts({}) == {}


@given(st.permutations(["r1", "r2", "r3", "r4"]))
def test_facts_do_not_depend_on_the_order_of_the_requests(keys: list[str]) -> None:
    requests = {
        "r1": BUY, "r2": replace(BUY, client_id="a", at=TS - 5), "r3": replace(BUY, client_id="a"),
        "r4": replace(BUY, side="SHORT", price=101.0),
    }  # fmt: skip
    shuffled = {key: requests[key] for key in keys}
    assert facts(shuffled) == facts(requests)
    assert list(facts(shuffled)) == ["r1", "r2", "r3", "r4"]


def test_orders_that_ended_become_events_in_one_order() -> None:
    ends = [OrderEnd(TS - 1, A, "LONG", 10.0, "FILLED"), OrderEnd(TS - 2, A, "SHORT", 5.0, "REJECTED")]
    for given_ in (ends, ends[::-1]):
        events = module().compute(Inputs("main", TS, machinery=Machinery(orders_ended=given_))).events["order"]
        assert [e["outcome"] for e in events] == ["REJECTED", "FILLED"]
        assert events[0] == {"symbol": A, "side": "SHORT", "notional": 5.0, "outcome": "REJECTED"}


# --- execution -------------------------------------------------------------------------------------------------------


def aelm(venue: Any = None, **more: Any) -> SmartExecution:
    return SmartExecution(venue if venue is not None else exchange(), judge(), **more)


def test_the_call_of_the_plan_works_as_it_stands() -> None:
    aelm = SmartExecution(judge=judge())
    symbol, side, size = "BTCUSDT", "BUY", 0.01
    order = aelm.execute_order(
        symbol=symbol,
        side=side,
        size=size,
        urgency="normal",  # low/normal/high
    )
    assert (order.outcome, order.filled) == ("FILLED", 0.01)
    assert aelm.venue.positions()["BTCUSDT"].quantity == 0.01


@pytest.mark.skipif(not (PACKAGED / "aelm.rules").exists(), reason="the packaged rules have no policy aelm")
def test_the_call_of_the_plan_works_by_the_packaged_rules() -> None:
    order = SmartExecution().execute_order(symbol="BTCUSDT", side="BUY", size=0.01, urgency="normal")
    assert (order.outcome, order.filled) == ("FILLED", 0.01)


@pytest.mark.parametrize(("urgency", "kind"), [("low", Kind.LIMIT), ("NORMAL", Kind.IOC), ("high", Kind.IOC)])
def test_the_rules_say_how_an_order_goes_and_none_goes_without_a_price(urgency: str, kind: Kind) -> None:
    found = aelm().execute_order(symbol=A, side="buy", size=1.0, urgency=urgency)
    assert {o.kind for o in found.orders} == {kind}
    assert all(o.price is not None for o in found.orders)


@pytest.mark.parametrize(
    "wrong",
    [
        {"urgency": "medium"}, {"urgency": ""}, {"side": "hold"}, {"side": ""}, {"size": 0.0}, {"size": -1.0},
        {"size": float("nan")}, {"size": float("inf")}, {"size": 0.0001}, {"price": 0.0}, {"price": float("nan")},
    ],
)  # fmt: skip
def test_words_and_figures_that_mean_nothing_are_refused(wrong: dict[str, Any]) -> None:
    flaky = Flaky(exchange())
    with pytest.raises(ValueError, match=r"none of|positive|smaller"):
        aelm(flaky, clock=flaky.time).execute_order(**{"symbol": A, "side": "buy", "size": 1.0, **wrong})
    assert flaky.calls["place"] == 0


def test_an_unknown_urgency_is_named_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match="the urgency `medium` is none of `low`, `normal`, `high`"):
        aelm().execute_order(symbol=A, side="buy", size=1.0, urgency="medium")


def test_a_symbol_that_does_not_trade_is_refused() -> None:
    with pytest.raises(Rejected, match="does not trade"):
        aelm().execute_order(symbol="ZZZUSDT", side="buy", size=1.0)


def test_a_sale_is_a_sale_in_any_case_of_letters() -> None:
    for side in ("sell", "SELL", "Short"):
        on = aelm()
        on.execute_order(symbol=A, side=side, size=1.0)
        assert on.venue.positions()[A].side == "SHORT"


def test_slippage_is_capped_before_anything_is_sent() -> None:
    # The rules allow 0.5 %: 99.95 x 1.005 = 100.449, which the fourth level is beyond.
    found = aelm().execute_order(symbol=A, side="buy", size=20.0, urgency="high")
    assert (found.outcome, found.filled) == ("PARTLY_FILLED", 10.0)
    assert found.slippage is not None
    assert found.slippage < 0.005
    assert "shows nothing" in found.why


def test_nothing_is_filled_where_the_exchange_is_gone() -> None:
    paper = exchange()
    flaky = Flaky(paper)
    on = aelm(flaky, clock=paper.time, wait=lambda seconds: paper.advance(paper.time() + int(seconds * 1000)))
    flaky.before["tickers"] = [Unreachable("gone")]
    with pytest.raises(Unreachable):
        on.execute_order(symbol=A, side="buy", size=1.0)
    flaky.before["depth"] = [Unreachable("gone")] * 2
    found = on.execute_order(symbol=A, side="buy", size=1.0)
    assert (found.outcome, found.filled, found.average, found.orders) == ("FAILED", 0.0, None, ())


def test_when_every_order_is_rejected_nothing_is_called_filled() -> None:
    found = aelm(exchange(conditions=Conditions(reject_rate=1.0))).execute_order(symbol=A, side="buy", size=1.0)
    assert (found.outcome, found.filled, found.average) == ("REJECTED", 0.0, None)
    assert found.why == "the exchange is busy"


def test_a_request_of_one_client_id_is_executed_once() -> None:
    on = aelm()
    first = on.execute_order(symbol=A, side="buy", size=1.0, client_id="mine")
    assert on.execute_order(symbol=A, side="buy", size=1.0, client_id="mine") == first
    assert on.venue.positions()[A].quantity == 1.0


def test_two_orders_without_a_client_id_are_two() -> None:
    on = aelm()
    for _ in range(2):
        on.execute_order(symbol=A, side="buy", size=0.5)
    assert on.venue.positions()[A].quantity == 1.0


def test_an_order_that_closes_may_only_reduce() -> None:
    on = aelm()
    on.execute_order(symbol=A, side="buy", size=2.0)
    found = on.execute_order(symbol=A, side="sell", size=2.0)
    assert [o.reduce_only for o in found.orders] == [True]
    assert on.venue.positions() == {}


def test_ended_orders_are_told_once_they_have_ended() -> None:
    on = aelm(patience=Patience(rounds=1))
    on.execute_order(symbol=A, side="buy", size=7.0)
    first = on.clock()
    (ended,) = on.ended_since(TS)
    assert (ended.symbol, ended.side, ended.outcome) == (A, "LONG", "FILLED")
    assert ended.notional == pytest.approx(700.0)
    assert on.ended_since(first) == []
    on.execute_order(symbol=A, side="sell", size=1.0)
    # Selling out of a long acts on the long.
    assert [e.side for e in on.ended_since(first)] == ["LONG"]


def test_a_refused_order_is_told_as_one() -> None:
    on = aelm(exchange(conditions=Conditions(reject_rate=1.0)))
    on.execute_order(symbol=A, side="buy", size=1.0)
    assert [e.outcome for e in on.ended_since(0)] == ["REJECTED"]


def answer(verdict: str = "ALLOW") -> Answer:
    said = {"aelm.order_type": {"r1": "IOC"}, "aelm.max_slippage": {"r1": 0.005}, "aelm.max_participation": 0.5}
    asked = judge().answer(TS, [])
    return Answer(asked.decision, {"verdict": {"r1": verdict}, **said}, {"p.rule": "it is too much"})


FLAT = Grounds({})


def as_it_is(on: SmartExecution) -> Grounds:
    """Grounds of positions as they are at the venue."""
    return Grounds(on.venue.positions())


def test_a_request_is_executed_as_it_was_answered() -> None:
    on = aelm(decide=lambda _key, _request: answer())
    found = on.execute("r1", BUY, answer(), as_it_is(on))
    assert (found.outcome, found.filled) == ("FILLED", 7.0)
    assert on.execute("r1", BUY, answer(), as_it_is(on)) == found


def leverage(venue: Venue) -> float:
    (held,) = venue.positions().values()
    assert held.leverage is not None
    return held.leverage


def test_a_position_begins_with_the_leverage_that_was_judged() -> None:
    on = aelm(decide=lambda _key, _request: answer())
    on.execute("r1", replace(BUY, leverage=3.0), answer(), as_it_is(on))
    assert leverage(on.venue) == 3


@pytest.mark.parametrize(("judged", "then"), [(2.0, 2.0), (3.0, 3.0), (8.0, 3.0), (None, 3.0)])
def test_what_is_added_lowers_the_leverage_of_a_position_and_never_raises_it(judged: float | None, then: float) -> None:
    on = aelm(decide=lambda _key, _request: answer())
    on.execute("r1", replace(BUY, leverage=3.0, notional=100.0), answer(), as_it_is(on))
    on.execute("r1", replace(BUY, leverage=judged, notional=100.0, client_id="more"), answer(), as_it_is(on))
    assert len(on.intents.worked) == 2
    assert leverage(on.venue) == then


def test_nothing_is_sent_where_the_venue_does_not_take_the_leverage() -> None:
    venue = Flaky(exchange())
    on = aelm(venue.as_venue(), decide=lambda _key, _request: answer())
    venue.before["set_leverage"] = [Unreachable("no answer")]
    with pytest.raises(Unreachable):
        on.execute("r1", replace(BUY, leverage=3.0), answer(), as_it_is(on))
    with pytest.raises(Rejected, match="leverage"):
        on.execute("r1", replace(BUY, leverage=5_000.0), answer(), as_it_is(on))
    assert (venue.calls["place"], on.intents.worked) == (0, {})
    on.execute("r1", replace(BUY, leverage=3.0), answer(), as_it_is(on))
    assert leverage(on.venue) == 3, "and it can be asked for again"


def test_the_leverage_of_a_position_that_nobody_can_see_is_not_raised() -> None:
    venue = Flaky(exchange())
    on = aelm(venue.as_venue(), decide=lambda _key, _request: answer())
    on.execute("r1", replace(BUY, leverage=3.0, notional=100.0), answer(), as_it_is(on))
    more = replace(BUY, leverage=8.0, notional=100.0, client_id="more")
    judged = as_it_is(on)
    venue.before["positions"] = [Unreachable("no answer")]
    with pytest.raises(VenueError, match="nobody knows what is held"):
        on.execute("r1", more, answer(), judged)
    assert leverage(on.venue) == 3
    assert "more" not in on.intents.worked


def test_an_exit_asks_for_no_leverage() -> None:
    venue = Flaky(exchange())
    on = aelm(venue.as_venue(), decide=lambda _key, _request: answer())
    on.execute("r1", replace(BUY, notional=100.0), answer(), as_it_is(on))
    venue.before["set_leverage"] = [Unreachable("no answer")]
    sale = replace(BUY, side="SHORT", leverage=2.0, notional=100.0, reduce_only=True, client_id="out")
    on.execute("r1", sale, answer(), as_it_is(on))
    assert on.venue.positions() == {}


def test_an_exit_without_a_position_is_told_and_not_sent() -> None:
    venue = Flaky(exchange())
    on = aelm(venue.as_venue(), clock=venue.time)
    found = on.execute_order(symbol=A, side="sell", size=1.0, reduce_only=True)
    assert (found.outcome, found.filled, found.why) == ("FAILED", 0.0, "nothing is left to take off")
    assert venue.calls["place"] == 0


def test_a_request_that_the_rules_deny_is_not_executed() -> None:
    on = aelm()
    with pytest.raises(Rejected, match="it is too much"):
        on.execute("r1", BUY, answer("DENY"), as_it_is(on))
    assert on.venue.positions() == {}


def test_an_order_is_not_sent_where_the_fund_decides_against_it() -> None:
    def denies(key: str, _request: Request) -> Answer:
        return replace(answer(), outputs={**answer().outputs, "verdict": {key: "DENY"}})

    on = aelm(decide=denies)
    with pytest.raises(Rejected, match="it is too much"):
        on.execute_order(symbol=A, side="buy", size=1.0)
    assert on.venue.positions() == {}


@pytest.mark.parametrize("notional", [None, 0.0, -1.0, float("nan"), 0.001])
def test_a_request_without_an_amount_is_not_executed(notional: float | None) -> None:
    with pytest.raises(ValueError, match=r"how much|smallest"):
        aelm().execute("r1", replace(BUY, notional=notional), answer(), FLAT)


def test_rules_that_say_nothing_of_execution_are_not_guessed() -> None:
    with pytest.raises(ValueError, match=r"no output `aelm\.max_slippage`"):
        terms_of("r1", replace(answer(), outputs={"aelm.order_type": {"r1": "IOC"}, "aelm.max_participation": 0.1}))
    with pytest.raises(ValueError, match=r"do not say `aelm\.order_type`"):
        terms_of("r1", replace(answer(), outputs={**answer().outputs, "aelm.order_type": {}}))


def test_a_live_venue_needs_a_log_and_the_fund_s_decision(tmp_path: Path) -> None:
    live = Flaky(exchange())
    live.is_live = True  # type: ignore[attr-defined]  # because it hides that of the paper exchange
    for given_ in ({}, {"intents": tmp_path / "i"}, {"decide": lambda _key, _request: answer()}):
        with pytest.raises(NotPermitted, match="a log of intents"):
            SmartExecution(live.as_venue(), judge(), **given_)
