"""Stops that wait at the venue: one for each position, as it is now, and told to the ledger once they were hit."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from modules.venues.venue import Kind, NewOrder, Rejected, Unreachable
from tests.modules.runtime.hands import Scene, scene
from tests.modules.venues.crashing import die, killed
from tests.modules.venues.paper_markets import A

MINUTE = 60_000


def guards(fund: Scene) -> list[tuple[float | None, float]]:
    return [(o.trigger, o.quantity) for o in fund.paper.open_orders() if o.is_guard]


def test_a_position_is_guarded_at_its_stop_and_by_one_order() -> None:
    fund = scene(stops=True)
    fund.open(4)
    for _ in range(3):
        fund.step()
        assert guards(fund) == [(95.0, 4.0)]


def test_a_guard_is_of_whole_steps_whatever_sums_of_floats_leave() -> None:
    fund = scene(stops=True)
    fund.open(0.1)
    fund.paper.place(NewOrder("more", A, "LONG", 0.2, Kind.MARKET))
    fund.step()
    assert fund.held is not None
    assert fund.held.quantity == 0.1 + 0.2
    assert guards(fund) == [(95.0, 0.3)]


def test_a_guard_that_was_hit_is_a_stopped_trade_and_no_gap() -> None:
    fund = scene([(100.0, 100.0, 100.0), (94.0, 100.0, 96.0)], stops=True)
    fund.open(4)
    fund.step()
    fund.paper.advance(fund.paper.time() + 2 * MINUTE)
    assert fund.held is None
    seen = fund.look()
    (trade,) = fund.ledger.trades
    assert trade.exit == "STOP_LOSS"
    assert trade.profit == pytest.approx(4.0 * (95.0 - fund_entry(trade.profit_ratio)), rel=1e-3)
    assert seen.book.account is not None
    assert seen.book.account.own_equity == pytest.approx(seen.book.account.equity)
    fund.look()
    assert len(fund.ledger.trades) == 1


def fund_entry(ratio: float | None) -> float:
    """The entry of a long that was stopped at 95, from its profit / cost."""
    assert ratio is not None
    return 95.0 / (1 + ratio)


def test_a_guard_follows_the_stop_and_the_size() -> None:
    fund = scene([(100.0, 110.0, 110.0)], stops=True)
    fund.open(4)
    fund.step()
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step(pal__actions={A: {"TIGHTEN_STOP": [0.5]}})
    ((trigger, quantity),) = guards(fund)
    assert trigger is not None
    assert trigger == pytest.approx(105.0, abs=0.1)
    assert quantity == 4.0
    fund.step(pba__actions={A: {"REDUCE": [0.25]}})
    assert guards(fund) == [(trigger, 3.0)]


def test_a_position_that_is_closed_leaves_no_guard_behind() -> None:
    fund = scene(stops=True)
    fund.open(4)
    fund.step()
    fund.step(pba__actions={A: {"CLOSE": []}})
    assert guards(fund) == []


def test_an_emergency_stop_cancels_orders_and_leaves_guards() -> None:
    fund = scene(stops=True)
    fund.open(4)
    fund.step()
    fund.paper.place(NewOrder("rests", A, "LONG", 1.0, Kind.LIMIT, 90.0))
    fund.step(ess__actions={"CANCEL_ORDERS": []})
    assert guards(fund) == [(95.0, 4.0)]
    assert [o.client_id for o in fund.paper.open_orders() if not o.is_guard] == []


def test_a_guard_that_somebody_cancelled_is_placed_again() -> None:
    fund = scene(stops=True)
    fund.open(4)
    fund.step()
    (order,) = fund.paper.open_orders()
    fund.paper.cancel(A, order.client_id)
    fund.step()
    (again,) = fund.paper.open_orders()
    assert again.client_id != order.client_id
    assert guards(fund) == [(95.0, 4.0)]


def test_stops_of_somebody_else_are_left_alone() -> None:
    fund = scene(stops=True)
    fund.open(4)
    fund.paper.place(NewOrder("mine", A, "SHORT", 1.0, Kind.STOP, reduce_only=True, trigger=80.0))
    fund.step()
    assert sorted(guards(fund), key=str) == [(80.0, 1.0), (95.0, 4.0)]


def test_a_position_is_guarded_as_soon_as_it_is_opened() -> None:
    fund = scene(stops=True)
    fund.propose(4)
    assert guards(fund) == [(95.0, 4.0)]


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_guard_whose_placing_failed_is_there_at_the_next_snapshot(when: str) -> None:
    fund = scene(stops=True)
    getattr(fund.venue, when)["place"] = [None, Unreachable("no answer")]
    fund.open(4)
    fund.step()
    assert guards(fund) == [(95.0, 4.0)]


def test_a_stop_that_the_venue_refuses_is_watched_all_the_same() -> None:
    fund = scene([(94.0, 100.0, 94.0)], stops=True)
    fund.venue.before["place"] = [None, Rejected("no stops today")]
    fund.open(4)
    assert guards(fund) == []
    fund.paper.advance(fund.paper.time() + MINUTE)
    fund.step()
    assert fund.held is None


def test_guards_do_not_count_as_orders_of_the_book() -> None:
    fund = scene(stops=True)
    fund.open(4)
    fund.step()
    assert fund.look().book.orders == {}


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("falls", [False, True])
def test_after_a_kill_around_its_placing_a_guard_is_one_and_its_fill_is_known(
    tmp_path: Path, when: str, falls: bool
) -> None:
    later = [(100.0, 100.0, 100.0), (94.0, 100.0, 96.0)]

    def act() -> None:
        fund = scene(later, tmp_path, stops=True)
        getattr(fund.venue, when)["place"] = [None, die]
        fund.open(4)

    assert killed(act)
    with closing(scene(later, tmp_path, stops=True)) as fund:
        fund.actions.execution.recover()
        if falls and when == "after":
            fund.paper.advance(fund.paper.time() + 2 * MINUTE)
            assert fund.held is None
            fund.look()
            (trade,) = fund.ledger.trades
            assert trade.exit == "STOP_LOSS"
            assert trade.profit == pytest.approx(4.0 * (95.0 - fund_entry(trade.profit_ratio)), rel=1e-3)
            return
        fund.step()
        assert guards(fund) == [(95.0, 4.0)]
        assert fund.venue.calls["place"] == (1 if when == "before" else 0)
