"""The portfolio balancer: exposures of the book as it is, and how far it is from liquidation."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from modules.inputs import Inputs
from modules.module import Module
from modules.portfolio_balancer import PortfolioBalancer
from tests.modules.books import APART, BARS, NOW, TOGETHER, asked, held, order, state
from tests.modules.samples import HOUR_MS

PBA = PortfolioBalancer()


def single(inputs: Inputs) -> dict[str, Any]:
    return {path.removeprefix("account."): value for path, value in PBA.compute(inputs).single.items()}


def test_it_is_a_module() -> None:
    assert isinstance(PBA, Module)


def test_the_call_of_the_plan() -> None:
    class Universe:
        def tier_of(self, symbol: str) -> str | None:
            return {"BTCUSDT": "CORE"}.get(symbol)

    pba = PortfolioBalancer(universe=Universe())
    assert pba.get_symbol_category("BTCUSDT") == "CORE"
    assert pba.get_symbol_category("NONSENSE") is None
    assert PBA.get_symbol_category("BTCUSDT") is None


# --- the book as it is ------------------------------------------------------------------------------------------------


def test_an_empty_book_is_exposed_to_nothing() -> None:
    supply = PBA.compute(state())
    assert dict(supply.single) == {
        "account.margin_usage": 0, "account.gross_exposure": 0, "account.net_exposure": 0, "account.risk": 0,
        "account.correlated_exposure": 0, "account.correlated_positions": 0,
    }  # fmt: skip
    assert {key: row["exposure_share"] for key, row in supply.rows["sector"].items()} == {"BTC": 0, "DEFI": 0, "L1": 0}
    assert supply.row("symbol", "ETHUSDT") == {"exposure": 0, "pending_exposure": 0}


def test_exposures_by_hand() -> None:
    positions = {"a": held("BTCUSDT", 4_100), "b": held("ETHUSDT", 2_550, "SHORT"), "c": held("SOLUSDT", 1_000)}
    found = single(state(positions))
    assert found["gross_exposure"] == pytest.approx(0.765)
    assert found["net_exposure"] == pytest.approx(0.255)
    assert found["risk"] == pytest.approx(0.03825)
    assert found["margin_usage"] == pytest.approx(0.153)
    rows = PBA.compute(state(positions)).rows
    assert rows["symbol"]["ETHUSDT"]["exposure"] == pytest.approx(0.255)
    assert rows["sector"]["L1"]["exposure_share"] == pytest.approx(0.355)
    assert rows["sector"]["DEFI"]["exposure_share"] == 0


def test_long_and_short_in_one_symbol_are_two_exposures_and_one_net_one() -> None:
    supply = PBA.compute(state({"a": held("BTCUSDT", 3_000), "b": held("BTCUSDT", 3_000, "SHORT")}))
    assert supply.single["account.gross_exposure"] == pytest.approx(0.6)
    assert supply.single["account.net_exposure"] == 0
    assert supply.row("symbol", "BTCUSDT")["exposure"] == 0


@pytest.mark.parametrize(
    "wrong",
    [{"quantity": -90.0}, {"mark": float("nan")}, {"quantity": float("inf")}, {"side": "long"}, {"mark": 0.0}],
)
def test_one_position_that_cannot_be_leaves_no_exposure_known(wrong: dict[str, Any]) -> None:
    positions = {"a": held("BTCUSDT", 9_000), "b": replace(held("ETHUSDT", 100), **wrong)}
    supply = PBA.compute(state(positions, {"r": asked("SOLUSDT", 10)}))
    why = "the side, quantity or mark of position b in ETHUSDT cannot be"
    assert set(supply.single) <= {"account.margin_usage"}
    assert supply.reasons["account.gross_exposure"] == why
    assert supply.row("request", "r") == {}
    assert supply.reasons['request["r"].exposure_after'] == why


@pytest.mark.parametrize("equity", [0.0, -5_000.0, float("nan")])
def test_without_equity_there_is_no_share_of_it(equity: float) -> None:
    supply = PBA.compute(state({"a": held("BTCUSDT", 100)}, {"r": asked("ETHUSDT", 10)}, equity=equity))
    assert set(supply.single) == {"account.margin_usage"}
    assert "equity" in supply.reasons["account.gross_exposure"]
    assert not {"exposure_after", "risk_after", "symbol_share_after"} & set(supply.row("request", "r"))


def test_a_position_without_a_stop_leaves_the_risk_unknown() -> None:
    supply = PBA.compute(state({"a": held("BTCUSDT", 100), "b": held("ETHUSDT", 100, stop=None)}))
    assert "account.risk" not in supply.single
    assert supply.reasons["account.risk"] == "no stop is known of b in ETHUSDT"


def test_a_stop_in_profit_risks_nothing() -> None:
    assert single(state({"a": held("BTCUSDT", 1_000, stop=110.0)}))["risk"] == 0


def test_unknown_positions_and_sectors_are_not_empty_ones() -> None:
    inputs = state(sectors={})
    inputs = replace(inputs, book=replace(inputs.book, positions=None))
    supply = PBA.compute(inputs)
    assert supply.reasons["account.gross_exposure"] == "nobody knows the positions"
    assert not {"position", "sector"} & set(supply.rows)
    assert supply.reasons["sector"] == "the universe knows no sector of any symbol"


def test_what_is_held_of_an_unknown_sector_may_lie_in_any() -> None:
    positions = {"a": held("BTCUSDT", 1_000), "b": held("XYZUSDT", 500)}
    rows = PBA.compute(state(positions)).rows["sector"]
    assert [rows[s]["exposure_share"] for s in ("BTC", "L1")] == pytest.approx([0.15, 0.05])


def test_what_moves_together_is_one_cluster() -> None:
    positions = {"a": held("BTCUSDT", 1_000), "b": held("ETHUSDT", 2_000), "c": held("UNIUSDT", 1_500)}
    together = single(state(positions, candles=TOGETHER))
    assert (together["correlated_positions"], together["correlated_exposure"]) == (3, pytest.approx(0.45))
    apart = single(state(positions, candles=APART))
    assert (apart["correlated_positions"], apart["correlated_exposure"]) == (1, pytest.approx(0.2))


def test_without_prices_everything_may_move_together() -> None:
    positions = {"a": held("BTCUSDT", 1_000), "b": held("ETHUSDT", 2_000)}
    found = single(state(positions, candles=None))
    assert (found["correlated_positions"], found["correlated_exposure"]) == (2, pytest.approx(0.3))


def test_a_symbol_without_history_may_move_with_any_and_spoils_no_other() -> None:
    positions = {"a": held("BTCUSDT", 1_000), "b": held("ETHUSDT", 2_000), "c": held("XYZUSDT", 500)}
    found = single(state(positions))
    assert (found["correlated_positions"], found["correlated_exposure"]) == (2, pytest.approx(0.25))


def test_what_is_ordered_and_not_filled_is_pending() -> None:
    orders = {
        "a": order("BTCUSDT", 10, filled=4.0),
        "b": order("BTCUSDT", 1, price=None),
        "c": order("ETHUSDT", 5, adds_risk=False),
    }
    rows = PBA.compute(state(orders=orders)).rows["symbol"]
    assert rows["BTCUSDT"]["pending_exposure"] == pytest.approx(0.07)
    assert rows["ETHUSDT"]["pending_exposure"] == 0


def test_unknown_orders_are_not_none() -> None:
    inputs = state(requests={"r": asked("BTCUSDT", 100)})
    supply = PBA.compute(replace(inputs, book=replace(inputs.book, orders=None)))
    assert "pending_exposure" not in supply.row("symbol", "BTCUSDT")
    assert supply.reasons['request["r"].exposure_after'] == "nobody knows the open orders"


def test_liquidation_of_a_position() -> None:
    row = PBA.compute(state({"a": held("BTCUSDT", 1_000)})).row("position", "a")
    assert row["liquidation_distance"] == pytest.approx(1 - 80 / 99.5)
    assert 0 < row["liquidation_probability_7d"] < 0.2


def test_without_tiers_or_history_the_end_is_unknown() -> None:
    inputs = state({"a": held("BTCUSDT", 1_000), "b": held("XYZUSDT", 1_000)}, candles=None)
    supply = PBA.compute(inputs)
    assert supply.reasons['position["b"].liquidation_distance'] == "the venue tells no margin tiers of XYZUSDT"
    assert "liquidation_probability_7d" not in supply.row("position", "a")
    assert "history" in supply.reasons['position["a"].liquidation_probability_7d']


def test_statistics_that_are_kept_change_no_result() -> None:
    positions = {"a": held("BTCUSDT", 1_000), "b": held("ETHUSDT", 2_000)}
    one = PortfolioBalancer()
    for candles in (TOGETHER, APART, TOGETHER, None, APART):
        for later in (0, HOUR_MS // 2, -48 * HOUR_MS):
            inputs = replace(state(positions, candles=candles), ts=NOW + later)
            assert one.compute(inputs) == PortfolioBalancer().compute(inputs)


@pytest.mark.parametrize(("bars", "is_known"), [(167, True), (168, False), (BARS, False)])
def test_what_does_not_move_has_no_small_chance_of_liquidation(bars: int, *, is_known: bool) -> None:
    panels = {n: getattr(APART, n).copy() for n in ("open", "high", "low", "close")}
    for panel in panels.values():
        panel[-bars:] = panels["close"][-bars - 1 : -bars] if bars < BARS else 100.0
    row = PBA.compute(state({"a": held("BTCUSDT", 1_000)}, candles=replace(APART, **panels))).row("position", "a")
    assert ("liquidation_probability_7d" in row) == is_known


@pytest.mark.parametrize(("hours", "is_known"), [(2, True), (2.01, False)])
def test_candles_that_have_stopped_say_nothing_of_what_moves_together_now(hours: float, *, is_known: bool) -> None:
    inputs = state({"a": held("BTCUSDT", 1_000), "b": held("ETHUSDT", 1_000)})
    supply = PBA.compute(replace(inputs, ts=inputs.ts + round(hours * HOUR_MS)))
    assert supply.single["account.correlated_positions"] == (1 if is_known else 2)
    assert ("liquidation_probability_7d" in supply.row("position", "a")) == is_known


def test_a_position_larger_than_any_book_spoils_no_other_figure() -> None:
    supply = PBA.compute(state({"a": replace(held("BTCUSDT", 1_000), quantity=1e306), "b": held("ETHUSDT", 1_000)}))
    assert "cannot be" in supply.reasons["account.gross_exposure"]
    assert supply.row("position", "b")["liquidation_distance"] == pytest.approx(1 - 80 / 99.5)


def test_later_candles_are_not_looked_at() -> None:
    positions = {"a": held("BTCUSDT", 1_000), "b": held("ETHUSDT", 2_000)}
    early = NOW - 60 * HOUR_MS
    cut = {n: getattr(APART, n)[:-60] for n in ("open", "high", "low", "close", "volume")}
    past = replace(APART, opened=APART.opened[:-60], **cut)
    inputs = [replace(state(positions, candles=c), ts=early) for c in (APART, past)]
    assert PBA.compute(inputs[0]) == PBA.compute(inputs[1])
