"""Profit amplification: the rules say what may be done with a position that is handed over."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations
from typing import Any

import pytest

from evaluators.staging import calm_snapshot
from modules.facts import CATALOGUE
from modules.facts.levels import VOLATILITY
from modules.inputs import Inputs
from modules.judge import Judge
from modules.module import Module
from modules.position_intelligence import PositionIntelligenceLayer
from modules.profit_amplification import NO_ACTION, ORDER, ProfitAmplificationLayer, choose

POSITION = {
    "symbol": "BTCUSDT",
    "side": "LONG",
    "unrealized_pnl_pct": 0.05,
    "current_R": 2.5,
    "pil_classification": "WINNER",
}
PROOF: dict[str, Any] = {
    "trend_t": 3.0, "trend_t_short": 3.0, "trend_strength": 0.3, "variance_ratio": 1.5, "volatility": "NORMAL",
    "scaled": 0.0,
}  # fmt: skip
SAFE: dict[str, Any] = {"leverage": 2.0, "liquidation_distance": 0.5, "liquidation_probability_7d": 0.0}
PAL = ProfitAmplificationLayer()


def test_it_is_a_module_and_supplies_that_it_runs() -> None:
    assert isinstance(PAL, Module)
    supply = PAL.compute(Inputs("main", 0))
    assert (supply.single, supply.rows) == ({"fund.amplifier_on": True}, {})


def test_a_fund_whose_amplifier_is_off_permits_nothing_that_amplifies() -> None:
    calm = calm_snapshot(CATALOGUE)
    fund = replace(calm, facts={**calm.facts, "fund.amplifier_on": False})
    told = POSITION | PROOF | SAFE | {"peak_R": 4.0, "notional": 5_000.0, "original_notional": 5_000.0}
    found = PAL.evaluate(told, fund)
    assert set(found.permitted) == {"TIGHTEN_STOP", "TAKE_PARTIAL"}
    assert found.because["pal.amplifier_off"] == "the amplifier is switched off"


def test_the_calls_of_the_plan() -> None:
    pil = PositionIntelligenceLayer()
    pal = ProfitAmplificationLayer(pil=pil)
    action = pal.evaluate_position(POSITION)
    assert action == "ADD_SIZE" or action == "EXTEND_HOLD"  # noqa: PLR1714 -- as the plan writes it
    classification = pil.classify_position(POSITION)
    assert classification.category == "WINNER"
    loser = POSITION | {"current_R": -0.5, "unrealized_pnl_pct": -0.01}
    assert pil.classify_position(loser).category != "WINNER"
    assert pal.evaluate(loser).action == "NO_ACTION"


def test_without_proof_of_a_trend_a_winner_is_held_and_not_added_to() -> None:
    found = PAL.evaluate(POSITION)
    assert found.action == "EXTEND_HOLD"
    assert "ADD_SIZE" not in found.permitted
    assert "pal.weak_trend" in found.because
    assert found.missing == ("no state of the fund came along: judged as in ordinary times",)


def test_with_proof_a_quarter_may_be_added() -> None:
    found = PAL.evaluate(POSITION | PROOF)
    assert found.action == "ADD_SIZE"
    assert found.permitted["ADD_SIZE"] == (0.25,)


@pytest.mark.parametrize("fact", sorted(PROOF))
def test_each_part_of_the_proof_is_needed(fact: str) -> None:
    assert "ADD_SIZE" not in PAL.evaluate(POSITION | PROOF | {fact: None}).permitted


@pytest.mark.parametrize(
    "other",
    [
        {"volatility": "HIGH"},
        {"volatility": "WILD"},
        {"trend_strength": "strong"},
        {"trend_t": float("nan")},
        {"side": "SHORT"},
        {"side": "long"},
        {"scaled": 0.26},
        {"current_R": 1.5},
        {"current_R": float("nan")},
        {"current_R": 1e308},
        {"scaled": 1e300},
        {"peak_R": 4.0},
        {"drawdown_from_peak": 20},
    ],
)
def test_nothing_is_added_on_a_figure_that_does_not_hold(other: dict[str, Any]) -> None:
    assert "ADD_SIZE" not in PAL.evaluate(POSITION | PROOF | other).permitted


@pytest.mark.parametrize("r", [-5.0, -0.4, 0.0, 0.5, 0.99])
def test_only_winners_are_amplified_whatever_the_label_says(r: float) -> None:
    told = POSITION | PROOF | {"current_R": r, "unrealized_pnl_pct": r / 50}
    assert PAL.evaluate_position(told) == NO_ACTION


def test_a_figure_that_no_position_can_have_permits_nothing_and_is_named() -> None:
    found = PAL.evaluate({"symbol": "BTCUSDT", "current_R": 1e308, "side": 5})
    assert (found.action, found.permitted, found.classification.category) == (NO_ACTION, {}, "UNKNOWN")
    assert {"current_R is 1e+308, which is out of range", "its side 5 is neither LONG nor SHORT"} <= set(found.missing)


def test_a_position_that_is_not_understood_spoils_nothing_and_says_why() -> None:
    found = PAL.evaluate({})
    assert found.action == NO_ACTION
    assert "its side is not told" in found.missing


def test_a_profit_that_is_going_is_protected_first() -> None:
    found = PAL.evaluate(POSITION | {"peak_R": 4.0, "notional": 5_000.0, "original_notional": 5_000.0})
    assert found.action == "TIGHTEN_STOP"
    assert set(found.permitted) == {"TIGHTEN_STOP", "TAKE_PARTIAL"}


def test_every_action_can_be_the_one_that_is_named() -> None:
    assert {choose([action]) for action in ORDER} == set(ORDER)
    assert choose([]) == NO_ACTION
    assert {choose(listed) for listed in permutations(("EXTEND_HOLD", "ADD_SIZE", "TREND_EXIT"))} == {"ADD_SIZE"}


def test_the_order_names_every_action_of_the_policy() -> None:
    (output,) = [o for o in Judge().bundle.program.outputs if o.id == "pal.actions"]
    assert set(ORDER) == set(output.type.items)  # type: ignore[union-attr]  # because this output is a set


def test_a_fund_in_trouble_amplifies_nothing() -> None:
    fund = calm_snapshot(CATALOGUE)
    crash = replace(fund, facts={**fund.facts, "market.volatility": VOLATILITY.rank("EXTREME")})
    stopped = replace(fund, facts={**fund.facts, "operator.stop_requested": True})
    assert PAL.evaluate_position(POSITION | PROOF | SAFE, fund) == "ADD_SIZE"
    assert "ADD_SIZE" not in PAL.evaluate(POSITION | PROOF, crash).permitted
    assert PAL.evaluate(POSITION | PROOF, stopped).permitted == {"TIGHTEN_STOP": (0.5,)}


def test_a_veto_on_the_whole_fund_hides_no_reason_of_a_position() -> None:
    fund = calm_snapshot(CATALOGUE)
    stopped = replace(fund, facts={**fund.facts, "operator.stop_requested": True})
    found = PAL.evaluate(POSITION | SAFE | {"peak_R": 5.0}, stopped)
    assert found.permitted.keys() <= {"TIGHTEN_STOP", "TAKE_PARTIAL"}
    assert found.because.keys() >= {"pal.switched_off", "pal.weak_trend", "pal.giving_back"}
    assert "50%" in found.because["pal.giving_back"]


@pytest.mark.parametrize("fact", sorted(SAFE))
def test_beside_a_fund_nobody_presumes_that_a_position_is_safe(fact: str) -> None:
    fund = calm_snapshot(CATALOGUE)
    assert "ADD_SIZE" not in PAL.evaluate(POSITION | PROOF | SAFE | {fact: None}, fund).permitted


@pytest.mark.parametrize("told", [{"leverage": 30.0}, {"liquidation_distance": 0.04}])
def test_what_is_close_to_its_liquidation_is_not_added_to_in_ordinary_times_either(told: dict[str, float]) -> None:
    assert "ADD_SIZE" not in PAL.evaluate(POSITION | PROOF | told).permitted


def test_what_the_fund_knows_of_a_symbol_counts_and_not_what_was_brought() -> None:
    fund = calm_snapshot(CATALOGUE)
    rows = {**fund.rows, "symbol": {"BTCUSDT": {"volatility": VOLATILITY.rank("HIGH")}}}
    found = PAL.evaluate(POSITION | PROOF, replace(fund, rows=rows))
    assert "ADD_SIZE" not in found.permitted
    assert "pal.symbol_in_turmoil" in found.because


def test_the_other_positions_of_the_fund_do_not_answer_for_this_one() -> None:
    fund = calm_snapshot(CATALOGUE)
    rows = {**fund.rows, "position": {"BTCUSDT": {"r_multiple": 9_000_000_000}}}
    assert PAL.evaluate_position({"symbol": "BTCUSDT"}, replace(fund, rows=rows)) == NO_ACTION
