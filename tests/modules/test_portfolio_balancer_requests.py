"""The portfolio balancer: the book after each request, counted together, and what the rules make of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modules.assembly import Supplied, assemble
from modules.inputs import Inputs, Request
from modules.judge import Judge
from modules.portfolio_balancer import AFTER, PortfolioBalancer
from modules.sources import BookSource, FeedSource
from tests.modules.books import APART, NOW, SECTORS, TOGETHER, asked, held, order, state

PBA = PortfolioBalancer()
OF_SIDE = {"liquidation_distance": 0.0}


def after(inputs: Inputs, key: str) -> dict[str, Any]:
    return dict(PBA.compute(inputs).row("request", key))


def test_the_book_after_a_request_by_hand() -> None:
    found = after(state({"a": held("ETHUSDT", 2_000)}, {"r": asked("SOLUSDT", 1_000, leverage=10.0)}), "r")
    assert found == pytest.approx(
        {
            "exposure_after": 0.3,
            "sector_share_after": 0.3,
            "symbol_share_after": 0.1,
            "risk_after": 0.015,
            "leverage_after": 6.0,
            "correlated_after": 0.1,
            "correlated_positions_after": 1,
            "free_margin_after": 9_500.0,
            "liquidation_distance": 1 - 0.9 / 0.995,
        }
    )


@pytest.mark.parametrize(
    ("leverage", "side", "distance"),
    [(20.0, "LONG", 1 - 0.95 / 0.995), (9.0, "LONG", 1 - (8 / 9) / 0.995), (5.0, "SHORT", 1.2 / 1.005 - 1)],
)
def test_what_opens_is_liquidated_where_its_margin_runs_out(leverage: float, side: str, distance: float) -> None:
    stop = 99.0 if side == "LONG" else 101.0
    found = after(state(requests={"r": asked("SOLUSDT", 1_000, side, stop=stop, leverage=leverage)}), "r")
    assert found["liquidation_distance"] == pytest.approx(distance)


def test_what_grows_is_liquidated_where_the_whole_of_it_is() -> None:
    book = {"p": held("BTCUSDT", 1_000, leverage=2.0)}
    found = after(state(book, {"r": asked("BTCUSDT", 1_000, leverage=10.0)}), "r")
    # 2,000 with a margin of 500 and 100.
    assert found["liquidation_distance"] == pytest.approx(1 - (1 - 600 / 2_000) / 0.995)


def test_a_request_that_closes_leaves_nothing_to_liquidate() -> None:
    supply = PBA.compute(
        state({"p": held("BTCUSDT", 1_000)}, {"r": asked("BTCUSDT", 1_000, "SHORT", reduce_only=True)})
    )
    assert "liquidation_distance" not in supply.row("request", "r")
    assert supply.reasons['request["r"].liquidation_distance'] == "it leaves no position"


def test_without_tiers_or_a_price_nobody_knows_where_a_position_ends() -> None:
    bare = state(requests={"r": asked("SOLUSDT", 1_000)})
    listings = {s: replace(listing, tiers=()) for s, listing in (bare.market.listings or {}).items()}
    for market, why in (
        (replace(bare.market, listings=listings), "the venue tells no margin tiers of SOLUSDT"),
        (replace(bare.market, tickers={}), "the price of SOLUSDT is not known"),
    ):
        supply = PBA.compute(replace(bare, market=market))
        assert supply.reasons['request["r"].liquidation_distance'] == why


def test_a_batch_is_counted_together_in_the_order_of_its_keys() -> None:
    requests = {f"r{i}": asked("BTCUSDT", 1_000) for i in (3, 1, 2)}
    rows = PBA.compute(state(requests=requests)).rows["request"]
    assert [rows[f"r{i}"]["exposure_after"] for i in (1, 2, 3)] == pytest.approx([0.1, 0.2, 0.3])
    assert [rows[f"r{i}"]["risk_after"] for i in (1, 2, 3)] == pytest.approx([0.005, 0.01, 0.015])
    assert [rows[f"r{i}"]["free_margin_after"] for i in (1, 2, 3)] == pytest.approx([9_800, 9_600, 9_400])


def test_what_takes_risk_off_is_counted_first() -> None:
    requests = {"a": asked("BTCUSDT", 3_000), "z": asked("ETHUSDT", 4_000, "SHORT", reduce_only=True)}
    rows = PBA.compute(state({"p": held("ETHUSDT", 4_000)}, requests)).rows["request"]
    assert rows["z"]["exposure_after"] == 0
    assert rows["a"]["exposure_after"] == pytest.approx(0.3)
    assert rows["a"]["free_margin_after"] == pytest.approx(9_400)


def test_two_exits_of_one_position_that_together_turn_it_are_seen() -> None:
    requests = {k: asked("BTCUSDT", 600, "SHORT", stop=105.0) for k in "ab"} | {"c": asked("ETHUSDT", 100)}
    rows = PBA.compute(state({"p": held("BTCUSDT", 1_000)}, requests)).rows["request"]
    assert rows["b"]["symbol_share_after"] == pytest.approx(0.02)
    assert "risk_after" in rows["c"]


def test_an_order_against_a_larger_side_opens_only_the_rest() -> None:
    found = after(state({"p": held("BTCUSDT", 1_000)}, {"r": asked("BTCUSDT", 1_500, "SHORT", stop=105.0)}), "r")
    assert found["symbol_share_after"] == pytest.approx(0.05)


def test_pending_orders_count_before_any_request() -> None:
    found = after(state(requests={"r": asked("ETHUSDT", 1_000)}, orders={"o": order("SOLUSDT", 20)}), "r")
    assert found["exposure_after"] == pytest.approx(0.3)
    assert found["sector_share_after"] == pytest.approx(0.3)
    assert found["risk_after"] == pytest.approx(0.015)
    assert found["free_margin_after"] == pytest.approx(9_400)


def test_a_pending_order_of_which_little_is_known_counts_at_its_worst() -> None:
    bare = {"o": order("SOLUSDT", 20, leverage=None, stop=None)}
    supply = PBA.compute(state(requests={"r": asked("ETHUSDT", 1_000)}, orders=bare))
    row = supply.row("request", "r")
    assert row["free_margin_after"] == pytest.approx(7_800)
    assert row["leverage_after"] == pytest.approx(15)
    assert "risk_after" not in row
    assert "stop is not known" in supply.reasons['request["r"].risk_after']


@pytest.mark.parametrize(
    "wrong",
    [
        {"notional": None},
        {"notional": float("nan")},
        {"notional": -500.0},
        {"notional": float("inf")},
    ],
)
def test_a_request_without_a_size_is_not_counted_and_spoils_no_other(wrong: dict[str, Any]) -> None:
    requests = {"a": asked("BTCUSDT", **({"notional": None} | wrong)), "b": asked("ETHUSDT", 1_000)}
    supply = PBA.compute(state(requests=requests))
    assert supply.row("request", "a") == {}
    assert supply.reasons['request["a"].exposure_after'] == "its size is not known"
    assert supply.row("request", "b")["exposure_after"] == pytest.approx(0.1)


def test_a_request_without_a_stop_has_no_known_risk_and_spoils_no_other() -> None:
    requests = {"a": asked("BTCUSDT", 1_000, stop=None), "b": asked("ETHUSDT", 1_000)}
    rows = PBA.compute(state(requests=requests)).rows["request"]
    assert "risk_after" not in rows["a"]
    assert rows["b"]["risk_after"] == pytest.approx(0.005)


def test_a_request_of_an_unknown_sector_has_no_known_share() -> None:
    supply = PBA.compute(state(requests={"r": asked("XYZUSDT", 100)}))
    assert supply.reasons['request["r"].sector_share_after'] == "the sector of XYZUSDT is not known"


def test_what_moves_with_a_request_counts_with_it() -> None:
    positions, requests = {"p": held("BTCUSDT", 2_000)}, {"r": asked("UNIUSDT", 1_000)}
    assert after(state(positions, requests, candles=TOGETHER), "r")["correlated_after"] == pytest.approx(0.3)
    assert after(state(positions, requests, candles=APART), "r")["correlated_after"] == pytest.approx(0.1)


def test_positions_that_would_move_together_are_counted_request_after_request() -> None:
    book = {"p": held("BTCUSDT", 2_000), "q": held("ETHUSDT", 1_000)}
    requests = {
        "1": asked("BTCUSDT", 500), "2": asked("UNIUSDT", 500), "3": asked("SOLUSDT", 500),
        "4": asked("ETHUSDT", 1_000, "SHORT"), "5": asked("BTCUSDT", 1_000, "SHORT"),
    }  # fmt: skip
    rows = PBA.compute(state(book, requests, candles=TOGETHER)).rows["request"]
    # What takes risk off is counted first: "4" closes a position, "5" leaves a part of one. Then "1" adds to that.
    assert [rows[key]["correlated_positions_after"] for key in sorted(rows)] == [1, 2, 3, 1, 1]
    apart = PBA.compute(state(book, requests, candles=APART)).rows["request"]
    assert [apart[key]["correlated_positions_after"] for key in sorted(apart)] == [1, 1, 1, 0, 1]


def test_pending_orders_count_among_those_that_move_together() -> None:
    orders = {"o": order("SOLUSDT", 10)}
    found = state({"p": held("BTCUSDT", 2_000)}, {"r": asked("UNIUSDT", 500)}, orders=orders, candles=TOGETHER)
    assert after(found, "r")["correlated_positions_after"] == 3


def test_what_nobody_knows_to_move_with_anything_counts_with_the_most() -> None:
    book = {"p": held("BTCUSDT", 2_000), "q": held("ETHUSDT", 1_000)}
    found = after(state(book, {"r": asked("XYZUSDT", 100)}, candles=TOGETHER), "r")
    assert found["correlated_positions_after"] == 3


def test_what_nobody_knows_to_move_with_anything_may_move_with_many_small_ones() -> None:
    book = {"p": held("SOLUSDT", 9_000), "q": held("BTCUSDT", 100), "r": held("ETHUSDT", 100)}
    returns = np.diff(np.log(APART.close), axis=0)
    returns[:, 1] = returns[:, 0]
    assert APART.symbols[:2] == ("BTCUSDT", "ETHUSDT")
    close = 100 * np.exp(np.cumsum(returns, axis=0))
    close = np.vstack([np.full(close.shape[1], 100.0), close])
    candles = replace(APART, open=close, high=close * 1.005, low=close / 1.005, close=close)
    found = after(state(book, {"r": asked("XYZUSDT", 100)}, candles=candles), "r")
    assert found["correlated_positions_after"] == 3
    assert found["correlated_after"] == pytest.approx(0.91)


sizes = st.floats(1, 5_000)
legs = st.tuples(st.sampled_from(sorted(SECTORS)), sizes, st.sampled_from(["LONG", "SHORT"]))


@settings(max_examples=30, deadline=None)
@given(st.lists(legs, max_size=4), st.lists(legs, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_the_order_in_which_things_come_changes_nothing(positions: list[Any], requests: list[Any], random: Any) -> None:
    book = {f"p{i}": held(*leg) for i, leg in enumerate(positions)}
    batch = {f"r{i}": asked(s, n, side, 95 if side == "LONG" else 105) for i, (s, n, side) in enumerate(requests)}
    one = PBA.compute(state(book, batch))
    keys, names = list(book), list(batch)
    random.shuffle(keys)
    random.shuffle(names)
    other = PBA.compute(state({k: book[k] for k in keys}, {k: batch[k] for k in names}))
    assert one == other


@settings(max_examples=30, deadline=None)
@given(st.lists(legs, max_size=3), st.lists(legs, min_size=1, max_size=3))
def test_a_mirrored_book_has_mirrored_figures(positions: list[Any], requests: list[Any]) -> None:
    def flipped(side: str) -> str:
        return "SHORT" if side == "LONG" else "LONG"

    def facts(turn: Any) -> tuple[dict[str, Any], Any]:
        book = {f"p{i}": held(s, n, turn(side)) for i, (s, n, side) in enumerate(positions)}
        batch = {
            f"r{i}": asked(s, n, turn(side), 95 if turn(side) == "LONG" else 105)
            for i, (s, n, side) in enumerate(requests)
        }
        supply = PBA.compute(state(book, batch))
        return dict(supply.single), supply.rows["request"]

    (one, asks), (other, mirrored) = facts(lambda side: side), facts(flipped)
    assert one["account.net_exposure"] == -other["account.net_exposure"]
    assert one["account.gross_exposure"] == other["account.gross_exposure"]
    assert one["account.risk"] == pytest.approx(other["account.risk"])
    for key, row in asks.items():
        # A short is liquidated at a higher notional than a long, so at another distance.
        assert row | OF_SIDE == pytest.approx(mirrored[key] | OF_SIDE)


@settings(max_examples=30, deadline=None)
@given(st.lists(legs, max_size=3), sizes, sizes)
def test_asking_for_more_never_looks_smaller(positions: list[Any], less: float, more: float) -> None:
    book = {f"p{i}": held(s, n) for i, (s, n, _) in enumerate(positions)}
    small, large = (after(state(book, {"r": asked("BTCUSDT", n)}), "r") for n in (less, less + more))
    for name in set(AFTER) - {"leverage_after", "free_margin_after", "liquidation_distance"}:
        assert small[name] <= large[name]
    assert small["liquidation_distance"] >= large["liquidation_distance"] - 1e-9
    assert small["free_margin_after"] >= large["free_margin_after"]


# --- with the rules ---------------------------------------------------------------------------------------------------


def test_every_fact_is_its_own_and_in_range() -> None:
    positions = {"a": held("BTCUSDT", 4_100), "b": held("ETHUSDT", 2_550, "SHORT")}
    inputs = state(positions, {"r": asked("UNIUSDT", 500), "x": asked("ETHUSDT", None)}, {"o": order("SOLUSDT", 2)})
    parts = [Supplied(m.name, m.owners, NOW, m.compute(inputs)) for m in (FeedSource(), BookSource(), PBA)]
    made = assemble("main", NOW, parts)
    rows = made.snapshot.rows
    assert all(v is not None for path, v in made.snapshot.facts.items() if path in PBA.compute(inputs).single)
    assert set(AFTER) <= set((rows["request"] or {})["r"])
    assert not [why for why in made.reasons.values() if "not its to supply" in why or "out of range" in why]


@pytest.mark.parametrize(
    ("requests", "denied"),
    [
        ({"r": asked("ETHUSDT", 4_100)}, {"pba.sector_concentration", "pba.symbol_concentration"}),
        ({"r": asked("BTCUSDT", 3_500)}, {"pba.symbol_concentration"}),
        ({"r": asked("UNIUSDT", 2_900, leverage=25.0)}, {"pba.leverage"}),
        ({"r": asked("UNIUSDT", 2_900)}, set()),
    ],
)
def test_the_rules_of_the_balancer_see_what_it_computes(requests: dict[str, Request], denied: set[str]) -> None:
    inputs = state(requests=requests)
    parts = [Supplied(m.name, m.owners, NOW, m.compute(inputs)) for m in (FeedSource(), BookSource(), PBA)]
    said = Judge().answer(NOW, parts).because
    per_request = {"total_exposure", "sector_concentration", "symbol_concentration", "total_risk", "leverage"}
    assert {rule for rule in said if rule.removeprefix("pba.") in per_request} == denied
