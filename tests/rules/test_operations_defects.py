"""Defects of the predecessor's operations modules that must not come back, each as a test of the default policies.

Those of training and files belong to the retraining orchestrator, those of restarts and orders to the hands.
"""

from __future__ import annotations

import math

import pytest

from modules.ai_hedgefund_os import AIHedgeFundOS, SystemRiskMode
from modules.estimates.kelly import Record, careful_fraction
from modules.trading_mathematician import TradingMathematician
from policy_dsl.diagnostics import PolicyError
from policy_dsl.program import Alert
from tests.rules.decisions import ASKING, Document, asking, configured, decide, default_bundle, outputs, state

EXIT: Document = {"r1": {"effect": "CLOSE"}, "r2": {"effect": "REDUCE"}}


def test_w1_a_stance_in_other_letters_is_refused_and_not_read_as_all_is_well() -> None:
    with pytest.raises(PolicyError):
        configured('[modes]\nhealing = "Enforce "')
    with pytest.raises(PolicyError):
        state({"operator": {"risk_mode": "safe"}})


def test_w2_services_that_nobody_could_check_are_not_healthy() -> None:
    assert outputs({"service": None})["orchestrator.allow_trades"] is False
    assert outputs({"service": {"execution": {"status": None}}})["orchestrator.allow_trades"] is False


def test_w4_without_a_decision_no_leverage_is_allowed() -> None:
    found = outputs({"request": {"r1": {"leverage": 10}}}, calm=False)
    assert (found["math.max_leverage"]["r1"], found["pba.max_leverage"], found["verdict"]["r1"]) == (1, 5, "DENY")


def test_w5_without_an_answer_of_the_supervisor_of_all_the_fund_is_in_safe() -> None:
    assert AIHedgeFundOS().get_risk_mode() is SystemRiskMode.SAFE
    assert outputs({"fund": {"conflicts": None}})["hfos.risk_mode"] == "CAUTIOUS"


@pytest.mark.parametrize("payoff", [0.5, 1.0, 2.0])
def test_w6_a_worse_edge_never_sizes_larger(payoff: float) -> None:
    sizes = [careful_fraction(Record(100, won / 100, payoff)) for won in range(101)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 0
    worst = asking(notional=5_000, kelly_notional=0, kelly_trades=100)
    assert outputs(worst)["math.max_notional"]["r1"] == 1_000
    assert outputs(worst)["verdict"] == {"r1": "DENY"}


@pytest.mark.parametrize("confidence", [math.nan, math.inf, None, 0])
def test_w7_a_confidence_that_is_no_number_is_not_full_confidence(confidence: float | None) -> None:
    assert outputs(asking(confidence=confidence))["verdict"] == {"r1": "DENY"}


def test_w8_a_margin_beyond_the_balance_raises_no_leverage() -> None:
    sized = TradingMathematician().calculate_optimal_parameters(
        balance=1_000, atr_pct=0.01, win_rate=0.7, trades=500, margin_used=1_200
    )
    assert (sized["margin_usd"], sized["leverage"]) == (0, 0)
    assert "nothing of the balance" in sized["reason"]
    assert outputs(asking(margin=1) | {"account": {"free_margin": -200}})["verdict"] == {"r1": "DENY"}


@pytest.mark.parametrize(
    "cause",
    [
        {"operator": {"stop_requested": True}},
        {"service": {"execution": {"status": "DOWN"}}},
        {"service": None, "model": None, "position": None},
        {"account": {"drawdown": 0.5, "equity": None}},
    ],
    ids=["stop", "service", "unknown", "ruin"],
)
def test_w14_what_shuts_the_fund_traps_no_position(cause: Document) -> None:
    assert outputs({**ASKING, "request": EXIT} | cause)["verdict"] == {"r1": "ALLOW", "r2": "ALLOW"}


def test_w15_worse_is_never_milder_and_a_service_of_no_matter_stops_nothing() -> None:
    states = ("UP", "DEGRADED", "DOWN")
    allowed = [outputs({"service": {"feed": {"status": s}}})["orchestrator.allow_trades"] for s in states]
    assert allowed == sorted(allowed, reverse=True)
    assert allowed[-1] is False
    cosmetic = {"service": {"logging": {"status": "DOWN", "affects_trading": False}}}
    assert outputs(cosmetic)["orchestrator.allow_trades"] is True


def test_w15_a_quiet_hour_without_trades_shuts_nothing() -> None:
    assert outputs(asking() | {"trade": [], "order": []})["verdict"] == {"r1": "ALLOW"}


def test_w18_a_model_without_outcomes_collects_some_before_it_is_trained() -> None:
    new = {"model": {"xgboost": {"samples": 0, "health": "CRITICAL", "win_rate": None}}}
    assert "RETRAIN" not in outputs(new)["retraining.actions"]["xgboost"]


def test_w21_a_reward_of_less_than_twice_the_risk_is_denied() -> None:
    assert outputs(asking(reward_risk=1.76))["verdict"] == {"r1": "DENY"}
    assert outputs(asking(reward_risk=2))["verdict"] == {"r1": "ALLOW"}


def test_w29_what_is_observed_changes_nothing() -> None:
    crash: Document = {"market": {"turbulence": 0.995, "breadth": 0.05}}
    watched = configured('[modes]\nhfos = "observe"\nmsc = "observe"\nsupervisor = "observe"').program
    calm, found = outputs(program=watched), outputs(crash, program=watched)
    assert found["hfos.risk_mode"] == "AGGRESSIVE"
    assert {k: found[k] for k in calm if k.startswith(("pal.", "pba.", "aelm.", "universe."))} == {
        k: calm[k] for k in calm if k.startswith(("pal.", "pba.", "aelm.", "universe."))
    }


EVERYTHING: Document = {
    **ASKING,
    "position": {"p1": {}},
    "sector": {"L1": {}},
    "service": {"feed": {}, "execution": {}},
}


def alerts(document: Document) -> set[str]:
    """The rules that alert somebody, those among them that only observe."""
    decision = decide(state(document))
    alerting = {r.id for r in default_bundle().program.rules if any(isinstance(e, Alert) for e in r.effects)}
    return {f.rule for f in (*decision.firings, *decision.observed)} & alerting


def test_in_ordinary_times_nobody_is_alerted() -> None:
    assert alerts(EVERYTHING) == set()
    assert alerts(EVERYTHING | {"account": {"drawdown": 0.06}}) >= {"ess.drawdown", "hfos.defensive_directives"}


def test_a_model_with_a_short_record_alarms_nobody_and_one_with_a_long_bad_one_does() -> None:
    bad = {"win_rate_low": 0.01, "calibration": 0.1, "bias_p": 0, "health": "CRITICAL"}
    assert alerts({"model": {"m": bad | {"samples": 49}}}) == set()
    assert alerts({"model": {"m": bad | {"samples": 50}}}) == {
        "supervisor.critical", "supervisor.hopeless", "supervisor.ill_calibrated", "supervisor.surely_biased",
    }  # fmt: skip


@pytest.mark.parametrize("hour", [0, 3, 12, 23])
@pytest.mark.parametrize("weekday", [2, 5, 6])
def test_no_hour_of_any_day_is_watched_less_than_another(weekday: int, hour: int) -> None:
    """The market never closes: at night and at a weekend the same is decided as on a Wednesday at noon."""
    ts = f"2026-01-{5 + weekday:02}T{hour:02}:00:00Z"
    then = {"ts": ts, "clock": {"now": ts, "hour": hour, "weekday": weekday}}
    for document in (EVERYTHING, EVERYTHING | {"account": {"drawdown": 0.06}}, EVERYTHING | {"system": {"cpu": None}}):
        assert outputs(document | then) == outputs(document)
