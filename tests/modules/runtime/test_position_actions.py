"""What rules grant for a position is done at the venue: once, in part, again after a failure, and never against it."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from modules.inputs import Request
from modules.judge import packaged_bundle
from modules.runtime.composition import compose
from modules.venues.paper import PaperExchange
from modules.venues.venue import Kind, NewOrder, NotEnoughMargin, Rejected, Unreachable
from tests.modules.runtime.hands import Scene, allowed, answer, scene
from tests.modules.venues.paper_markets import A, B, Bar, at, market

MINUTE = 60_000


def grants(policy: str, **actions: list[float]) -> dict[str, Any]:
    return {f"{policy}__actions": {A: actions}}


def size(fund: Scene) -> float:
    held = fund.held
    return 0.0 if held is None else held.quantity


# --- what takes risk off ----------------------------------------------------------------------------------------------


def test_a_position_is_closed_once_the_rules_say_so() -> None:
    fund = scene()
    fund.open(4)
    fund.step(**grants("pba", CLOSE=[]))
    assert fund.held is None
    fund.look()
    assert [(t.exit, t.model) for t in fund.ledger.trades] == [("FORCED", "xgboost")]


def test_a_position_is_reduced_by_the_share_of_the_rules() -> None:
    fund = scene()
    fund.open(4)
    fund.step(**grants("pba", REDUCE=[0.25]))
    assert size(fund) == pytest.approx(3.0)


def test_a_position_that_is_still_too_large_is_reduced_again() -> None:
    fund = scene()
    fund.open(4)
    fund.step(**grants("pba", REDUCE=[0.25]))
    fund.step(**grants("pba", REDUCE=[0.25]))
    assert size(fund) == pytest.approx(2.25)


def test_a_part_of_a_profit_is_taken() -> None:
    fund = scene()
    fund.open(4)
    fund.step(**grants("pal", TAKE_PARTIAL=[0.5]))
    assert size(fund) == pytest.approx(2.0)
    fund.look()
    assert fund.ledger.lots[A].why == "TAKE_PROFIT"


def test_of_two_reductions_the_larger_one_is_done_and_closing_before_either() -> None:
    fund = scene()
    fund.open(4)
    both = {**grants("pba", REDUCE=[0.25]), **grants("pal", TAKE_PARTIAL=[0.5])}
    fund.step(**both)
    assert size(fund) == pytest.approx(2.0)
    fund.step(pba__actions={A: {"REDUCE": [0.25], "CLOSE": []}})
    assert fund.held is None


def test_a_short_is_closed_by_buying() -> None:
    fund = scene()
    fund.open(4, side="SHORT", stop=105.0)
    assert fund.held is not None
    assert fund.held.side == "SHORT"
    fund.step(**grants("pba", CLOSE=[]))
    assert fund.held is None


def test_the_same_state_shown_again_takes_nothing_off_twice() -> None:
    """A venue that lags behind shows the position as it was before the order."""
    fund = scene()
    fund.open(4)
    seen = fund.step(**grants("pba", REDUCE=[0.25]))
    assert size(fund) == pytest.approx(3.0)
    fund.actions.obey(answer(**grants("pba", REDUCE=[0.25])), seen)
    assert size(fund) == pytest.approx(3.0)


def test_exits_come_before_entries() -> None:
    fund = scene()
    fund.open(4)
    asked = {
        "a": Request("BBBUSDT", "LONG", fund.paper.time(), 200.0),
        "b": Request(A, "SHORT", fund.paper.time(), 400.0, reduce_only=True),
    }
    fund.step(asked, **allowed("a", "b"), **grants("pba", REDUCE=[0.25]))
    order = [t.request for t in (w.ticket for w in fund.actions.execution.intents.worked.values())][1:]
    assert [name.partition(":")[0].partition("@")[0] for name in order] == ["REDUCE", "b", "a"]


# --- what goes wrong on the way ---------------------------------------------------------------------------------------


def test_an_exit_that_fills_in_part_goes_on_at_the_next_snapshot() -> None:
    fund = scene()
    fund.open(4)
    limit = fund.paper._engine._limit
    fund.paper._engine._limit = lambda state, quantity: min(1.0, limit(state, quantity))  # type: ignore[method-assign]  # because a thin book comes to that
    fund.step(**grants("pba", CLOSE=[]))
    left = size(fund)
    assert 0 < left < 4
    fund.paper._engine._limit = limit  # type: ignore[method-assign]  # because it is as it was
    fund.step(**grants("pba", CLOSE=[]))
    assert fund.held is None


@pytest.mark.parametrize("error", [Rejected("busy"), Unreachable("no answer")], ids=["rejected", "unreachable"])
@pytest.mark.parametrize("call", ["place", "markets", "tickers", "depth"])
def test_an_exit_is_tried_again_until_it_is_done(error: Exception, call: str) -> None:
    fund = scene()
    fund.open(4)
    fund.venue.before[call] = [error]
    fund.step(**grants("pba", CLOSE=[]))
    fund.step(**grants("pba", CLOSE=[]))
    assert fund.held is None


@pytest.mark.parametrize("act", ["REDUCE", "TAKE_PARTIAL"])
def test_a_reduction_that_was_refused_is_tried_again(act: str) -> None:
    fund = scene()
    fund.open(4)
    policy = "pba" if act == "REDUCE" else "pal"
    fund.venue.before["place"] = [Rejected("busy")]
    fund.step(**grants(policy, **{act: [0.5]}))
    assert size(fund) == pytest.approx(4.0)
    fund.step(**grants(policy, **{act: [0.5]}))
    assert size(fund) == pytest.approx(2.0)


def test_a_reduction_whose_answer_is_lost_is_done_once() -> None:
    fund = scene()
    fund.open(4)
    fund.venue.after["place"] = [Unreachable("no answer")]
    fund.step(**grants("pba", REDUCE=[0.25]))
    assert size(fund) == pytest.approx(3.0)
    fund.look()
    assert fund.ledger.lots[A].quantity == pytest.approx(3.0)


def test_an_outage_of_everything_costs_the_snapshot_and_no_exit() -> None:
    fund = scene()
    fund.open(4)
    gone = Unreachable("no answer")
    seen = fund.look()
    for call in ("markets", "tickers", "depth", "place", "positions", "open_orders", "account", "order"):
        fund.venue.before[call] = [gone] * 100
    fund.actions.obey(answer(**grants("pba", CLOSE=[])), seen)
    assert size(fund) == pytest.approx(4.0)
    fund.venue.before.clear()
    fund.step(**grants("pba", CLOSE=[]))
    assert fund.held is None


@pytest.mark.parametrize("call", ["place", "positions", "open_orders", "cancel"])
def test_a_stop_that_could_not_be_carried_out_is_carried_out_at_the_next_snapshot(call: str) -> None:
    stop: dict[str, list[object]] = {"CANCEL_ORDERS": [], "FLATTEN": []}
    fund = scene()
    fund.open(4)
    fund.paper.place(NewOrder("rests", B, "LONG", 1.0, Kind.LIMIT, 50.0))
    seen = fund.look()
    fund.venue.before[call] = [Unreachable("no answer")]
    fund.actions.obey(answer(ess__actions=stop), seen)
    assert (fund.held, fund.paper.open_orders()) != (None, [])
    fund.step(ess__actions=stop)
    assert (fund.held, fund.paper.open_orders()) == (None, [])


def test_new_risk_that_was_allowed_too_long_ago_is_not_taken_and_an_exit_is() -> None:
    fund = scene()
    fund.open(4)
    fund.actions.max_gap = 10_000
    now = fund.paper.time()

    def eleven_seconds_pass() -> None:
        fund.paper.advance(fund.paper.time() + 11_000)

    fund.venue.after["place"] = [eleven_seconds_pass]
    slow, late = (Request(B, "LONG", now, 500.0, stop=40.0, client_id=name) for name in ("slow", "late"))
    with capture_logs() as logs:
        fund.step({"a": slow, "b": late}, **allowed("a", "b"))
    worked = fund.actions.execution.intents.worked
    assert {name: len(worked[name].orders) for name in ("slow", "late")} == {"slow": 1, "late": 0}
    end = worked["late"].end
    assert end is not None
    assert end.why == "it was allowed too long ago"
    assert [line["request"] for line in logs if line.get("why") == end.why] == ["late"]

    fund.venue.after["place"] = [eleven_seconds_pass]
    reduce, close = (Request(A, "SHORT", now, 100.0, reduce_only=True, client_id=name) for name in ("reduce", "close"))
    fund.step({"a": reduce, "b": close}, **allowed("a", "b"))
    assert size(fund) == pytest.approx(2.0), "exits go, however long the first one takes"


def test_an_exit_goes_where_the_rules_do_not_say_how_orders_trade(monkeypatch: pytest.MonkeyPatch) -> None:
    fund = scene()
    fund.open(4)
    monkeypatch.setattr("modules.runtime.actions.terms_of", _nothing_said)
    fund.step(**grants("pba", CLOSE=[]))
    assert fund.held is None


def _nothing_said(*_: object) -> object:
    raise ValueError("the rules have no output `aelm.order_type`")


@pytest.mark.parametrize("mark", [float("nan"), 0.0, float("inf")])
def test_a_position_without_a_mark_is_closed_at_any_price_and_costs_no_other_its_exit(
    tmp_path: Path, mark: float
) -> None:
    with closing(scene(folder=tmp_path)) as fund:
        close_without(fund, mark)
        assert fund.paper.positions() == {}


def close_without(fund: Scene, mark: float) -> None:
    """Close two positions, of one of which the mark is not known."""
    fund.open(4)
    fund.paper.place(NewOrder("other", B, "LONG", 2.0, Kind.MARKET))
    seen = fund.look()
    assert seen.book.positions is not None
    odd = {**seen.book.positions, A: replace(seen.book.positions[A], mark=mark)}
    seen = replace(seen, book=replace(seen.book, positions=odd))
    fund.actions.obey(answer(pba__actions={A: {"CLOSE": []}, B: {"CLOSE": []}}), seen)


def test_an_exit_of_a_caller_goes_whatever_else_came_with_it(tmp_path: Path) -> None:
    nan = float("nan")
    with closing(scene(folder=tmp_path)) as fund:
        fund.open(4)
        out = Request(
            A, "SHORT", fund.paper.time(), 500.0, leverage=nan, confidence=nan, stop=nan, target=nan, reduce_only=True
        )
        fund.step({"out": out}, **allowed("out"))
        assert fund.held is None


def test_while_the_fund_is_halted_positions_may_still_be_closed() -> None:
    fund = scene()
    fund.open(4)
    fund.step(ess__actions={"CANCEL_ORDERS": []}, **grants("pba", CLOSE=[]))
    assert fund.held is None


# --- stops and targets ------------------------------------------------------------------------------------------------


def test_a_stop_that_the_venue_does_not_take_is_watched() -> None:
    fund = scene([(94.0, 100.0, 94.5)])
    fund.open(4)
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step()
    assert fund.held is None
    fund.look()
    assert [t.exit for t in fund.ledger.trades] == ["STOP_LOSS"]


def test_a_price_that_has_not_reached_the_stop_closes_nothing() -> None:
    fund = scene([(95.5, 100.0, 95.5)])
    fund.open(4)
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step()
    assert size(fund) == pytest.approx(4.0)


@pytest.mark.parametrize(("word", "closes"), [("", True), ("EXTEND_HOLD", False), ("TREND_EXIT", False)])
def test_a_target_takes_the_profit_unless_the_rules_let_it_run(word: str, closes: bool) -> None:
    fund = scene([(100.0, 111.0, 111.0)])
    fund.open(4, target=110.0)
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step(**grants("pal", **({word: [1.0]} if word else {})))
    assert (fund.held is None) is closes
    fund.look()
    assert [t.exit for t in fund.ledger.trades] == (["TAKE_PROFIT"] if closes else [])


def test_a_tightened_stop_keeps_its_part_of_the_profit_and_never_goes_back() -> None:
    fund = scene([(100.0, 110.0, 110.0), (104.0, 110.0, 106.0), (103.0, 106.0, 104.0)])
    fund.open(4)
    entry = fund.ledger.lots[A].entry
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step(**grants("pal", TIGHTEN_STOP=[0.5]))
    kept = fund.ledger.lots[A].stop
    assert kept == pytest.approx(entry + 0.5 * (110.0 - entry))
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step(**grants("pal", TIGHTEN_STOP=[0.5]))
    assert fund.ledger.lots[A].stop == kept
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step()
    fund.look()
    assert [t.exit for t in fund.ledger.trades] == ["TRAILING_STOP"]


def test_a_trend_exit_follows_the_price_at_its_distance() -> None:
    fund = scene([(100.0, 110.0, 110.0), (110.0, 120.0, 120.0)])
    fund.open(4)
    lot = fund.ledger.lots[A]
    risk = lot.first_entry - 95.0
    for price in (110.0, 120.0):
        fund.paper.advance(fund.paper.time() + MINUTE)
        fund.step(**grants("pal", TREND_EXIT=[1.0]))
        assert fund.ledger.lots[A].stop == pytest.approx(price - risk)


def test_a_stop_of_a_short_comes_down() -> None:
    fund = scene([(90.0, 100.0, 90.0)])
    fund.open(4, side="SHORT", stop=105.0)
    entry = fund.ledger.lots[A].entry
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step(**grants("pal", TIGHTEN_STOP=[0.5]))
    assert fund.ledger.lots[A].stop == pytest.approx(entry - 0.5 * (entry - 90.0))


def test_no_profit_is_no_reason_to_move_a_stop() -> None:
    fund = scene([(97.0, 100.0, 97.0)])
    fund.open(4)
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step(**grants("pal", TIGHTEN_STOP=[0.5]))
    assert fund.ledger.lots[A].stop == 95.0


def test_a_position_that_was_turned_over_meanwhile_does_not_get_the_stop_of_the_one_before() -> None:
    fund = scene([(100.0, 110.0, 110.0)])
    fund.open(4)
    fund.paper.advance(fund.paper.time() + MINUTE)
    turn = Request(A, "SHORT", fund.paper.time(), 800.0, leverage=10.0, stop=115.0)
    fund.step({"turn": turn}, **allowed("turn"), **grants("pal", TIGHTEN_STOP=[0.5]))
    fund.look()
    lot = fund.ledger.lots[A]
    assert (lot.side, lot.stop) == ("SHORT", 115.0)


# --- leverage ---------------------------------------------------------------------------------------------------------


def test_leverage_comes_down_by_the_share_of_the_rules() -> None:
    fund = scene()
    fund.open(4)
    fund.step(**grants("pba", CUT_LEVERAGE=[0.25]))
    assert fund.held is not None
    assert fund.held.leverage == pytest.approx(7.5)


def test_leverage_that_the_venue_does_not_lower_stays_and_nothing_else_is_left_out() -> None:
    fund = scene()
    fund.open(4)
    fund.venue.before["set_leverage"] = [NotEnoughMargin("no margin")]
    fund.step(pba__actions={A: {"CUT_LEVERAGE": [0.25]}}, pal__actions={A: {"ADD_SIZE": [0.25]}})
    assert fund.held is not None
    assert fund.held.leverage == 10.0
    assert "add-" + A in fund.look().book.requests


# --- what is added ----------------------------------------------------------------------------------------------------


def test_what_may_be_added_is_asked_for_and_not_ordered() -> None:
    fund = scene()
    fund.open(4)
    fund.step(**grants("pal", ADD_SIZE=[0.25]))
    assert size(fund) == pytest.approx(4.0)
    (asked,) = fund.look().book.requests.values()
    lot = fund.ledger.lots[A]
    assert asked.notional == pytest.approx(0.25 * lot.first_quantity * lot.first_entry, abs=0.01)
    assert asked.notional is not None
    assert asked.notional <= 0.25 * lot.first_quantity * lot.first_entry
    assert (asked.side, asked.model, asked.confidence, asked.votes, asked.stop) == ("LONG", "xgboost", 0.8, 3, 95.0)


def test_what_the_rules_deny_is_not_added() -> None:
    fund = scene()
    fund.open(4)
    fund.step(**grants("pal", ADD_SIZE=[0.25]))
    fund.step(verdict={f"add-{A}": "DENY"})
    assert size(fund) == pytest.approx(4.0)


def add(fund: Scene) -> None:
    """Two snapshots: one that grants an add, and one that allows what is asked for."""
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step(**grants("pal", ADD_SIZE=[0.25]))
    fund.step(**allowed(f"add-{A}"))


def test_an_add_that_is_allowed_is_bought_once_for_a_position_as_it_is() -> None:
    fund = scene([(100.0, 100.0, 100.0)] * 10)
    fund.open(4)
    first = size(fund)
    add(fund)
    # What is bought costs no more than was judged, also at the worst price.
    assert first * 1.2 < size(fund) <= first * 1.25
    add(fund)
    assert first * 1.4 < size(fund) <= first * 1.5


def test_what_was_added_to_a_position_that_looks_as_before_is_not_added_again() -> None:
    fund = scene([(100.0, 100.0, 100.0)] * 10)
    fund.open(4)
    seen = fund.look()
    add(fund)
    grown = size(fund)
    # A venue that lags behind, or a snapshot that is obeyed again, shows the position before the add.
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.actions._asked_at.clear()
    fund.actions.obey(answer(**grants("pal", ADD_SIZE=[0.25])), seen)
    assert fund.actions.wanted(fund.paper.time()) == {}
    assert size(fund) == grown


def test_an_add_is_asked_for_once_a_minute() -> None:
    fund = scene()
    fund.open(4)
    asked = 0
    for _ in range(5):
        seen = fund.step(**grants("pal", ADD_SIZE=[0.25]))
        asked += f"add-{A}" in seen.book.requests
    assert asked == 1


def test_an_add_of_which_nothing_came_may_be_asked_for_again() -> None:
    fund = scene([(100.0, 100.0, 100.0)] * 10)
    fund.open(4)
    fund.venue.before["place"] = [Rejected("busy")]
    add(fund)
    assert size(fund) == pytest.approx(4.0)
    add(fund)
    assert size(fund) > 4.5


def test_nothing_is_added_to_a_position_that_is_being_reduced() -> None:
    fund = scene()
    fund.open(4)
    fund.step(pba__actions={A: {"REDUCE": [0.25]}}, pal__actions={A: {"ADD_SIZE": [0.25]}})
    assert fund.look().book.requests == {}


def test_a_caller_who_uses_the_key_of_an_add_has_the_word() -> None:
    fund = scene()
    fund.open(4)
    fund.step(**grants("pal", ADD_SIZE=[0.25]))
    mine = Request(A, "SHORT", fund.paper.time(), 100.0)
    assert fund.look(**{f"add-{A}": mine}).book.requests == {f"add-{A}": mine}


# --- a whole fund, under its own rules --------------------------------------------------------------------------------


def test_a_whole_fund_closes_what_comes_near_its_liquidation_and_knows_of_it_after_a_restart(tmp_path: Path) -> None:
    """Entered at 10x, liquidated about 9.5 % below: at 94.5 it is 4 % away, under the 5 % of the rules."""
    bars: list[Bar] = [(100.0, 100.0, 100.0), (94.0, 100.0, 94.5)]
    paper = PaperExchange(market(bars, volume=1_000_000.0, books={}), start=at(10), journal=tmp_path / "paper.jsonl")
    paper.place(NewOrder("by-hand", A, "LONG", 4.0, Kind.MARKET))
    with closing(compose(paper, tmp_path / "fund", packaged_bundle(), patience=60)) as whole:
        first = whole.fund.step(paper.time())
        assert first.answer.of("pba.actions", A) == {}
        paper.advance(at(12))
        second = whole.fund.step(paper.time())
        assert "CLOSE" in second.answer.of("pba.actions", A)
        assert second.answer.because["pba.close_before_liquidation"].startswith("liquidation is 4")
        assert paper.positions() == {}
    with closing(compose(paper, tmp_path / "fund", packaged_bundle(), patience=60)) as again:
        third = again.fund.step(paper.time() + 1000)
        assert [(t.exit, t.profit is not None) for t in again.ledger.trades] == [("FORCED", True)]
        gap = third.assembled.snapshot.facts["account.reconciliation_gap"]
        assert isinstance(gap, int)
        assert gap < 1_000_000, "a thousandth: the ledger knows of every fill"
    paper.close()
