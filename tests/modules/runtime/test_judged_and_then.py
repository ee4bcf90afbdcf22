"""Between decision and order the book may change: an exit stays one, and new risk is what was judged, or none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from modules.grounds import Grounds
from modules.inputs import Request
from modules.judge import packaged_bundle
from modules.runtime.composition import compose
from modules.runtime.switches import POLICIES, switches_of
from modules.venues.amounts import floored
from modules.venues.intents import Execution
from modules.venues.paper import PaperExchange
from modules.venues.venue import Kind, NewOrder, OrderState, Unreachable
from tests.modules.runtime.hands import Scene, allowed, answer, scene
from tests.modules.venues.paper_markets import A, B

LEFT = "nothing is left to take off"


def trades(fund: Scene, side: str, quantity: float, *, name: str = "other") -> None:
    """Somebody else trades at the venue."""
    fund.paper.place(NewOrder(name, A, side, quantity, Kind.MARKET))


def request(side: str, notional: float, **more: Any) -> Request:
    return Request(A, side, 0, notional, **more)


def end(fund: Scene, name: str) -> Execution:
    found = fund.actions.execution.intents.worked[name].end
    assert found is not None
    return found


def held(fund: Scene) -> tuple[str, float] | None:
    return None if fund.held is None else (fund.held.side, fund.held.quantity)


def obeys(fund: Scene, asked: Request, meanwhile: tuple[str, float] | None, **more: Any) -> Execution:
    """What came of a request that was allowed as the book was, and before whose order something else trades."""
    seen = fund.look(r=asked)
    if meanwhile is not None:
        trades(fund, *meanwhile)
    fund.actions.obey(answer(**allowed("r"), **more), seen)
    return end(fund, f"r@{asked.at}" if asked.client_id is None else asked.client_id)


# --- what was judged as an exit ---------------------------------------------------------------------------------------


def test_two_exits_in_one_snapshot_take_off_no_more_than_there_is() -> None:
    fund = scene()
    fund.open(5)
    both = {name: request("SHORT", 300.0, client_id=name) for name in ("a", "b")}
    fund.step(both, **allowed("a", "b"))
    assert fund.held is None
    assert [(end(fund, name).filled, end(fund, name).asked) for name in ("a", "b")] == [(3.0, 3.0), (2.0, 2.0)]
    assert all(order.reduce_only for name in ("a", "b") for order in end(fund, name).orders)


def test_of_two_closes_in_one_snapshot_the_second_is_told_that_nothing_is_left() -> None:
    fund = scene()
    fund.open(5)
    both = {name: request("SHORT", 500.0, client_id=name) for name in ("a", "b")}
    placed = fund.venue.calls["place"]
    with capture_logs() as logs:
        fund.step(both, **allowed("a", "b"))
    assert (fund.held, fund.venue.calls["place"] - placed) == (None, 1)
    assert (end(fund, "b").filled, end(fund, "b").why, end(fund, "b").orders) == (0.0, LEFT, ())
    assert [(line["request"], line["why"]) for line in logs if "why" in line] == [("b", LEFT)]


@pytest.mark.parametrize(
    "own", [{"pba__actions": {A: {"CLOSE": []}}}, {"ess__actions": {"FLATTEN": [], "CANCEL_ORDERS": []}}]
)
def test_an_exit_that_is_asked_for_beside_one_of_the_funds_own_opens_nothing(own: dict[str, Any]) -> None:
    fund = scene()
    fund.open(5)
    fund.step({"r": request("SHORT", 500.0, client_id="r")}, **allowed("r"), **own)
    assert fund.held is None
    assert end(fund, "r").why == LEFT


@pytest.mark.parametrize("notional", [300.0, 500.0])
@pytest.mark.parametrize(
    ("meanwhile", "filled", "then"),
    [
        (("SHORT", 1.0), 4.0, None),
        (("SHORT", 3.0), 2.0, None),
        (("SHORT", 5.0), 0.0, None),
        (("SHORT", 7.0), 0.0, ("SHORT", 2.0)),
        (("LONG", 2.0), 5.0, ("LONG", 2.0)),
    ],
)
def test_an_exit_is_of_what_is_left_whatever_happened_to_its_position(
    notional: float, meanwhile: tuple[str, float], filled: float, then: tuple[str, float] | None
) -> None:
    fund = scene()
    fund.open(5)
    found = obeys(fund, request("SHORT", notional), meanwhile)
    assert found.filled == min(filled, notional / 100)
    assert all(order.reduce_only for order in found.orders)
    left = 0.0 if fund.held is None else fund.held.quantity
    if then is not None and notional == 500.0:
        assert held(fund) == then
    assert fund.held is None or fund.held.side == (then or ("LONG", 0.0))[0]
    assert left <= 5.0


@pytest.mark.parametrize("share", [0.4, 1.0])
@pytest.mark.parametrize(("meanwhile", "sent"), [(4.0, [1.0]), (5.0, []), (7.0, [])])
def test_an_exit_of_the_funds_own_is_of_what_is_left(share: float, meanwhile: float, sent: list[float]) -> None:
    fund = scene()
    fund.open(5)
    seen = fund.look()
    trades(fund, "SHORT", meanwhile)
    act = {"CLOSE": []} if share == 1.0 else {"REDUCE": [share]}
    fund.actions.obey(answer(pba__actions={A: act}), seen)
    (name,) = (name for name in fund.actions.execution.intents.worked if name.startswith(tuple(act)))
    orders = fund.actions.execution.intents.worked[name].orders
    assert [(s.order.quantity, s.order.reduce_only) for s in orders] == [(quantity, True) for quantity in sent]
    assert held(fund) == (("SHORT", 2.0) if meanwhile == 7.0 else None)
    assert end(fund, name).why == ("" if sent else LEFT)


def test_an_exit_goes_where_the_venue_does_not_tell_what_is_left_and_may_only_reduce() -> None:
    fund = scene()
    fund.open(5)
    seen = fund.look(r=request("SHORT", 500.0))
    trades(fund, "SHORT", 4.0)
    fund.venue.before["positions"] = [Unreachable("no answer")]
    fund.actions.obey(answer(**allowed("r")), seen)
    assert (end(fund, "r@0").filled, fund.held) == (1.0, None)
    assert all(order.reduce_only for order in end(fund, "r@0").orders)


@pytest.mark.parametrize("silent", [("markets",), ("tickers",), ("markets", "tickers")])
def test_an_exit_that_somebody_asks_for_waits_for_no_listing_and_no_ticker(silent: tuple[str, ...]) -> None:
    fund = scene()
    fund.open(5)
    seen = fund.look(r=request("SHORT", 500.0))
    if "tickers" in silent:
        seen = replace(seen, market=replace(seen.market, tickers={}))
    if "markets" in silent:
        fund.actions.execution.listings.forget()
    for ask in silent:
        fund.venue.before[ask] = [Unreachable("no answer")] * 9
    fund.actions.obey(answer(**allowed("r")), seen)
    assert (end(fund, "r@0").filled, fund.held) == (5.0, None)


@pytest.mark.parametrize("silent", ["markets", "tickers"])
def test_new_risk_waits_for_listing_and_ticker(silent: str) -> None:
    fund = scene()
    seen = fund.look(r=request("LONG", 500.0))
    seen = replace(seen, market=replace(seen.market, tickers={}))
    fund.actions.execution.listings.forget()
    fund.venue.before[silent] = [Unreachable("no answer")] * 9
    fund.actions.obey(answer(**allowed("r")), seen)
    assert fund.held is None


def test_an_exit_is_of_whole_steps_whatever_sums_of_floats_leave() -> None:
    fund = scene()
    trades(fund, "LONG", 0.1, name="first")
    trades(fund, "LONG", 0.2, name="second")
    assert held(fund) == ("LONG", 0.1 + 0.2)
    fund.step(pba__actions={A: {"CLOSE": []}})
    (work,) = fund.actions.execution.intents.worked.values()
    assert [(s.order.quantity, s.state is not None and s.state.status) for s in work.orders] == [(0.3, "FILLED")]


def test_two_closes_under_an_emergency_stop_leave_a_flat_book() -> None:
    venue = PaperExchange()
    composed = compose(venue, None, packaged_bundle(), patience=60, max_gap=180_000)
    quantity = floored(2_000 / venue.tickers()["BTCUSDT"].price, venue.markets()["BTCUSDT"].step)
    venue.place(NewOrder("buy", "BTCUSDT", "LONG", quantity, Kind.MARKET))
    composed.controls.stop(venue.time(), "ada", "a halt")
    assert composed.fund.step(venue.time() + 1).answer.of("ess.state") == "HALTED"
    venue.advance(venue.time() + 5_000)
    notional = venue.positions()["BTCUSDT"].notional
    both = {name: Request("BTCUSDT", "SHORT", venue.time(), notional) for name in ("a", "b")}
    step = composed.fund.step(venue.time() + 1, both)
    assert step.answer.outputs["verdict"] == {"a": "ALLOW", "b": "ALLOW"}
    assert venue.positions() == {}
    composed.close()


# --- what was judged as new risk --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "meanwhile", "asked", "why"),
    [
        (None, ("LONG", 1.0), request("LONG", 200.0), "judged as OPEN, and is INCREASE by now"),
        (2.0, ("SHORT", 2.0), request("LONG", 200.0), "judged as INCREASE, and is OPEN by now"),
        (2.0, ("SHORT", 2.0), request("SHORT", 300.0), "to turn over a position of 2, of which 0 is left"),
        (2.0, ("SHORT", 1.0), request("SHORT", 300.0), "to turn over a position of 2, of which 1 is left"),
        (2.0, ("SHORT", 4.0), request("SHORT", 300.0), "judged as OPEN, and is INCREASE by now"),
    ],
)
def test_new_risk_that_has_become_another_is_refused_and_told(
    first: float | None, meanwhile: tuple[str, float], asked: Request, why: str
) -> None:
    fund = scene()
    if first is not None:
        fund.open(first)
    placed = fund.venue.calls["place"]
    with capture_logs() as logs:
        found = obeys(fund, asked, meanwhile)
    assert fund.venue.calls["place"] == placed
    assert (found.filled, found.outcome) == (0.0, "FAILED")
    assert why in found.why
    assert [line["why"] for line in logs if "why" in line] == [found.why]


def test_new_risk_goes_where_the_book_is_as_it_was_judged() -> None:
    fund = scene()
    assert obeys(fund, request("LONG", 200.0, client_id="opens"), None).filled == 2.0
    assert obeys(fund, request("LONG", 100.0, client_id="adds"), None).outcome == "FILLED"
    assert obeys(fund, request("SHORT", 400.0, client_id="turns"), None).outcome == "FILLED"
    assert fund.held is not None
    assert fund.held.side == "SHORT"


def test_new_risk_that_has_become_an_exit_may_only_reduce() -> None:
    fund = scene()
    found = obeys(fund, request("LONG", 300.0), ("SHORT", 3.0))
    assert (found.filled, fund.held) == (3.0, None)
    assert all(order.reduce_only for order in found.orders)


def test_new_risk_is_refused_where_nobody_knew_the_book_that_it_was_judged_on() -> None:
    fund = scene()
    asked = request("LONG", 200.0)
    found = fund.actions.execution.execute("r", asked, answer(**allowed("r")), Grounds(None))
    assert (found.filled, fund.held) == (0.0, None)
    assert "nothing that is known" in found.why


def test_what_was_refused_is_told_when_it_is_asked_for_again_and_is_not_done() -> None:
    fund = scene()
    found = obeys(fund, request("LONG", 200.0, client_id="mine"), ("LONG", 1.0))
    assert obeys(fund, request("LONG", 200.0, client_id="mine"), None) == found
    assert held(fund) == ("LONG", 1.0)


# --- a person asks for the stop meanwhile -----------------------------------------------------------------------------


def trips(fund: Scene) -> None:
    fund.world.controls.stop(fund.paper.time(), "ada", "enough")


def test_a_stop_that_is_asked_for_during_a_step_lets_no_more_new_risk_go() -> None:
    fund = scene()
    fund.venue.after["place"] = [lambda: trips(fund)]
    asked = {name: Request(symbol, "LONG", 0, 100.0, client_id=name) for name, symbol in (("a", A), ("b", B))}
    fund.step(asked, **allowed("a", "b"))
    assert end(fund, "a").filled == 1.0, "it was sent before"
    assert (end(fund, "b").filled, end(fund, "b").orders) == (0.0, ())
    assert "a person has asked for the emergency stop" in end(fund, "b").why
    assert list(fund.paper.positions()) == [A]


def test_a_stop_holds_up_no_exit() -> None:
    fund = scene()
    fund.open(5)
    seen = fund.look(r=request("SHORT", 200.0))
    trips(fund)
    fund.actions.obey(answer(**allowed("r"), pba__actions={A: {"REDUCE": [0.4]}}), seen)
    assert held(fund) == ("LONG", 1.0)


def test_a_stop_during_an_order_that_is_worked_in_parts_ends_it() -> None:
    fund = scene()
    limit = fund.paper._engine._limit
    fund.paper._engine._limit = lambda state, quantity: min(1.0, limit(state, quantity))  # type: ignore[method-assign]  # because a thin book comes to that
    fund.venue.after["place"] = [None, lambda: trips(fund)]
    fund.step({"a": request("LONG", 300.0, client_id="a")}, **allowed("a"))
    assert (end(fund, "a").filled, end(fund, "a").outcome) == (2.0, "PARTLY_FILLED")
    assert end(fund, "a").why == "a person has asked for the emergency stop"


def test_what_rests_is_cancelled_soon_after_a_stop() -> None:
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        fund.paper.advance(fund.paper.time() + int(seconds * 1000))
        if len(waits) == 2:
            trips(fund)

    fund = scene(wait=wait)
    rests = {**allowed("a"), "aelm__order_type": {"a": "LIMIT"}}
    fund.step({"a": request("LONG", 300.0, client_id="a")}, **rests)
    assert (sum(waits), fund.held, fund.paper.open_orders()) == (1.0, None, [])
    assert [order.status for order in end(fund, "a").orders] == ["CANCELLED"]


def test_a_stop_that_was_seen_when_it_was_judged_is_for_the_rules() -> None:
    fund = scene()
    trips(fund)
    fund.step({"a": request("LONG", 100.0, client_id="a")}, **allowed("a"))
    assert end(fund, "a").filled == 1.0, "rules that only watch their stop let it go"


def test_a_stop_that_was_taken_back_meanwhile_holds_nothing_up() -> None:
    fund = scene()
    seen = fund.look(a=request("LONG", 100.0, client_id="a"))
    trips(fund)
    fund.world.controls.reset(fund.paper.time(), "ada", "a mistake")
    fund.actions.obey(answer(**allowed("a")), seen)
    assert end(fund, "a").filled == 1.0


def test_a_whole_fund_sends_nothing_more_that_adds_risk_once_its_stop_is_on_record() -> None:
    venue = PaperExchange()
    off = switches_of({f"{name.upper()}_MODE": "off" for name, policy in POLICIES.items() if policy and name != "ess"})
    composed = compose(venue, None, packaged_bundle(), switches=off, patience=60, max_gap=180_000)
    composed.fund.step(venue.time() + 1)
    venue.advance(venue.time() + 5_000)
    place, sent = venue.place, []

    def placed(order: NewOrder) -> OrderState:
        if not order.reduce_only:
            sent.append(order.symbol)
        composed.controls.stop(venue.time(), "ada", "enough")
        return place(order)

    venue.place = placed  # type: ignore[method-assign]  # because a person may ask at any time
    tickers = venue.tickers()
    asked = {
        symbol: Request(
            symbol, "LONG", venue.time(), 1_000.0, 2.0, "xgboost", 0.9, 3, stop=tickers[symbol].price * 0.95
        )
        for symbol in sorted(tickers)[:4]
    }  # fmt: skip
    step = composed.fund.step(venue.time(), asked)
    assert set(step.answer.outputs["verdict"].values()) == {"ALLOW"}
    assert sent == [min(tickers)]
    assert len(venue.positions()) == 1
    composed.close()
